"""The priors' audio and style encoders."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.models.audio_encoder import AudioEncoder
from nwt_tf.models.style_encoder import StyleEncoder, StylePosterior, StylePyramid

FRAMES = 45


def test_audio_becomes_a_grid_a_video_frame():
    encoder = AudioEncoder((8,) * 7, (6, 5))
    assert encoder(tf.zeros((2, 4 * FRAMES, 80))).shape == (2, FRAMES, 4, 4, 5)


def test_audio_features_look_around_their_frame_in_both_directions():
    """Six dilated Conv1D reach 17 frames to each side, the pyramid's six SC3D another 6."""
    encoder = AudioEncoder((8,) * 7, (6, 5))
    mel = np.float32(np.random.default_rng(0).normal(size=(1, 4 * (2 * 24 + 7), 80)))
    changed = mel.copy()
    changed[:, 4 * 27 : 4 * 28] += 30.0
    moved = np.abs(encoder(changed) - encoder(mel)).max(axis=(0, 2, 3, 4)) > 0
    reached = np.flatnonzero(moved)
    assert 27 in reached and reached.min() < 20 and reached.max() > 34
    assert reached.min() >= 27 - 23 and reached.max() <= 27 + 23


def test_mel_is_scaled_before_it_is_rounded():
    """Near -11.5, silence, bfloat16 has steps of 1/16; what normalises is measured on whole mel."""
    encoder = AudioEncoder((8,) * 7, (6, 5), dtype="mixed_bfloat16")
    mel = np.float32(np.random.default_rng(0).uniform(-11.5, -9.0, (1, 4 * FRAMES, 80)))
    heard = tf.cast(encoder(mel), tf.float32)
    assert np.all(heard == tf.cast(encoder._features(tf.constant(mel)), tf.float32))
    rounded = tf.cast(tf.cast(mel, tf.bfloat16), tf.float32)
    assert np.any(heard != tf.cast(encoder(rounded), tf.float32))


@pytest.fixture(scope="module")
def style_encoder():
    return StyleEncoder(5, 4, "concat", (8, 8), (6, 6, 6, 6), 3)


@pytest.mark.parametrize("frames", [1, 7])
def test_style_of_clips_of_any_length(style_encoder, frames):
    codes = np.random.default_rng(0).integers(0, 5, (2, frames, 8, 7, 2)).astype(np.int32)
    posterior = style_encoder(codes)
    assert posterior.mean.shape == posterior.std.shape == (2, 3)
    assert posterior.std.numpy().min() >= np.exp(-4.0)  # C.2.2
    assert np.abs(posterior.mean[0] - posterior.mean[1]).max() > 1e-5


def test_the_posterior_s_std_never_falls_below_exp_minus_4(style_encoder):
    codes = tf.zeros((1, 2, 8, 7, 2), tf.int32)
    style_encoder(codes)
    bias = style_encoder.posterior.bias
    before = bias.numpy()
    bias.assign(before - 100.0)
    np.testing.assert_allclose(style_encoder(codes).std, np.exp(-4.0), rtol=1e-6)
    bias.assign(before)


def test_draws_have_the_posterior_s_moments():
    mean, std = tf.constant([[1.0, -2.0]]), tf.constant([[0.5, 2.0]])
    posterior = StylePosterior(tf.repeat(mean, 20_000, 0), tf.repeat(std, 20_000, 0))
    drawn = posterior.sample(tf.constant([1, 2])).numpy()
    np.testing.assert_allclose(drawn.mean(axis=0), mean[0], atol=0.07)
    np.testing.assert_allclose(drawn.std(axis=0), std[0], rtol=0.03)
    np.testing.assert_array_equal(drawn, posterior.sample(tf.constant([1, 2])))


def test_style_grid_is_one_for_all_frames():
    pyramid = StylePyramid((6, 5))
    style = tf.random.stateless_normal((2, 3), (0, 1))
    grid = pyramid(style)
    assert grid.shape == (2, 1, 4, 4, 5)
    assert np.abs(grid[0] - grid[1]).max() > 1e-4


