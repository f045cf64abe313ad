"""The compiled sampling loop against a slow one in Python, with the same noise."""

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf import presets
from nwt_tf.generation.choice import Options, frame_noise, row_seeds
from nwt_tf.generation.sampler import Sampler
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


def slow_sample(prior, conditioning, temperature, guidance=1.0):
    """The whole clip's logits anew for each choice, no cache; the draws are NumPy's arg max.
    Guidance runs the whole prior a second time, with features of zeros for the sound.

    FAR chooses a frame and MAR a Memcode at once, HAR a head after the other.
    """
    full = tf.function(prior.logits)
    batch, frames = conditioning.audio.shape[:2]
    deaf = conditioning._replace(audio=tf.zeros_like(conditioning.audio))
    codes = np.zeros((batch, frames, *prior.grid, HEADS), np.int32)
    sequence = codes.reshape(batch, -1, *prior.element_shape)  # the same memory
    noise = frame_noise(row_seeds(SEED, batch), tf.constant(0), frames, (*prior.grid, HEADS, CODES))
    noise = noise.numpy().reshape(*sequence.shape, CODES)
    by_head = type(prior).__name__ == "HAR"
    turns = [slice(k, k + 1) for k in range(HEADS)] if by_head else [slice(None)]
    for n in range(frames * prior.steps_per_frame):
        for heads in turns:
            logits = full(tf.constant(codes), conditioning).numpy()
            if guidance != 1.0:
                untold = full(tf.constant(codes), deaf).numpy()
                logits = logits + (np.float32(guidance) - 1) * (logits - untold)
            logits = logits.reshape(*sequence.shape, CODES)[:, n][..., heads, :]
            perturbed = logits + temperature * noise[:, n][..., heads, :]
            sequence[:, n][..., heads] = np.argmax(perturbed, axis=-1)
    return codes


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_equals_a_slow_loop_without_a_cache(prior, sampler, conditioning, temperature):
    found = sampler(conditioning, SEED, temperature)
    assert found.shape == (2, FRAMES, *prior.grid, HEADS) and found.dtype == tf.int32
    np.testing.assert_array_equal(found, slow_sample(prior, conditioning, temperature))


@pytest.mark.parametrize(("guidance", "temperature"), [(3.0, 0.7), (2.0, 0.0), (0.5, 0.7)])
def test_guidance_equals_a_slow_loop_that_runs_the_prior_twice(
    prior, sampler, conditioning, guidance, temperature
):
    found = sampler(conditioning, SEED, temperature, guidance=guidance)
    np.testing.assert_array_equal(found, slow_sample(prior, conditioning, temperature, guidance))
    assert (found != sampler(conditioning, SEED, temperature)).numpy().any()


def test_guidance_1_is_none_and_0_does_not_hear(sampler, conditioning):
    plain = sampler(conditioning, SEED)
    np.testing.assert_array_equal(sampler(conditioning, SEED, guidance=1.0), plain)
    other = conditioning._replace(audio=tf.reverse(conditioning.audio, [1]))
    deaf = [sampler(heard, SEED, guidance=0.0) for heard in (conditioning, other)]
    np.testing.assert_array_equal(*deaf)
    np.testing.assert_array_equal(deaf[0], sampler(conditioning.untold(), SEED))


def test_a_state_keeps_to_its_guidance(sampler, conditioning):
    for guided, options in ((False, Options(guidance=2.0)), (True, Options())):
        state = sampler.start(row_seeds(SEED, 2), guided)
        with pytest.raises(ValueError, match="without guidance goes on without.*Received: gui"):
            sampler.chunk(conditioning, state, tf.constant(FRAMES), options)


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
    before = sampler._chunk.experimental_get_tracing_count()
    for frames, temperature in ((4, 1.0), (3, 0.5), (2, 0.9), (1, 0.0)):
        part = conditioning._replace(audio=conditioning.audio[:, :frames])
        sampler(part, SEED, temperature)
    assert sampler._chunk.experimental_get_tracing_count() <= before + 1  # of any length
    sampler(conditioning, SEED, guidance=1.5)
    before = sampler._chunk.experimental_get_tracing_count()
    sampler(conditioning, SEED, guidance=2.5)
    assert sampler._chunk.experimental_get_tracing_count() == before


