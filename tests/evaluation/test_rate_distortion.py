"""BD-rate on curves whose answer is known, and the video codecs it is measured against."""

import os

import numpy as np
import pytest

from nwt_tf.evaluation import video_codecs
from nwt_tf.evaluation.rate_distortion import Point, bd_rate, picture_measures, rate_at, table


def curve(factor=1.0, shift=0.0, rates=(10, 20, 40, 80)):
    return [
        {"kbps": factor * rate, "ssim": 0.5 + 0.1 * np.log2(rate / 10) + shift} for rate in rates
    ]


def test_bd_rate_is_the_factor_of_the_rates():
    for factor in (0.25, 0.5, 1.0, 3.0):
        found = bd_rate(curve(), curve(factor))
        assert found == pytest.approx(100 * (factor - 1), abs=1e-6)
    # Quality 0.05 higher at each rate: half a doubling fewer bits.
    assert bd_rate(curve(), curve(shift=0.05)) == pytest.approx(100 * (2**-0.5 - 1), abs=1e-6)
    assert bd_rate(curve(), curve(0.5, rates=(40, 20, 80, 10))) == pytest.approx(-50, abs=1e-6)


def test_curves_without_a_common_quality_have_none():
    assert bd_rate(curve(), curve(shift=2.0)) is None
    assert bd_rate(curve(), curve()[:1]) is None
    worse_for_more = [{"kbps": 500.0, "ssim": 0.5}]
    assert bd_rate(curve() + worse_for_more, curve(0.5)) == pytest.approx(-50, abs=1e-6)


def test_rate_at_a_quality():
    assert rate_at(curve(), 0.6) == pytest.approx(20)
    assert rate_at(curve(), 0.65) == pytest.approx(20 * 2**0.5)
    assert rate_at(curve(), 0.9) is None


def test_points_are_means_over_frames_and_sums_of_bytes():
    point = Point(100.0)
    for frames, size, ssim in ((10, 100, 0.5), (30, 300, 0.9)):
        measured = {name: np.full(frames, ssim) for name in ("ssim", "ms_ssim", "psnr")}
        point.add(size, measured, 20.0)
    figures = point.figures()
    assert figures["bytes"] == 400
    assert figures["kbps"] == pytest.approx(8e-3 * 400 / 2)
    assert figures["ssim"] == pytest.approx(0.8)
    text = table({"rle": {"points": [figures], "bd_rate": -12.34}})
    assert "| rle | 100 | 1.60 | 0.8000 | 0.8000 | 0.80 | -12.3 % |" in text


@pytest.fixture(scope="module")
def moving():
    """A smooth picture that slides: uint8 [12, 64, 48, 3]."""
    y, x = np.mgrid[:64, :48]
    frames = [127 + 100 * np.sin((x + 2 * t) / 9) * np.cos(y / 7) for t in range(12)]
    return np.repeat(np.stack(frames)[..., None], 3, axis=-1).astype(np.uint8)


def test_colours_survive_planes_of_half_the_size():
    """4:2:0 alone must not cost video codecs what coding costs."""
    rows, columns = np.mgrid[:64, :64] / 64 * 2 * np.pi
    waves = [np.sin(rows + phase) * np.cos(3 * columns - phase) for phase in (0, 2, 4)]
    picture = np.uint8(np.rint(128 + 80 * np.stack(waves, axis=-1)))

    def psnr(again):
        return 10 * np.log10(255**2 / np.mean((again.astype(float) - picture) ** 2))

    assert psnr(video_codecs.picture_of(video_codecs.planes_of(picture))) > 44
    for codec in video_codecs.VIDEO_CODECS:
        _, frames = video_codecs.through(codec, picture[None], 25.0, codec.crfs[0])
        assert psnr(frames) > 42, codec.name


@pytest.mark.parametrize("codec", video_codecs.VIDEO_CODECS, ids=lambda codec: codec.name)
def test_more_bytes_are_better_pictures(codec, moving):
    small, rough = video_codecs.through(codec, moving, 25.0, codec.crfs[-1])
    large, fine = video_codecs.through(codec, moving, 25.0, codec.crfs[0])
    if hasattr(os, "sched_getscheduler"):
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
    assert 0 < small < large < moving.size / 10
    worse, better = (picture_measures(moving, each)["ssim"].mean() for each in (rough, fine))
    assert worse < better and better > 0.95


def test_the_encoders_note_does_not_count(moving):
    """x264 writes its settings, some 700 bytes, into every stream: a second would pay for them."""
    codec = next(each for each in video_codecs.VIDEO_CODECS if each.name == "x264 veryslow")
    size, _ = video_codecs.through(codec, moving, 25.0, 48)
    assert size < 600
    assert video_codecs._notes(b"\0\0\0\1\x67ab\0\0\1\x06cde\0\0\1\x65f") == 7
    assert video_codecs.missing() == []
