"""dVAE-Adv at a width of a few channels: shapes, episodes, windows, configs."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from configs.dvae import get_config
from nwt_tf.layers.hard_attention import gumbel_noise
from nwt_tf.models.dvae import DVAE

HEIGHT, WIDTH = 16, 8
SEED = tf.constant([5, 6])


@pytest.fixture(scope="module")
def dvae():
    return tiny_dvae()


def tiny_dvae(**arguments):
    keras.utils.set_random_seed(0)
    model = dataclasses.asdict(get_config("tiny").model)
    dvae = DVAE(height=HEIGHT, width=WIDTH, num_episodes=3, **model, **arguments)
    dvae.build()
    return dvae


def clip_of(frames, batch=1):
    return tf.random.stateless_uniform((batch, frames, HEIGHT, WIDTH, 3), (0, frames), -1.0, 1.0)


def test_shapes_and_ranges(dvae):
    video, (values, codes, logits) = dvae(clip_of(3, batch=2), tf.constant([0, -1]), seed=SEED)
    assert video.shape == (2, 3, HEIGHT, WIDTH, 3) and video.dtype == tf.float32
    assert np.abs(video).max() < 1.0
    assert values.shape == (2, 3, 2, 1, 32)
    assert codes.shape == (2, 3, 2, 1, 4) and codes.dtype == tf.int32
    assert codes.numpy().min() >= 0 and codes.numpy().max() < 4
    assert logits.shape == (2, 3, 2, 1, 4, 4)


@pytest.mark.parametrize("window", [1, 2, 5, 64])
def test_windows_equal_the_clip_at_once(dvae, window):
    video = clip_of(11)
    codes = dvae.encode(video, window=11)
    np.testing.assert_array_equal(dvae.encode(video, window=window), codes)
    at_once = dvae.decode(codes, tf.constant([1]), window=11)
    assert at_once.shape == video.shape
    np.testing.assert_allclose(dvae.decode(codes, tf.constant([1]), window), at_once, atol=1e-5)
    parts = [part.shape[1] for part in dvae.decode_windows(codes, window=window)]
    assert sum(parts) == 11 and max(parts) <= window
    assert len(parts) == -(-11 // window) and max(parts) - min(parts) < len(parts)  # even


def test_windows_need_all_of_the_context(dvae):
    """With a frame less of it, the windows' seams would show."""
    video = clip_of(11)
    at_once = dvae._encode_logits(video)
    dvae.context -= 1
    try:
        seams = tf.concat(list(dvae._windows(dvae._encode_logits, video, 5)), axis=1)
    finally:
        dvae.context += 1
    assert np.abs(seams - at_once).max() > 1e-4


def test_encode_and_decode_are_the_halves_of_the_call(dvae):
    video, episode = clip_of(4), tf.constant([2])
    for seed in (None, SEED):
        reconstruction, quantized = dvae(video, episode, seed=seed)
        np.testing.assert_array_equal(dvae.encode(video, seed), quantized.codes)
        rendered = dvae.decode(quantized.codes, episode)
        np.testing.assert_allclose(rendered, reconstruction, atol=1e-5)


def test_sampled_codes_are_the_perturbed_logits_best(dvae):
    video = clip_of(4)
    logits = dvae(video)[1].logits.numpy()
    noise = gumbel_noise((logits.size // 16, 4, 4), SEED).numpy().reshape(logits.shape)
    np.testing.assert_array_equal(dvae.encode(video, SEED), np.argmax(logits + noise, axis=-1))
    assert (dvae.encode(video, SEED) != dvae.encode(video)).numpy().any()


def test_sampling_does_not_depend_on_the_window(dvae):
    video = clip_of(9)
    np.testing.assert_array_equal(dvae.encode(video, SEED, window=4), dvae.encode(video, SEED))


def test_no_episode_is_minus_one_and_each_episode_has_a_look(dvae):
    codes = dvae.encode(clip_of(2))
    none = dvae.decode(codes)
    np.testing.assert_array_equal(none, dvae.decode(codes, tf.constant([-1])))
    looks = [dvae.decode(codes, tf.constant([index])) for index in range(-1, 3)]
    for i in range(4):
        for j in range(i):
            assert np.abs(looks[i] - looks[j]).max() > 1e-4


def test_each_clip_has_its_own_episode(dvae):
    codes = tf.repeat(dvae.encode(clip_of(2)), 2, axis=0)
    both = dvae.decode(codes, tf.constant([0, 2]))
    np.testing.assert_allclose(both[1:], dvae.decode(codes[1:], tf.constant([2])), atol=1e-6)


def test_memcodes_see_a_few_frames_only(dvae):
    """Kernels of 4, 2 and 2 frames, even ones reading further ahead: 1 frame before, 4 after."""
    video = clip_of(14).numpy()
    changed = video.copy()
    changed[:, 7] = -video[:, 7]
    moved = np.abs(dvae._encode_logits(changed) - dvae._encode_logits(video))
    moved = moved.max(axis=(0, 2, 3, 4, 5)) > 0
    np.testing.assert_array_equal(np.flatnonzero(moved), range(3, 9))


def test_bfloat16_gives_float32_video_and_logits():
    dvae = tiny_dvae(dtype="mixed_bfloat16")
    video, quantized = dvae(clip_of(2), seed=SEED, training=True)
    assert (video.dtype, quantized.logits.dtype) == (tf.float32, tf.float32)
    assert quantized.values.dtype == tf.bfloat16
    assert all(weight.dtype == "float32" for weight in dvae.weights)
    assert dvae.decode(quantized.codes).dtype == tf.float32


@pytest.mark.parametrize(("name", "size"), [("height", 20), ("width", 4), ("height", 0)])
def test_sizes_that_do_not_divide_are_refused(name, size):
    with pytest.raises(ValueError, match=f"{name} must be a multiple of 8.*{name}={size}"):
        DVAE(**{"height": 16, "width": 16, name: size}, stages=((8, 1),) * 3)


def test_heads_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="num_heads=3"):
        DVAE(num_heads=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, "num_heads must be at least 1. Received: num_heads=0"),
        ({"num_codes": 1}, "num_codes must be at least 2. Received: num_codes=1"),
        ({"num_episodes": -1}, "num_episodes must be at least 0. Received: num_episodes=-1"),
        ({"temporal": (8, 8)}, "temporal must be 3 widths. Received: temporal=.8, 8."),
        ({"temporal": ("a", 8, 8)}, "temporal must be 3 widths. Received: temporal=.'a', 8, 8."),
        ({"temporal": (8, 0, 8)}, "temporal must be at least 1. Received: temporal=.8, 0, 8."),
        ({"stem": 0}, "stem must be at least 1. Received: stem=0"),
        ({"stages": ((0, 1),)}, "stages must have widths .* Received: stages=..0, 1.."),
        ({"episode_dim": 0}, "episode_dim must be at least 1. Received: episode_dim=0"),
        ({"code_dim": 0}, "code_dim must be at least 1. Received: code_dim=0"),
        ({"stages": None}, "stages must be pairs .* Received: stages=None"),
        ({"stages": (8, 1)}, "stages must be pairs .* Received: stages=.8, 1."),
        ({"res_convs": 0}, "res_convs must be at least 1. Received: res_convs=0"),
    ],
)
def test_impossible_counts_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DVAE(**arguments)