@pytest.mark.parametrize("causal", [False, True])
def test_audio_features_reach_as_far_as_the_context_says(causal):
    """By gradients: frames outside of `context` have exactly none, those at its ends have some."""
    encoder = AudioEncoder((4,) * 7, (3,), causal=causal)
    before, after = encoder.context
    assert (before, after) == ((40, 0) if causal else (20, 20))
    frames, at = before + after + 9, before + 4
    mel = tf.random.stateless_normal((1, 4 * frames, 80), (0, 1)) * 4
    with tf.GradientTape() as tape:
        tape.watch(mel)
        total = tf.reduce_sum(tf.square(encoder(mel)[:, at]))
    slopes = np.abs(tape.gradient(total, mel)).reshape(frames, -1).max(axis=1) > 0
    assert slopes[at - before] and slopes[at + after]
    assert not slopes[: at - before].any() and not slopes[at + after + 1 :].any()


def test_a_window_masked_at_the_clip_s_ends_hears_the_clip():
    encoder = AudioEncoder((4,) * 7, (3, 2))
    before, after = encoder.context
    mel = np.float32(np.random.default_rng(0).normal(size=(1, 4 * 10, 80)) * 4 - 6)
    window = np.pad(mel, [(0, 0), (4 * before, 4 * after), (0, 0)], constant_values=7.0)
    places = np.arange(-before, 10 + after)
    found = encoder(window, (places >= 0) & (places < 10))[:, before : before + 10]
    np.testing.assert_allclose(found, encoder(mel), atol=1e-6)
    assert np.abs(encoder(window)[:, before : before + 10] - found).max() > 1e-3


def _normalized(mel):
    encoder = AudioEncoder((8,) * 7, (4, 3), normalize=True)
    encoder(mel)
    encoder.calibrate(mel)
    return encoder


def test_normalized_features_have_zero_mean_and_unit_spread_at_every_place():
    mel = np.random.default_rng(0).normal(-6, 4, (6, 120, 80)).astype(np.float32)
    encoder = _normalized(mel)
    features = encoder(mel, training=True).numpy()
    np.testing.assert_allclose(features.mean(axis=(0, 1)), 0.0, atol=1e-5)
    spread = features.std(axis=(0, 1))  # less than 1 where a place hardly varies, in corners
    assert np.median(spread) > 0.99 and spread.max() < 1.001
    assert abs(encoder(mel).numpy().mean()) > 0.05  # statistics were not measured yet
    encoder.settle(mel)
    np.testing.assert_allclose(encoder(mel), features, atol=1e-5)
    # One by one and in windows, too: the statistics are the encoder's, not the batch's.
    np.testing.assert_allclose(encoder(mel[1:2])[0], features[1], atol=1e-5)
    assert len(encoder.weights) == len(encoder.trainable_weights) + 2  # for presets to carry


def test_no_gradient_is_left_for_what_normalization_takes_away():
    mel = np.random.default_rng(1).normal(-6, 4, (3, 80, 80)).astype(np.float32)
    encoder = _normalized(mel)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(encoder(mel, training=True))
    gradients = tape.gradient(total, encoder.trainable_weights)
    for gradient in gradients:  # a sum over clips and time is fixed, whatever the weights
        np.testing.assert_allclose(gradient, 0.0, atol=2e-3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_calibrated_encoder_varies_with_the_sound_whatever_the_seed(seed):
    keras.utils.set_random_seed(seed)
    encoder = AudioEncoder((16,) * 7, (8, 8))
    mel = np.random.default_rng(seed).normal(-6, 4, (8, 160, 80)).astype(np.float32)
    encoder(mel)
    encoder.calibrate(mel)
    features = encoder(mel).numpy()
    assert 0.3 < features.std(axis=1).mean() < 1.0
    # The linear outputs of the last layer: zero mean, unit spread a channel.
    layer, heard = encoder.pyramid.levels[-1][-1], []
    call = layer.call
    layer.call = lambda inputs: heard.append(call(inputs)) or heard[-1]
    encoder(mel)
    linear = heard[0].numpy().reshape(-1, 8)
    np.testing.assert_allclose(linear.mean(axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(linear.std(axis=0), 1.0, atol=1e-2)
