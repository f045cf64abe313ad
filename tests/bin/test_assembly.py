"""Trainers as configs ask for them: rematerialisation, forms, arithmetic."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from configs import both as both_configs
from configs import dvae as dvae_configs
from configs import prior as prior_configs
from nwt_tf.bin.benchmarks import pace
from nwt_tf.bin.training import assembly
from nwt_tf.evaluation.sizes import matrix_flops

SEED = tf.constant([1, 2])


def changed(config, **fields):
    return dataclasses.replace(config, train=dataclasses.replace(config.train, **fields))


def prior_trainer(config):
    with assembly.devices(config.train):
        return assembly.prior_trainer(config, (2, 2), 2, 4, 1)


def prior_batch():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (2, 4, 2, 2, 2))
    mel = tf.constant(rng.normal(size=(2, 16, 80)), tf.float32)
    batch = mel, tf.constant(codes, tf.int32), tf.constant([0, -1])
    return *batch, SEED, tf.constant(0.0), tf.constant(1.0)  # no history left out, full scale


@pytest.fixture(scope="module", params=["tiny"])
def prior_config(request):
    config = prior_configs.get_config(request.param)
    pyramids = {"audio_pyramid": (4,), "style_pyramid": (4,)}
    if request.param == "tiny":
        pyramids["strides"] = (1, 1, 1)
    config.model = dataclasses.replace(config.model, **pyramids)
    return config


def test_what_does_not_fit_the_batch_is_refused(prior_config):
    with pytest.raises(ValueError, match="num_accumulated. Received: .*num_accumulated=3"):
        prior_trainer(changed(prior_config, batch_size=4, num_accumulated=3))
    frames = prior_config.train.clip_frames
    loss = dataclasses.replace(prior_config.loss, window_frames=frames + 1)
    with pytest.raises(ValueError, match=f"at most config.train.clip_frames={frames}"):
        prior_trainer(dataclasses.replace(prior_config, loss=loss))


def test_an_unknown_kind_of_prior_is_refused(prior_config):
    model = dataclasses.replace(prior_config.model, kind="xyz")
    with pytest.raises(ValueError, match="kind must be one of far, mar, har. Received: 'xyz'"):
        prior_trainer(dataclasses.replace(prior_config, model=model))


@pytest.mark.parametrize("name", assembly.LEAST)
def test_numbers_that_are_too_small_are_refused(prior_config, name):
    least = assembly.LEAST[name][0]
    with pytest.raises(ValueError, match=f"config.train.{name} must be at least {least}: "):
        prior_trainer(changed(prior_config, **{name: least - 1}))


def test_a_rematerialised_prior_lays_taps_out_again_and_gives_the_same(prior_config):
    runs = []
    for switch in (False, True):
        trainer = prior_trainer(changed(prior_config, rematerialise=switch))
        step = tf.function(trainer.losses_and_gradients)
        logs, gradients = step(*prior_batch())
        dense = [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]
        operations = step.get_concrete_function(*prior_batch()).graph.get_operations()
        taps = [each for each in operations if each.type == "ConcatV2"]
        runs.append((logs, dense, len(taps)))
    np.testing.assert_allclose(runs[0][0]["code"], runs[1][0]["code"], rtol=1e-5)
    for once, again in zip(runs[0][1], runs[1][1], strict=True):
        np.testing.assert_allclose(again, once, rtol=1e-3, atol=1e-6)
    layers = [x for x in trainer.prior._flatten_layers() if isinstance(x, assembly.LAID_OUT)]
    assert runs[1][2] == runs[0][2] + len(layers)


def test_a_training_step_has_about_three_times_the_arithmetic_of_its_forward_pass(prior_config):
    trainer = prior_trainer(prior_config)
    mel, codes, episode, seed, *_ = prior_batch()
    step = matrix_flops(trainer.losses_and_gradients, *prior_batch())
    forward = matrix_flops(lambda mel: trainer.prior(mel, codes, episode, seed)[0], mel)
    assert 2.5 < step / forward <= 3.0


def test_a_rematerialised_generator_gives_the_same_gradients():
    config = dvae_configs.get_config("tiny")
    config.critics = tuple(critic[:2] for critic in config.critics)
    video = tf.random.stateless_uniform((1, 2, 16, 8, 3), SEED, -1.0, 1.0)
    arguments = video, tf.constant([0]), SEED, tf.constant(0.5), tf.constant(1.0)
    runs, counts = [], []
    for switch in (False, True):
        with assembly.devices(config.train):
            trainer = assembly.dvae_trainer(
                changed(config, rematerialise_generator=switch), 16, 8, 1
            )
        _, gradients, _ = trainer._compiled(*arguments)
        runs.append([tf.convert_to_tensor(gradient).numpy() for gradient in gradients])
        counts.append(matrix_flops(trainer.losses_and_gradients, *arguments))
    assert counts[1] > 1.02 * counts[0]
    for once, again in zip(*runs, strict=True):
        np.testing.assert_allclose(again, once, rtol=1e-3, atol=1e-6)


def test_the_pace_of_a_training_is_measured(prior_config):
    figures = pace.measure(prior_config, pace.Data(grid=(2, 2)), steps=3, warmup=1)
    assert figures["devices"] == 1 and 0 <= figures["input_wait"] < 1
    frames = figures["steps_per_second"] * figures["batch_size"] * figures["clip_frames"]
    assert figures["frames_per_second"] == pytest.approx(frames)
    rate = figures["model_tflops"] * figures["steps_per_second"]
    assert figures["model_tflops_per_second"] == pytest.approx(rate)
    share = rate / figures["matrix_tflops_per_second"]
    assert figures["matrix_share"] == pytest.approx(share, rel=1e-3) and 0 < share < 1


def test_both_stages_of_a_name():
    config = both_configs.get_config("paper_mar")
    assert config.prior.model.kind == "mar" and config.dvae == dvae_configs.get_config("paper")
    with pytest.raises(ValueError, match="no variant 'huge'"):
        both_configs.get_config("huge")
