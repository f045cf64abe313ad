"""The compiled sampling loop against a slow one in Python, with the same noise."""

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.generation.sampler import Sampler
from nwt_tf.layers.hard_attention import gumbel_noise
from nwt_tf.models.prior import Conditioning
from tests.models import tiny_priors
from tests.models.tiny_priors import CODES, HEADS

FRAMES = 4
SEED = tf.constant([7, 8])


@pytest.fixture(scope="module", params=["far", "mar", "har"])
def prior(request):
    return tiny_priors.make(request.param)


@pytest.fixture(scope="module")
def sampler(prior):
    return Sampler(prior)


@pytest.fixture(scope="module")
def conditioning(prior):
    mel = tf.random.stateless_normal((2, 4 * FRAMES, 80), (0, 1)) * 4 - 6
    style = tf.random.stateless_normal((2, 4), (0, 2))
    return prior.condition(mel, style, tf.constant([0, -1]))


def slow_sample(prior, conditioning, temperature):
    """The whole clip's logits anew for each choice, no cache; the draws are NumPy's arg max.

    FAR chooses a frame and MAR a Memcode at once, HAR a head after the other.
    """
    full = tf.function(prior.logits)
    batch, frames = conditioning.audio.shape[:2]
    codes = np.zeros((batch, frames, *prior.grid, HEADS), np.int32)
    sequence = codes.reshape(batch, -1, *prior.element_shape)  # the same memory
    by_head = type(prior).__name__ == "HAR"
    turns = [slice(k, k + 1) for k in range(HEADS)] if by_head else [slice(None)]
    for n in range(frames * prior.steps_per_frame):
        seed = tf.random.experimental.stateless_fold_in(SEED, n)
        for turn, heads in enumerate(turns):
            logits = full(tf.constant(codes), conditioning).numpy()
            logits = logits.reshape(*sequence.shape, CODES)[:, n][..., heads, :]
            own_seed = tf.random.experimental.stateless_fold_in(seed, turn)
            noise = gumbel_noise(logits.shape, own_seed).numpy()
            sequence[:, n][..., heads] = np.argmax(logits + temperature * noise, axis=-1)
    return codes


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_equals_a_slow_loop_without_a_cache(prior, sampler, conditioning, temperature):
    found = sampler(conditioning, SEED, temperature)
    assert found.shape == (2, FRAMES, *prior.grid, HEADS) and found.dtype == tf.int32
    np.testing.assert_array_equal(found, slow_sample(prior, conditioning, temperature))


def test_temperature_0_takes_the_likeliest_codes_given_the_ones_taken(prior, sampler, conditioning):
    codes = sampler(conditioning, SEED, 0)
    logits = prior.logits(codes, conditioning)
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


def test_draws_follow_the_model(prior, sampler, conditioning):
    """The first Memcode's codes against the softmax of their logits over the temperature; heads
    that see others before them, against their conditional on the draws of those."""
    draws, temperature = 400, 1.5
    first = Conditioning(*(each[:1] for each in conditioning))
    many = tiny_priors.repeated(first._replace(audio=first.audio[:, :1]), draws)
    codes = sampler(many, SEED, temperature)
    logits = prior.logits(codes, many)[:, 0, 0, 0]  # [draws, heads, num_codes]
    chances = tf.nn.softmax(logits / temperature).numpy()
    expected = chances.mean(axis=0)
    share = np.stack([(codes[:, 0, 0, 0] == code).numpy().mean(axis=0) for code in range(CODES)])
    deviation = np.sqrt((chances * (1 - chances)).mean(axis=0) / draws) + 1e-3
    assert (np.abs(share.T - expected) < 5 * deviation).all()


def test_clips_of_one_frame(prior, sampler, conditioning):
    one = conditioning._replace(audio=conditioning.audio[:, :1])
    found = sampler(one, SEED)
    assert found.shape == (2, 1, *prior.grid, HEADS)
    # Conditioning of later frames has no say in it.
    np.testing.assert_array_equal(found, sampler(conditioning, SEED)[:, :1])


def test_another_temperature_or_length_needs_no_new_graph(sampler, conditioning):
    sampler(conditioning, SEED)
    before = sampler._loop.experimental_get_tracing_count()
    for frames, temperature in ((4, 1.0), (3, 0.5), (2, 0.9), (1, 0.0)):
        part = conditioning._replace(audio=conditioning.audio[:, :frames])
        sampler(part, SEED, temperature)
    assert sampler._loop.experimental_get_tracing_count() <= before + 1  # of any length
