"""FAR: what a logit depends on, cached stepping, likelihood, conditioning, gradients."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from configs.prior import get_config
from nwt_tf import losses
from nwt_tf.models.far import FAR
from nwt_tf.models.prior import Conditioning

GRID, HEADS, CODES = (8, 7), 3, 5
SEED = tf.constant([1, 2])


@pytest.fixture(scope="module")
def far():
    return tiny_far()


def tiny_far(dtype="float32"):
    keras.utils.set_random_seed(0)
    arguments = dataclasses.asdict(get_config("tiny").model)
    assert arguments.pop("kind") == "far"
    far = FAR(grid=GRID, num_heads=HEADS, num_codes=CODES, num_episodes=2, dtype=dtype, **arguments)
    far.build()
    for variable in far.trainable_variables:
        # Mish halves small values: at their first scale some paths hardly show in float32.
        if "kernel" in variable.path:
            variable.assign(1.6 * variable)
    return far


def codes_of(frames, batch=1, seed=0):
    shape = (batch, frames, *GRID, HEADS)
    return np.random.default_rng(seed).integers(0, CODES, shape).astype(np.int32)


def conditioning_of(far, frames, batch=1, seed=0):
    rng = np.random.default_rng(seed)
    mel = rng.normal(size=(batch, 4 * frames, 80)) * 4 - 6
    style = rng.normal(size=(batch, far.style_dim))
    return far.condition(np.float32(mel), np.float32(style), tf.constant([0] * batch))


def test_shapes(far):
    codes = codes_of(4, batch=2)
    mel = tf.zeros((2, 16, 80))
    logits, posterior = far(mel, codes, tf.constant([0, -1]), SEED)
    assert logits.shape == (2, 4, *GRID, HEADS, CODES) and logits.dtype == tf.float32
    assert posterior.mean.shape == posterior.std.shape == (2, 4)


def test_a_logit_depends_on_the_27_frames_before_it_and_on_no_other(far):
    """C.2.2. Row s has other codes in frame s: where do logits differ from the untouched rows'?"""
    frames = 30
    codes = np.repeat(codes_of(frames), frames, axis=0)
    changed = codes.copy()
    changed[range(frames), range(frames)] = (codes[0] + 1) % CODES
    conditioning = conditioning_of(far, frames)
    conditioning = Conditioning(*(tf.repeat(each, frames, axis=0) for each in conditioning))
    difference = np.abs(far.logits(changed, conditioning) - far.logits(codes, conditioning))
    found = difference.max(axis=(2, 3, 4, 5)) > 0  # [changed frame, logits' frame]
    expected = [[s < t <= s + 27 for t in range(frames)] for s in range(frames)]
    np.testing.assert_array_equal(found, expected)


def test_no_gradient_flows_to_the_frame_itself_or_later_ones(far):
    frames = 5
    embedded = tf.Variable(tf.random.stateless_normal((frames, *GRID, HEADS * 4), (0, 1)))
    conditioning = conditioning_of(far, frames)

    class Shown:  # stands in for the embedding of the frames that the decoder is shown
        def __call__(self, codes):
            return tf.identity(embedded)

    embedding = far.embedding
    try:
        object.__setattr__(far, "embedding", Shown())
        for t in range(frames):
            with tf.GradientTape() as tape:
                logits = far.logits(tf.constant(codes_of(frames)), conditioning)
                total = tf.reduce_sum(tf.square(logits[:, t]))
            slopes = tape.gradient(total, embedded).numpy()
            reached = np.abs(slopes).max(axis=(1, 2, 3)) > 0
            # Place k of the decoder's input holds frame k - 1.
            np.testing.assert_array_equal(reached, np.arange(frames) <= t)
    finally:
        object.__setattr__(far, "embedding", embedding)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 0.1)])
def test_cached_stepping_equals_the_full_pass(far, dtype, tolerance):
    model = far if dtype == "float32" else tiny_far(dtype)
    frames, batch = 7, 2
    codes, conditioning = codes_of(frames, batch), conditioning_of(model, frames, batch)
    full = model.logits(codes, conditioning)
    state, before = model.init_state(batch), -np.ones_like(codes[:, 0])
    for t in range(frames):
        logits, state = model.step(before, state, conditioning.frame(t))
        assert logits.dtype == tf.float32
        np.testing.assert_allclose(logits, full[:, t], atol=tolerance)
        before = codes[:, t]