def chunked(sampler, conditioning, size, options=None):
    """The codes drawn in chunks of `size` frames, the last of them filled up with zeros."""
    frames = conditioning.audio.shape[1]
    options = options or Options()
    state, drawn = sampler.start(row_seeds(SEED, 2), options.guided), []
    for first in range(0, frames, size):
        audio = conditioning.audio[:, first : first + size]
        count = audio.shape[1]
        audio = tf.pad(audio, [(0, 0), (0, size - count), *[(0, 0)] * 3])
        part = conditioning._replace(audio=audio)
        codes, state = sampler.chunk(part, state, tf.constant(count), options)
        assert codes.shape[1] == size
        drawn.append(codes[:, :count])
    assert int(state.frame) == frames
    return tf.concat(drawn, axis=1)


@pytest.mark.parametrize(("size", "guidance"), [(1, 1.0), (3, 1.0), (5, 1.0), (3, 2.5)])
def test_chunks_of_any_size_draw_the_same_codes(sampler, conditioning, size, guidance):
    whole = sampler(conditioning, SEED, guidance=guidance)
    found = chunked(sampler, conditioning, size, Options(guidance=guidance))
    np.testing.assert_array_equal(found, whole)


@pytest.mark.parametrize("guidance", [1.0, 2.5])
def test_a_row_of_a_batch_is_a_batch_of_one_with_its_seed(sampler, conditioning, guidance):
    whole = sampler(conditioning, SEED, guidance=guidance).numpy()
    for row in range(2):
        alone = Conditioning(*(each[row : row + 1] for each in conditioning))
        found = sampler(alone, SEED + [0, row], guidance=guidance)
        np.testing.assert_array_equal(found[0], whole[row])


@pytest.mark.parametrize("guidance", [1.0, 2.5])
def test_computing_more_rows_than_asked_changes_nothing(prior, sampler, conditioning, guidance):
    padded = Sampler(prior, rows=5)
    draws = [each(conditioning, SEED, guidance=guidance) for each in (padded, sampler)]
    np.testing.assert_array_equal(*draws)


@pytest.mark.parametrize("guidance", [1.0, 2.5])
def test_xla_draws_the_same_codes(prior, sampler, conditioning, guidance):
    compiled = Sampler(prior, jit_compile=True)
    part = conditioning._replace(audio=conditioning.audio[:, :2])
    draws = [each(part, SEED, guidance=guidance) for each in (compiled, sampler)]
    np.testing.assert_array_equal(*draws)


def test_top_k_1_takes_the_likeliest_codes(sampler, conditioning):
    likeliest = sampler(conditioning, SEED, 0)
    np.testing.assert_array_equal(sampler(conditioning, SEED, 1.0, top_k=1), likeliest)
    np.testing.assert_array_equal(sampler(conditioning, SEED, 1.0, top_p=1e-6), likeliest)
    assert (sampler(conditioning, SEED, 1.0, top_k=2) != likeliest).numpy().any()


def test_weights_of_bfloat16_draw(prior):
    """The whole prior in bfloat16: most codes are those of float32, until a draw differs."""
    kind = type(prior).__name__.lower()
    rounded = tiny_priors.make(kind, dtype="bfloat16")
    presets.assign(rounded, presets.variables_of(prior), "float32")
    assert {variable.dtype for variable in rounded.projections[0].variables} == {"bfloat16"}
    mel, style = tiny_priors.mel_of(3), np.float32([[0.1, 0.2, -0.3, 0.4]])
    draws = [
        Sampler(each)(each.condition(mel, style, tf.constant([0])), SEED, 0).numpy()
        for each in (prior, rounded)
    ]
    assert draws[1].min() >= 0 and draws[1].max() < CODES
    assert (draws[0] == draws[1])[:, 0].mean() > 0.8


def test_options_out_of_range_are_refused(sampler, conditioning):
    with pytest.raises(ValueError, match="top_k must be"):
        sampler(conditioning, SEED, top_k=-1)
    with pytest.raises(ValueError, match="guidance must be at least 0. Received: -0.5"):
        sampler(conditioning, SEED, guidance=-0.5)
