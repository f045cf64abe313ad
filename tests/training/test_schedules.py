"""Learning rates, KL annealing and optimizers (C.2)."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from configs import dvae as dvae_config
from configs import prior as prior_config
from nwt_tf.training.schedules import (
    Constant,
    Cosine,
    Halving,
    adam,
    annealed_beta,
    learning_rate,
)


def test_halving_every_50000_steps_down_to_the_floor():
    rate = learning_rate(prior_config.get_config("paper").train)
    for step, expected in [
        (0, 1e-4),
        (25_000, 1e-4 / np.sqrt(2)),
        (50_000, 5e-5),
        (100_000, 2.5e-5),
        (166_000, 1.0015e-5),
        (167_000, 1e-5),
        (250_000, 1e-5),
    ]:
        np.testing.assert_allclose(rate(step), expected, rtol=1e-3)


def test_cosine_from_the_initial_rate_to_the_minimum():
    rate = Cosine(1e-3, 1000, 1e-5, 0)
    for step, expected in [(0, 1e-3), (500, (1e-3 + 1e-5) / 2), (1000, 1e-5), (2000, 1e-5)]:
        np.testing.assert_allclose(rate(step), expected, rtol=1e-5)
    assert all(rate(step) > rate(step + 100) for step in range(0, 1000, 100))


@pytest.mark.parametrize(
    "rate", [Constant(1.0, 10), Halving(1.0, 10**9, 0.0, 10), Cosine(1.0, 10_000, 0.0, 10)]
)
def test_warm_up_is_linear(rate):
    np.testing.assert_allclose([rate(step) for step in range(10)], np.arange(1, 11) / 10, rtol=1e-4)


@pytest.mark.parametrize(
    "schedule", [Constant(1.0, 9), Halving(1.0, 10, 0.1, 8), Cosine(1.0, 100, 0.1, 5)]
)
def test_config_round_trip(schedule):
    copy = type(schedule).from_config(schedule.get_config())
    for step in (0, 7, 60):
        np.testing.assert_array_equal(copy(step), schedule(step))


def test_configs_name_their_schedule():
    paper = dvae_config.get_config("paper").train
    assert learning_rate(paper) == 1e-4
    assert isinstance(learning_rate(dvae_config.get_config("small").train), Cosine)
    warm = dataclasses.replace(paper, warmup=1000)
    np.testing.assert_allclose(learning_rate(warm)(0), 1e-7, rtol=1e-5)
    with pytest.raises(ValueError, match="constant, halving or cosine.*'linear'"):
        learning_rate(dataclasses.replace(paper, schedule="linear"))


def test_beta_rises_logistically_around_5000_steps():
    for step, expected in [(0, 1 / (1 + np.exp(5))), (5000, 0.5), (10_000, 1 / (1 + np.exp(-5)))]:
        np.testing.assert_allclose(annealed_beta(step, 5000, 1e-3), expected, rtol=1e-5)


def test_adam_takes_the_config_s_settings():
    paper = dvae_config.get_config("paper").train
    optimizer = adam(1e-4, paper, paper.betas)
    assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (0.9, 0.999, 1e-7)
    assert not optimizer.use_ema
    small = prior_config.get_config("small").train
    optimizer = adam(1e-3, small, small.betas)
    assert optimizer.use_ema and optimizer.ema_momentum == 0.998


def test_averages_of_a_short_training_forget_its_first_weights():
    settings = dataclasses.replace(prior_config.get_config("small").train, ema=0.998)
    optimizer = adam(1e-3, settings, settings.betas)
    weight = keras.Variable([0.0])
    optimizer.build([weight])
    averages = []
    for step in range(300):
        weight.assign([float(step < 50)])
        optimizer.apply([tf.zeros(1)], [weight])
        averages.append(float(optimizer._model_variables_moving_average[0][0]))
    assert averages[0] == averages[49] == 1.0 and averages[-1] < 1e-6 and averages[59] > 0.1
    assert optimizer.ema_momentum == 0.998


def test_the_averages_momentum_grows_to_the_config_s():
    settings = dataclasses.replace(prior_config.get_config("small").train, ema=0.9)
    optimizer = adam(1e-3, settings, settings.betas)
    weight, expected = keras.Variable([0.0]), 0.0
    optimizer.build([weight])
    for step in range(100):
        weight.assign([float(step)])
        optimizer.apply([tf.zeros(1)], [weight])
        momentum = min(0.9, (1 + step) / (10 + step)) if step else 0.0
        expected = momentum * expected + (1 - momentum) * step
    np.testing.assert_allclose(optimizer._model_variables_moving_average[0], [expected], rtol=1e-5)
