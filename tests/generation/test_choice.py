"""Noise of seed and place alone, and which codes top-k and top-p leave."""

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.generation.choice import Chooser, Options, frame_noise, keep_likeliest, row_seeds

SHAPE = (3, 5, 2)  # 30 numbers: no multiple of the four that a counter gives
SEEDS = row_seeds([7, 8], 3)


def test_noise_of_a_frame_does_not_depend_on_how_a_clip_is_cut():
    whole = frame_noise(SEEDS, tf.constant(0), 9, SHAPE).numpy()
    assert whole.shape == (3, 9, *SHAPE) and whole.dtype == np.float32
    for first, frames in ((0, 1), (4, 5), (8, 1)):
        part = frame_noise(SEEDS, tf.constant(first), frames, SHAPE)
        np.testing.assert_array_equal(part, whole[:, first : first + frames])


def test_noise_of_a_row_does_not_depend_on_the_batch():
    whole = frame_noise(SEEDS, tf.constant(2), 4, SHAPE).numpy()
    for row in range(3):
        alone = frame_noise(row_seeds([7, 8 + row], 1), tf.constant(2), 4, SHAPE)
        np.testing.assert_array_equal(alone[0], whole[row])


def test_noise_is_the_same_under_xla():
    plain = tf.function(lambda first: frame_noise(SEEDS, first, 4, SHAPE))
    compiled = tf.function(plain.python_function, jit_compile=True)
    first = tf.constant(5)
    np.testing.assert_array_equal(compiled(first), plain(first))


def test_noise_is_standard_gumbel_and_never_repeats():
    noise = frame_noise(row_seeds([1, 0], 2), tf.constant(0), 50, (16, 14, 4)).numpy()
    assert len(np.unique(noise)) > 0.99 * noise.size
    # Mean is Euler's constant, variance pi^2 / 6.
    np.testing.assert_allclose(noise.mean(), 0.5772, atol=0.02)
    np.testing.assert_allclose(noise.var(), np.pi**2 / 6, rtol=0.03)
    flat = noise.reshape(100, -1)  # a frame a row
    correlation = np.corrcoef(flat) - np.eye(100)
    assert np.abs(correlation).max() < 0.2
    assert np.isfinite(noise).all()


def allowed(logits, **options):
    kept = keep_likeliest(tf.constant(logits, tf.float32), Options(**options).tensors())
    return np.isfinite(kept)


LOGITS = np.log([[0.1, 0.4, 0.2, 0.3], [0.25, 0.25, 0.25, 0.25]])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[1, 1, 1, 1], [1, 1, 1, 1]]),
        ({"top_k": 1}, [[0, 1, 0, 0], [1, 0, 0, 0]]),
        ({"top_k": 3}, [[0, 1, 1, 1], [1, 1, 1, 0]]),
        ({"top_k": 9}, [[1, 1, 1, 1], [1, 1, 1, 1]]),
        ({"top_p": 0.35}, [[0, 1, 0, 0], [1, 1, 0, 0]]),
        ({"top_p": 0.65}, [[0, 1, 0, 1], [1, 1, 1, 0]]),
        ({"top_p": 1e-6}, [[0, 1, 0, 0], [1, 0, 0, 0]]),
        # Of the three likeliest, renormalised to 4/9, 3/9, 2/9.
        ({"top_k": 3, "top_p": 0.76}, [[0, 1, 0, 1], [1, 1, 1, 0]]),
        # Twice as sharp: 0.16, 0.09, 0.04, 0.01 of 0.3.
        ({"top_p": 0.5, "temperature": 0.5}, [[0, 1, 0, 0], [1, 1, 0, 0]]),
    ],
)
def test_top_k_and_top_p_keep_the_likeliest(options, expected):
    np.testing.assert_array_equal(allowed(LOGITS, **options), np.bool_(expected))


def test_one_code_is_kept_however_small_top_p_is():
    kept = allowed(LOGITS, top_p=1e-39)  # 0 in float32
    np.testing.assert_array_equal(kept.sum(-1), 1)
    np.testing.assert_array_equal(kept.argmax(-1), np.argmax(LOGITS, -1))


def test_draws_follow_the_kept_codes_chances():
    draws = 20_000
    logits = tf.constant(np.repeat(LOGITS[:1, None], draws, axis=0), tf.float32)
    noise = frame_noise(row_seeds([3, 0], 1), tf.constant(0), draws, (1, 4))[0]
    options = Options(temperature=1.0, top_k=3)
    codes = Chooser(noise, options.tensors(), options.narrowed)(logits)
    share = np.bincount(codes.numpy().ravel(), minlength=4) / draws
    np.testing.assert_allclose(share, [0, 4 / 9, 2 / 9, 3 / 9], atol=0.015)


def test_narrowed_is_known_of_numbers_and_assumed_of_tensors():
    assert not Options().narrowed and Options(top_k=2).narrowed and Options(top_p=0.9).narrowed
    assert Options().tensors().narrowed


def test_guidance_chooses_once_for_the_rows_told_and_untold():
    told, untold = np.float32([[0.0, 1.0, 0.5], [1.0, 0.0, 0.0]]), np.float32([[0.0, 0.9, 0.0]] * 2)
    rows = tf.constant(np.stack([told, untold], axis=1).reshape(4, 1, 3))  # by turns
    for guidance, expected in ((0.0, [1, 1]), (1.0, [1, 0]), (2.0, [1, 0]), (4.0, [2, 0])):
        options = Options(0.0, guidance=guidance).tensors()
        codes = Chooser(tf.zeros((2, 1, 3)), options, narrowed=False, guided=True)(rows)
        np.testing.assert_array_equal(codes[:, 0], np.repeat(expected, 2))


def test_guided_is_known_of_numbers_and_assumed_of_tensors():
    assert not Options().guided and Options(guidance=2).guided and Options(guidance=0.0).guided
    assert Options().tensors().guided


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"temperature": -1.0}, "temperature must be at least 0. Received: -1.0"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_k": -1}, "top_k must be a whole number from 0 to 2147483647. Received: -1"),
        ({"top_p": 0.0}, r"top_p must lie in \(0, 1\]. Received: 0.0"),
        ({"top_p": 1.5}, "top_p"),
        ({"guidance": -1.0}, "guidance must be at least 0. Received: -1.0"),
        ({"guidance": float("inf")}, "guidance"),
    ],
)
def test_options_out_of_range_are_refused(options, named):
    with pytest.raises(ValueError, match=named):
        Options(**options).check()
