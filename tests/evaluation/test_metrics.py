"""Picture and code metrics against NumPy."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.evaluation.metrics import (
    code_histogram,
    code_usage,
    flicker,
    frame_ms_ssim,
    frame_psnr,
    frame_ssim,
    sharpness,
)


@pytest.fixture
def clip():
    return np.random.default_rng(0).integers(0, 256, (3, 24, 20, 3)).astype(np.uint8)


def slow_ssim(truth, other):
    """SSIM of one frame: an 11x11 Gaussian window of sigma 1.5 at every place that it fits in."""
    x = np.exp(-0.5 * ((np.arange(11) - 5) / 1.5) ** 2)
    window = np.outer(x, x)[..., None] / np.outer(x, x).sum()
    truth, other = truth.astype(np.float64), other.astype(np.float64)
    values = []
    for top, left in np.ndindex(truth.shape[0] - 10, truth.shape[1] - 10):
        a, b = (each[top : top + 11, left : left + 11] for each in (truth, other))
        mean_a, mean_b = (window * a).sum((0, 1)), (window * b).sum((0, 1))
        var_a = (window * a * a).sum((0, 1)) - mean_a**2
        var_b = (window * b * b).sum((0, 1)) - mean_b**2
        cov = (window * a * b).sum((0, 1)) - mean_a * mean_b
        light = (2 * mean_a * mean_b + 2.55**2) / (mean_a**2 + mean_b**2 + 2.55**2)
        values.append(light * (2 * cov + 7.65**2) / (var_a + var_b + 7.65**2))
    return np.mean(values)


def test_ssim_a_frame(clip):
    noise = np.random.default_rng(1).normal(scale=20, size=clip.shape)
    other = np.clip(clip + noise, 0, 255).astype(np.uint8)
    found = frame_ssim(clip, other)
    expected = [slow_ssim(a, b) for a, b in zip(clip, other, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(frame_ssim(clip, clip), 1.0, atol=1e-6)


def test_psnr_a_frame(clip):
    other = clip.copy()
    other[0] = np.where(clip[0] < 128, clip[0] + 10, clip[0] - 10)
    other[1, 0, 0, 0] ^= 0x80
    one_pixel = 128**2 / clip[1].size
    expected = [10 * np.log10(255**2 / error) for error in (100, one_pixel)]
    np.testing.assert_allclose(frame_psnr(clip, other)[:2], expected, rtol=1e-5)
    assert (frame_psnr(clip, clip) == 100.0).all()  # and no infinity


def test_code_usage_of_known_shares():
    even = np.arange(8000) % 8
    half = np.arange(8000) % 2 * 5
    rare = np.where(np.arange(8000) < 4, 7, 3)  # a share of 0.05 % counts as unused
    usage = code_usage(np.stack([even, half, rare], axis=-1).reshape(20, 20, 20, 3), 8)
    p = 4 / 8000
    rare_bits = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    np.testing.assert_allclose(usage["bits_per_head"], [3, 1, rare_bits], rtol=1e-6)
    assert usage["used_per_head"] == [8, 2, 1]
    np.testing.assert_allclose(usage["bits_per_memcode"], 4 + rare_bits, rtol=1e-6)


def test_perplexity_is_the_number_of_codes_in_even_use():
    even = np.arange(8000) % 8
    half = np.arange(8000) % 2 * 5
    usage = code_usage(np.stack([even, half], axis=-1), 8)
    np.testing.assert_allclose(usage["perplexity_per_head"], [8, 2], rtol=1e-6)
    histogram = code_histogram(np.stack([even, half], axis=-1), 8)
    np.testing.assert_array_equal(histogram, [[1000] * 8, [4000, 0, 0, 0, 0, 4000, 0, 0]])


def test_multi_scale_ssim(clip):
    noise = np.random.default_rng(1).normal(scale=20, size=clip.shape)
    other = np.clip(clip + noise, 0, 255).astype(np.uint8)
    # The window fits into one scale of 24x20: that is SSIM itself.
    np.testing.assert_allclose(frame_ms_ssim(clip, other), frame_ssim(clip, other), atol=1e-6)
    large = cv2.resize(clip[0], (176, 180), interpolation=cv2.INTER_CUBIC)[None]
    blurred = [cv2.GaussianBlur(large[0], (0, 0), sigma)[None] for sigma in (1, 3)]
    assert frame_ms_ssim(large, large)[0] == pytest.approx(1.0, abs=1e-6)
    found = [frame_ms_ssim(large, each)[0] for each in blurred]
    assert 1 > found[0] > found[1] > 0
    # Coarse scales forgive what is fine.
    assert found[0] > frame_ssim(large, blurred[0])[0]
    five = tf.image.ssim_multiscale(large, blurred[0], 255).numpy()
    np.testing.assert_allclose(found[0], five[0], rtol=2e-4)  # the printed weights sum to 1.0001


def test_sharpness_of_known_pictures():
    board = np.uint8(np.indices((10, 12)).sum(axis=0) % 2 * 100)
    video = np.repeat(np.stack([board, np.full_like(board, 77)])[..., None], 3, axis=-1)
    # On the board every Laplacian is +400 or -400, as many of each.
    np.testing.assert_allclose(sharpness(video), [400**2, 0])
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.0) for frame in video])
    assert sharpness(soft)[0] < 0.1 * sharpness(video)[0]


def test_flicker_is_what_jumps_not_what_moves():
    steady = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 5, 3), np.uint8)
    jumping = np.uint8([[100], [110]] * 5)[..., None, None] * np.ones((1, 4, 5, 3), np.uint8)
    assert flicker(steady) == 0.0 and flicker(steady[:2]) == 0.0
    assert flicker(jumping) == pytest.approx(20.0)