def test_clips_of_one_frame(dvae):
    video = clip_of(1, batch=2)
    reconstruction, quantized = dvae(video)
    assert reconstruction.shape == video.shape and np.isfinite(reconstruction).all()
    np.testing.assert_array_equal(dvae.encode(video), quantized.codes)
    np.testing.assert_allclose(dvae.decode(quantized.codes), reconstruction, atol=1e-5)


def test_it_builds_itself_where_it_is_first_used():
    arguments = tiny_dvae().get_config()
    codes = DVAE(**arguments).encode(clip_of(2))
    assert DVAE(**arguments).decode(codes).shape == clip_of(2).shape


@pytest.mark.parametrize(
    ("video", "message"),
    [
        (np.zeros((1, 2, 16, 8, 3), np.uint8), "video must be float in .*dtype uint8"),
        (np.zeros((1, 0, 16, 8, 3), np.float32), r"at least one frame.*shape \(1, 0, 16, 8, 3\)"),
        (np.zeros((2, 16, 8, 3), np.float32), r"video must be \[B, T, 16, 8, 3\].*\(2, 16, 8, 3\)"),
        (np.zeros((1, 2, 20, 8, 3), np.float32), r"video must be .*\(1, 2, 20, 8, 3\)"),
    ],
)
def test_what_is_no_video_is_refused_traced_or_not(dvae, video, message):
    for function in (dvae.encode, dvae, tf.function(dvae.call)):
        with pytest.raises(ValueError, match=message):
            function(video)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_pixel_that_is_not_finite_is_refused(dvae, odd):
    video = clip_of(2).numpy()
    video[0, 1, 3, 3, 0] = odd
    message = "video must be finite. Received: video with 1 of 768 "
    for function in (dvae.encode, dvae):
        with pytest.raises(ValueError, match=message):
            function(video)


@pytest.mark.parametrize("episode", [[3], [-2], [[0]], [0.5], [0, 0]])
def test_an_episode_that_is_no_index_is_refused(dvae, episode):
    codes = np.zeros((1, 2, 2, 1, 4), np.int32)
    values = tf.zeros((1, 2, 2, 1, dvae.attention.code_dim))
    calls = ((dvae, clip_of(2)), (dvae.decode, codes), (dvae.render, values))
    for function, clip in calls:
        with pytest.raises(ValueError, match=r"^episode must [^\n]*Received: episode[^\n]*$"):
            function(clip, tf.constant(episode))


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.full((1, 2, 2, 1, 4), 4), r"codes must lie in \[0, 3\]. Received: codes from 4 to 4"),
        (np.full((1, 2, 2, 1, 4), -1), r"codes must lie in \[0, 3\]. Received: codes from -1"),
        (np.zeros((1, 2, 2, 1, 4)), "codes must be integers.*float64"),
        (np.zeros((1, 0, 2, 1, 4), int), r"at least one frame.*\(1, 0, 2, 1, 4\)"),
        (np.zeros((1, 2, 2, 1, 5), int), r"codes must be \[B, T, 2, 1, 4\].*\(1, 2, 2, 1, 5\)"),
    ],
)
def test_what_are_no_codes_is_refused(dvae, codes, message):
    with pytest.raises(ValueError, match=message):
        dvae.decode(codes)


def test_values_are_rendered_without_an_episode_too(dvae):
    values = tf.random.stateless_normal((1, 2, 2, 1, dvae.attention.code_dim), (0, 1))
    np.testing.assert_array_equal(
        dvae.render(values, None), dvae.render(values, tf.constant([-1]))
    )


@pytest.mark.parametrize("seed", [3, [1, 2, 3], [0.5, 1.0]])
def test_a_seed_is_two_integers(dvae, seed):
    for function in (dvae, dvae.encode):
        with pytest.raises(ValueError, match=r"seed must be int \[2\]. Received: seed of "):
            function(clip_of(2), seed=seed)


def test_a_window_of_no_frames_is_refused(dvae):
    for function, clip in ((dvae.encode, clip_of(2)), (dvae.decode, dvae.encode(clip_of(2)))):
        with pytest.raises(ValueError, match="window must be at least 1. Received: window=0"):
            function(clip, window=0)
