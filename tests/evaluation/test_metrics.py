"""Picture and code metrics against NumPy."""

import numpy as np
import pytest

from nwt_tf.evaluation.metrics import code_usage, frame_psnr, frame_ssim


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
