"""Parallel sampling draws the codes of sequential sampling, in fewer passes where it guesses."""

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.generation import parallel
from nwt_tf.generation.choice import Options, row_seeds
from nwt_tf.generation.parallel import ParallelSampler, sampler_of
from nwt_tf.generation.sampler import Sampler
from tests.generation import tiny_task
from tests.models import tiny_priors

FRAMES = 5
SEED = tf.constant([7, 8])


@pytest.fixture(scope="module", params=["mar", "har"])
def prior(request):
    return tiny_priors.make(request.param)


@pytest.fixture(scope="module")
def conditioning(prior):
    return tiny_priors.conditioning_of(prior, FRAMES, batch=2)


@pytest.fixture(scope="module")
def expected(prior, conditioning):
    return Sampler(prior)(conditioning, SEED).numpy()


@pytest.mark.parametrize("block", [None, 3, 1])
def test_codes_are_those_of_sequential_sampling(prior, conditioning, expected, block):
    found = ParallelSampler(prior, block=block)(conditioning, SEED)
    np.testing.assert_array_equal(found, expected)


def test_options_are_those_of_sequential_sampling(prior, conditioning):
    for options in (
        {"temperature": 0.0},
        {"temperature": 0.8, "top_k": 3, "top_p": 0.9},
        {"guidance": 2.5},
    ):
        np.testing.assert_array_equal(
            ParallelSampler(prior)(conditioning, SEED, **options),
            Sampler(prior)(conditioning, SEED, **options),
        )


def test_chunks_go_on_from_either_sampler_s_state(prior, conditioning, expected):
    """The state is the same one, so that samplers may take turns."""
    samplers = (Sampler(prior), ParallelSampler(prior))
    for order in (samplers, samplers[::-1]):
        state, found = samplers[0].start(row_seeds(SEED, 2)), []
        for first, count, sampler in ((0, 2, order[0]), (2, 3, order[1])):
            part = conditioning._replace(audio=conditioning.audio[:, first : first + count])
            codes, state = sampler.chunk(part, state, tf.constant(count), Options())
            found.append(codes)
        np.testing.assert_array_equal(np.concatenate(found, axis=1), expected)


def test_xla_draws_the_same_codes(conditioning, prior, expected):
    found = ParallelSampler(prior, jit_compile=True)(conditioning, SEED)
    np.testing.assert_array_equal(found, expected)


def test_a_clip_that_stands_still_takes_two_passes_a_frame():
    """Logits that do not look at the codes: the first pass finds a frame, the second agrees; with
    temperature 0 later frames are guessed right at once."""
    prior = tiny_priors.make("mar")
    for variable in prior.embedding.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    conditioning = tiny_priors.conditioning_of(prior, 1)
    still = conditioning._replace(audio=tf.repeat(conditioning.audio, FRAMES, axis=1))
    sampler = ParallelSampler(prior)
    state = sampler.start(row_seeds(SEED, 1))
    codes, state = sampler.chunk(still, state, tf.constant(FRAMES), Options(temperature=0.0))
    # The convolutions' zeros before the clip make its first frames differ.
    assert int(state.passes) < 2 * FRAMES + 2
    plain = Sampler(prior)
    expected, after = plain.chunk(
        still, plain.start(row_seeds(SEED, 1)), tf.constant(FRAMES), Options(temperature=0.0)
    )
    np.testing.assert_array_equal(codes, expected)
    assert int(after.passes) == FRAMES * prior.steps_per_frame


def test_passes_are_counted_and_never_more_than_one_a_memcode_and_block(prior, conditioning):
    sampler = ParallelSampler(prior)
    _, state = sampler.chunk(
        conditioning, sampler.start(row_seeds(SEED, 2)), tf.constant(FRAMES), Options()
    )
    assert FRAMES <= int(state.passes) <= FRAMES * (prior.steps_per_frame + 1) * 3


def test_the_task_samples_as_it_is_told():
    waveform = tiny_task.noise(0.6)
    expected = tiny_task.make("tiny_mar", chunk_frames=4).codes(waveform, seed=1)
    for sampling in ("parallel", "auto"):
        task = tiny_task.make("tiny_mar", chunk_frames=4, sampling=sampling)
        session = task.session(seed=1)
        np.testing.assert_array_equal(session.codes(waveform), expected)
        assert session.statistics()["memcodes_per_pass"] >= 0.9
    assert set(task.sampler.seconds) == {"sequential", "parallel"}


def test_what_cannot_sample_in_parallel_is_refused():
    far = tiny_priors.make("far")
    with pytest.raises(ValueError, match="FAR draws a frame at once"):
        sampler_of(far, "parallel")
    assert type(sampler_of(far, "auto")) is Sampler
    with pytest.raises(ValueError, match="sampling must be one of sequential, parallel, auto"):
        sampler_of(far, "fast")
    with pytest.raises(ValueError, match="block must divide the 6 Memcodes"):
        parallel.ParallelSampler(tiny_priors.make("mar"), block=4)
