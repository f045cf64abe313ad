"""What every prior promises: likelihood, cached drawing, conditioning, presets."""

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf import losses, presets
from nwt_tf.models import priors
from tests.models import tiny_priors
from tests.models.tiny_priors import CODES, HEADS, codes_of, conditioning_of, elements, mel_of

SEED = tf.constant([1, 2])


@pytest.fixture(scope="module", params=["far", "mar", "har"])
def prior(request):
    return tiny_priors.make(request.param)


def test_shapes(prior):
    codes = codes_of(prior, 4, batch=2)
    logits, posterior = prior(mel_of(4, batch=2), codes, tf.constant([0, -1]), SEED)
    assert logits.shape == (*codes.shape, CODES) and logits.dtype == tf.float32
    assert posterior.mean.shape == posterior.std.shape == (2, 4)
    assert prior.steps_per_frame * np.prod(prior.element_shape) == np.prod(codes.shape[2:])


class Teacher:
    """A `choose` that gives the true codes and keeps the logits that it is asked with."""

    def __init__(self, codes):
        self.codes, self.heard = codes, []

    def __call__(self, logits):
        assert logits.dtype == tf.float32
        first = sum(each.shape[-2] for each in self.heard)
        self.heard.append(logits)
        return tf.constant(self.codes[..., first : first + logits.shape[-2]])


def drawn_logits(prior, codes, conditioning):
    """Logits of every element, asked for one after another: [B, N, *element_shape, num_codes]."""
    state, before = prior.init_state(len(codes)), -np.ones_like(elements(prior, codes)[:, 0])
    found = []
    for n, true in enumerate(np.moveaxis(elements(prior, codes), 1, 0)):
        teacher = Teacher(true)
        shares = prior.at(prior.project(conditioning), tf.constant(n))
        before, state = prior.draw(tf.constant(before), state, shares, teacher)
        np.testing.assert_array_equal(before, true)
        found.append(np.concatenate(teacher.heard, axis=-2))
    return np.stack(found, axis=1)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 0.1)])
def test_cached_drawing_equals_the_full_pass_at_every_element(prior, dtype, tolerance):
    if dtype != "float32":
        prior = tiny_priors.make(type(prior).__name__.lower(), dtype)
    frames, batch = (7 if prior.steps_per_frame == 1 else 3), 2  # rings are filled, and more
    codes, conditioning = codes_of(prior, frames, batch), conditioning_of(prior, frames, batch)
    full = elements(prior, prior.logits(codes, conditioning))
    assert full.std() > 0.2  # or the tolerance would say nothing
    np.testing.assert_allclose(drawn_logits(prior, codes, conditioning), full, atol=tolerance)


def test_an_element_s_share_is_the_projection_of_its_own_conditioning(prior):
    """Activations with audio, style and episode concatenated behind them, times the kernel."""
    conditioning = conditioning_of(prior, 3, batch=2)
    shares = prior.project(conditioning)
    for n in range(3 * prior.steps_per_frame):
        frame, place = divmod(n, prior.steps_per_frame)
        where = divmod(place, prior.grid[1]) if prior.steps_per_frame > 1 else ()
        audio = conditioning.audio.numpy()[:, frame][:, *where]
        style = conditioning.style.numpy()[:, 0][:, *where]
        episode = conditioning.episode.numpy().reshape(2, *[1] * (audio.ndim - 2), -1)
        episode = np.broadcast_to(episode, (*audio.shape[:-1], episode.shape[-1]))
        for projection, share in zip(prior.projections, prior.at(shares, n), strict=True):
            activations = np.ones((*audio.shape[:-1], projection.widths[0]), np.float32)
            behind = np.concatenate([activations, audio, style, episode], axis=-1)
            expected = behind @ projection.kernel.numpy() + projection.bias.numpy()
            np.testing.assert_allclose(
                projection.combine(activations, share), expected, atol=1e-5
            )


def test_the_sound_of_an_element_moves_it_and_none_before(prior):
    """Row n has another sound where element n is conditioned."""
    count = 3 * prior.steps_per_frame
    conditioning = tiny_priors.repeated(conditioning_of(prior, 3), count)
    audio = conditioning.audio.numpy()
    # [rows, elements, ...]: FAR's sound lies on a smaller grid, but has a frame an element.
    changed = audio.reshape(count, count, *audio.shape[2 if count == 3 else 4 :])
    changed[range(count), range(count)] += 1.0
    codes = np.repeat(codes_of(prior, 3), count, axis=0)
    moved = prior.logits(codes, conditioning._replace(audio=changed.reshape(audio.shape)))
    difference = elements(prior, np.abs(moved - prior.logits(codes, conditioning)))
    found = difference.reshape(count, count, -1).max(axis=-1) > 1e-6
    np.testing.assert_array_equal(found & np.tri(count, dtype=bool), np.eye(count, dtype=bool))