def test_history_of_the_state_is_26_frames_in_all(far):
    assert sum(each.shape[1] for each in far.init_state(1)) == 26


def test_log_prob_is_the_log_softmax_of_the_given_codes(far):
    codes, conditioning = codes_of(3), conditioning_of(far, 3)
    logits = np.float64(far.logits(codes, conditioning))
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    expected = np.zeros(codes.shape)
    for place in np.ndindex(*codes.shape):
        expected[place] = log_p[place][codes[place]]
    found = far.log_prob(tf.constant(codes), conditioning)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    cross_entropy = losses.code_cross_entropy(tf.constant(np.float32(logits)), tf.constant(codes))
    np.testing.assert_allclose(-tf.reduce_mean(found), cross_entropy, rtol=1e-5)


def test_audio_style_and_episode_each_move_the_logits(far):
    codes = codes_of(4)
    mel = np.float32(np.random.default_rng(0).normal(size=(1, 16, 80)))
    style = np.float32([[0.3, -0.2, 0.1, 0.5]])
    mute, other_style, episode = mel - 3, -style, tf.constant([0])
    base = far.logits(codes, far.condition(mel, style, episode))
    for conditioning in (
        far.condition(mute, style, episode),
        far.condition(mel, other_style, episode),
        far.condition(mel, style, tf.constant([1])),
        far.condition(mel, style, tf.constant([-1])),
    ):
        assert np.abs(far.logits(codes, conditioning) - base).max() > 1e-4


def test_the_call_samples_its_style_and_may_be_shown_another_history(far):
    codes, mel, episode = codes_of(3), tf.zeros((1, 12, 80)), tf.constant([1])
    logits, posterior = far(mel, codes, episode, SEED)
    conditioning = far.condition(mel, posterior.sample(SEED), episode)
    np.testing.assert_allclose(logits, far.logits(codes, conditioning), atol=1e-6)
    history = codes_of(3, seed=1)
    shown = far(mel, codes, episode, SEED, history)[0]
    np.testing.assert_allclose(shown, far.logits(history, conditioning), atol=1e-6)
    assert np.abs(far(mel, codes, episode, SEED + 1)[0] - logits).max() > 1e-4


def test_gradient_reaches_every_weight(far):
    codes = tf.constant(codes_of(12, batch=2))
    mel = tf.random.stateless_normal((2, 48, 80), (0, 1)) * 4 - 6
    with tf.GradientTape() as tape:
        logits, posterior = far(mel, codes, tf.constant([0, -1]), SEED)
        loss = losses.code_cross_entropy(logits, codes)
        loss += 1e-3 * losses.style_kl(posterior.mean, posterior.std)
    gradients = tape.gradient(loss, far.trainable_variables)
    for variable, gradient in zip(far.trainable_variables, gradients, strict=True):
        values = tf.convert_to_tensor(gradient).numpy()  # embeddings have sparse gradients
        assert np.isfinite(values).all() and np.abs(values).max() > 0, variable.path


def test_dynamic_batch_and_time(far):
    frames = far.logits(codes_of(3, 2), conditioning_of(far, 3, 2))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, *GRID, HEADS], tf.int32),
            Conditioning(
                tf.TensorSpec([None, None, 4, 4, 8]),
                tf.TensorSpec([None, 1, 4, 4, 8]),
                tf.TensorSpec([None, 4]),
            ),
        ]
    )
    def graph(codes, conditioning):
        return far.logits(codes, conditioning)

    found = graph(codes_of(3, 2), conditioning_of(far, 3, 2))
    np.testing.assert_allclose(found, frames, atol=1e-5)


def test_config_round_trip(far):
    copy = FAR.from_config(far.get_config())
    copy.build()
    copy.set_weights(far.get_weights())
    codes, conditioning = codes_of(2), conditioning_of(far, 2)
    np.testing.assert_array_equal(copy.logits(codes, conditioning), far.logits(codes, conditioning))
    assert copy.get_config() == far.get_config()


@pytest.mark.parametrize("name", ["audio_pyramid", "style_pyramid"])
def test_a_pyramid_that_does_not_meet_the_grid_is_refused(name):
    with pytest.raises(ValueError, match=rf"{name} must have levels up to 4x4.*\(256,\)"):
        FAR(**{name: (256,)})
