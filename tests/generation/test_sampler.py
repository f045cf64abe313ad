"""The compiled sampling loop against stepping in Python with the same noise."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from configs.prior import get_config
from nwt_tf.generation.sampler import Sampler
from nwt_tf.layers.hard_attention import gumbel_noise
from nwt_tf.models.far import FAR
from nwt_tf.models.prior import Conditioning

GRID, HEADS, CODES, FRAMES = (4, 3), 2, 5, 5
SEED = tf.constant([7, 8])


@pytest.fixture(scope="module")
def far():
    keras.utils.set_random_seed(0)
    arguments = dataclasses.asdict(get_config("tiny").model)
    arguments |= {"audio_pyramid": (6,), "style_pyramid": (6,)}
    del arguments["kind"]
    far = FAR(grid=GRID, num_heads=HEADS, num_codes=CODES, num_episodes=1, **arguments)
    far.build()
    for variable in far.trainable_variables:
        # Sharper than at the start of training, so that the past and the sound matter.
        if "kernel" in variable.path:
            variable.assign(2.0 * variable)
    return far


@pytest.fixture(scope="module")
def sampler(far):
    return Sampler(far)


@pytest.fixture(scope="module")
def conditioning(far):
    mel = tf.random.stateless_normal((2, 4 * FRAMES, 80), (0, 1)) * 4 - 6
    style = tf.random.stateless_normal((2, 4), (0, 2))
    return far.condition(mel, style, tf.constant([0, -1]))


def slow_sample(far, conditioning, temperature):
    """Stepping in Python; the draws are NumPy's arg max."""
    batch = conditioning.audio.shape[0]
    codes, state = -np.ones((batch, *GRID, HEADS), np.int32), far.init_state(batch)
    drawn = []
    for t in range(conditioning.audio.shape[1]):
        logits, state = far.step(codes, state, conditioning.frame(t))
        seed = tf.random.experimental.stateless_fold_in(SEED, t)
        noise = gumbel_noise(tf.shape(logits), seed)
        codes = np.argmax(logits.numpy() + temperature * noise.numpy(), axis=-1).astype(np.int32)
        drawn.append(codes)
    return np.stack(drawn, axis=1)


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_equals_stepping_in_python(far, sampler, conditioning, temperature):
    found = sampler(conditioning, SEED, temperature)
    assert found.shape == (2, FRAMES, *GRID, HEADS) and found.dtype == tf.int32
    np.testing.assert_array_equal(found, slow_sample(far, conditioning, temperature))


def test_temperature_0_takes_the_likeliest_codes_given_the_ones_taken(far, sampler, conditioning):
    codes = sampler(conditioning, SEED, 0)
    logits = far.logits(codes, conditioning)
    np.testing.assert_array_equal(codes, np.argmax(logits, axis=-1))
    np.testing.assert_array_equal(codes, sampler(conditioning, SEED + 1, 0))


def test_the_seed_decides(sampler, conditioning):
    draws = [sampler(conditioning, seed).numpy() for seed in (SEED, SEED, SEED + 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


def test_a_row_does_not_touch_the_others(sampler, conditioning):
    other = Conditioning(*(tf.concat([each[:1], each[1:] + 1.0], 0) for each in conditioning))
    before, after = sampler(conditioning, SEED).numpy(), sampler(other, SEED).numpy()
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[1] != after[1]).any()


def test_rows_of_one_conditioning_are_different_draws(sampler, conditioning):
    twins = Conditioning(*(tf.repeat(each[:1], 2, axis=0) for each in conditioning))
    codes = sampler(twins, SEED).numpy()
    assert (codes[0] != codes[1]).any()


def test_draws_follow_the_model(far, sampler, conditioning):
    """The first frame's codes against the softmax of its logits over the temperature."""
    draws, temperature = 400, 1.5
    first = Conditioning(*(each[:1] for each in conditioning))
    first = first._replace(audio=first.audio[:, :1])
    many = Conditioning(*(tf.repeat(each, draws, axis=0) for each in first))
    codes = sampler(many, SEED, temperature).numpy()
    start = -tf.ones((1, *GRID, HEADS), tf.int32)
    logits = far.step(start, far.init_state(1), first.frame(0))[0]
    expected = tf.nn.softmax(logits[0] / temperature).numpy().reshape(-1, CODES)
    share = np.stack([(codes == code).mean(axis=0).ravel() for code in range(CODES)], axis=-1)
    deviation = np.sqrt(expected * (1 - expected) / draws) + 1e-3
    assert (np.abs(share - expected) < 5 * deviation).all()


def test_another_temperature_or_length_needs_no_new_graph(far, conditioning):
    sampler = Sampler(far)
    for frames, temperature in ((5, 1.0), (4, 0.5), (3, 0.9), (2, 0.0)):
        part = Conditioning(conditioning.audio[:, :frames], *conditioning[1:])
        sampler(part, SEED, temperature)
    assert sampler._loop.experimental_get_tracing_count() <= 2