def test_audio_style_and_episode_each_move_the_logits(prior):
    codes, mel = codes_of(prior, 4), mel_of(4)
    style, episode = np.float32([[0.3, -0.2, 0.1, 0.5]]), tf.constant([0])
    base = prior.logits(codes, prior.condition(mel, style, episode))
    for conditioning in (
        prior.condition(mel - 3, style, episode),
        prior.condition(mel, -style, episode),
        prior.condition(mel, style, tf.constant([1])),
        prior.condition(mel, style, tf.constant([-1])),
    ):
        assert np.abs(prior.logits(codes, conditioning) - base).max() > 1e-4


def test_the_call_samples_its_style_and_may_be_shown_another_history(prior):
    codes, mel, episode = codes_of(prior, 3), mel_of(3), tf.constant([1])
    logits, posterior = prior(mel, codes, episode, SEED)
    conditioning = prior.condition(mel, posterior.sample(SEED), episode)
    np.testing.assert_allclose(logits, prior.logits(codes, conditioning), atol=1e-5)
    history = codes_of(prior, 3, seed=1)
    shown = prior(mel, codes, episode, SEED, history)[0]
    np.testing.assert_allclose(shown, prior.logits(history, conditioning), atol=1e-5)
    assert np.abs(prior(mel, codes, episode, SEED + 1)[0] - logits).max() > 1e-4


def test_log_prob_is_the_log_softmax_of_the_given_codes(prior):
    codes, conditioning = codes_of(prior, 3), conditioning_of(prior, 3)
    logits = np.float64(prior.logits(codes, conditioning))
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    expected = np.take_along_axis(log_p, codes[..., None], axis=-1)[..., 0]
    found = prior.log_prob(tf.constant(codes), conditioning)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    cross_entropy = losses.code_cross_entropy(tf.constant(np.float32(logits)), tf.constant(codes))
    np.testing.assert_allclose(-tf.reduce_mean(found), cross_entropy, rtol=1e-5)


def test_probabilities_of_all_codes_of_an_element_sum_to_one(prior):
    """Every one of the codes^heads values of the last Memcode, with all else as it is."""
    conditioning = conditioning_of(prior, 2)
    every = np.stack(np.meshgrid(*[range(CODES)] * HEADS, indexing="ij"), axis=-1)
    every = every.reshape(-1, HEADS)
    codes = np.repeat(codes_of(prior, 2), len(every), axis=0)
    codes[:, -1, -1, -1] = every
    log_p = prior.log_prob(tf.constant(codes), tiny_priors.repeated(conditioning, len(every)))
    total = tf.reduce_sum(tf.exp(tf.reduce_sum(log_p[:, -1, -1, -1], axis=-1)))
    np.testing.assert_allclose(total, 1.0, rtol=1e-5)


def test_preset_round_trip(prior, tmp_path):
    kind = type(prior).__name__.lower()
    presets.write_config(tmp_path, prior={"kind": kind, **prior.get_config()})
    presets.write_weights(tmp_path, "prior", presets.variables_of(prior))
    loaded = priors.from_preset(tmp_path)
    assert type(loaded) is type(prior) and loaded.get_config() == prior.get_config()
    arguments = (mel_of(2), codes_of(prior, 2), tf.constant([1]), SEED)
    np.testing.assert_array_equal(loaded(*arguments)[0], prior(*arguments)[0])


def test_clips_of_one_frame(prior):
    codes, conditioning = codes_of(prior, 1), conditioning_of(prior, 1)
    logits, posterior = prior(mel_of(1), codes, tf.constant([0]), SEED)
    assert np.isfinite(logits).all() and np.isfinite(posterior.mean).all()
    full = elements(prior, prior.logits(codes, conditioning))
    np.testing.assert_allclose(drawn_logits(prior, codes, conditioning), full, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, "num_heads must be at least 1. Received: num_heads=0"),
        ({"num_codes": 1}, "num_codes must be at least 2. Received: num_codes=1"),
        ({"num_episodes": -1}, "num_episodes must be at least 0. Received: num_episodes=-1"),
        ({"grid": (0, 0)}, r"grid must be at least 1. Received: grid=\(0, 0\)|must have . levels"),
        ({"style_dim": 0}, "style_dim must be at least 1. Received: style_dim=0"),
        ({"audio_widths": (8,) * 6 + (0,)}, r"audio_widths must be at least 1. Received: .*, 0\)"),
        ({"audio_widths": (8, 8)}, r"audio_widths must be 7 widths. Received: .*=\(8, 8\)"),
        ({"audio_widths": 8}, "audio_widths must be 7 widths. Received: audio_widths=8"),
        ({"style_widths": (8, 8, 8)}, r"style_widths must be 4 widths. Received: .*=\(8, 8, 8\)"),
        ({"grid": (4, 3, 2)}, r"grid must be 2 sizes.*Received: grid=\(4, 3, 2\)"),
    ],
)
def test_impossible_sizes_are_refused(prior, arguments, message):
    with pytest.raises(ValueError, match=message):
        type(prior)(**(prior.get_config() | arguments))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mel": mel_of(4)}, "mel must have 4 frames for each .* mel of 16 frames for codes of 3"),
        ({"mel": mel_of(3)[:, :10]}, r"mel .*mel of 10 frames for codes of 3"),
        ({"mel": mel_of(3)[..., :40]}, r"mel must be \[B, 4 T, 80\].*shape \(1, 12, 40\)"),
        ({"episode": [2]}, r"episode must lie in \[-1, 1\]. Received: episode from 2 to 2"),
        ({"episode": [-2]}, "episode must lie .* from -2 to -2"),
        ({"episode": [[0]]}, r"episode must be \[B\].*shape \(1, 1\)"),
        ({"episode": [0.5]}, "episode must be integers.*float32"),
        ({"frames": 0}, r"codes must be .* at least one frame.*shape \(1, 0, "),
        ({"codes": np.zeros((1, 3, 9, 9, HEADS), np.int32)}, r"codes must be .*\(1, 3, 9, 9, 3\)"),
        ({"add": CODES}, r"codes must lie in \[0, 4\]. Received: codes from 5 to 9"),
        ({"add": 0.0}, "codes must be integers. Received: codes of dtype float"),
    ],
)
def test_bad_input_of_the_call_is_refused(prior, changes, message):
    frames = changes.get("frames", 3)
    codes = changes.get("codes", codes_of(prior, frames)) + changes.get("add", 0)
    mel, episode = changes.get("mel", mel_of(frames)), tf.constant(changes.get("episode", [0]))
    with pytest.raises(ValueError, match=message) as refusal:
        prior(mel, codes, episode, SEED)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("mel", "style", "episode", "message"),
    [
        (mel_of(0), 4, 0, r"mel must be \[B, 4 T, 80\] with at least one .*shape \(1, 0, 80\)"),
        (mel_of(2)[:, :7], 4, 0, r"mel must be .*\(1, 7, 80\)"),
        (mel_of(2)[0], 4, 0, r"mel must be .*\(8, 80\)"),
        (mel_of(2) * np.nan, 4, 0, "mel must be finite. Received: mel with 640 of 640 values"),
        (np.int32(mel_of(2)), 4, 0, "mel must be float. Received: mel of dtype int32"),
        (mel_of(2), 5, 0, r"style must be \[B, 4\]. Received: style of shape \(1, 5\)"),
        (mel_of(2), 4, 2, r"episode must lie in \[-1, 1\]"),
    ],
)
def test_bad_conditioning_is_refused(prior, mel, style, episode, message):
    with pytest.raises(ValueError, match=message):
        prior.condition(mel, np.zeros((1, style), np.float32), np.int32([episode]))


def test_batches_that_differ_are_refused(prior):
    codes, episode = codes_of(prior, 2, batch=2), np.zeros(2, np.int32)
    for mels in (1, 3):
        with pytest.raises(ValueError, match=f"mel must be one a clip.* of {mels} clips for 2"):
            prior(mel_of(2, mels), codes, episode, SEED)
    style, mel = np.zeros((2, 4), np.float32), mel_of(2, 2)
    with pytest.raises(ValueError, match="episode must be one a clip.* of 3 clips for 2"):
        prior.condition(mel, style, np.zeros(3, np.int32))
    with pytest.raises(ValueError, match="style must be one a clip.* of 2 clips for 3"):
        prior.condition(mel_of(2, 3), style, episode[:1])
    one = prior.condition(mel, style[:1], episode[:1])  # of all clips
    np.testing.assert_allclose(
        prior.log_prob(codes, one),
        prior.log_prob(codes, prior.condition(mel, style, episode)),
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("frames", "add", "message"),
    [
        (3, 0, "conditioning.audio must have 1 frames .* of 2 frames for codes of 3"),
        (2, CODES, r"codes must lie in \[0, 4\]. Received: codes from 5 to 9"),
        (2, -9, r"codes must lie in \[0, 4\]"),
    ],
)
def test_a_likelihood_is_of_codes_that_there_are(prior, frames, add, message):
    with pytest.raises(ValueError, match=message):
        prior.log_prob(codes_of(prior, frames) + add, conditioning_of(prior, 2))


def test_a_history_is_like_the_codes(prior):
    codes, episode = codes_of(prior, 3), np.zeros(1, np.int32)
    prior(mel_of(3), codes, episode, SEED, history=-np.ones_like(codes))
    for history, message in (
        (codes[:, :2], r"history must be like the codes.*Received: history of shape \(1, 2, "),
        (codes - 9, r"history must lie in \[-1, 4\]"),
        (np.float32(codes), "history must be integers"),
    ):
        with pytest.raises(ValueError, match=message):
            prior(mel_of(3), codes, episode, SEED, history=history)


@pytest.mark.parametrize("seed", [3, [1, 2, 3], [0.5, 1.0]])
def test_a_seed_is_two_integers(prior, seed):
    with pytest.raises(ValueError, match=r"seed must be int \[2\]. Received: seed of "):
        prior(mel_of(3), codes_of(prior, 3), np.zeros(1, np.int32), np.array(seed))


def test_lengths_that_differ_are_refused_while_tracing(prior):
    with pytest.raises(ValueError, match="mel of 16 frames for codes of 3"):
        tf.function(prior.call)(mel_of(4), codes_of(prior, 3), tf.constant([0]), SEED)
