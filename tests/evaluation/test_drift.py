"""Drift: steady video has none, and what changes is seen."""

import cv2
import numpy as np
import pytest

from nwt_tf.evaluation.drift import PARTS, divergence, measure_drift

FRAMES, CHUNK = 400, 16


def chunks(change=lambda video, share: video, codes_at=lambda share: 4):
    """Noise pictures; `change` and `codes_at` are told how far the video is, 0 to 1."""
    draws = np.random.default_rng(0)
    for first in range(0, FRAMES, CHUNK):
        share = first / FRAMES
        video = draws.integers(60, 200, (CHUNK, 24, 20, 3)).astype(np.uint8)
        codes = draws.integers(0, codes_at(share), (CHUNK, 3, 2, 5))
        yield codes, change(video, share), np.zeros((4 * CHUNK, 80), np.float32)


def test_steady_video_does_not_drift():
    figures = measure_drift(chunks(), FRAMES, fps=25, num_codes=4)
    assert (figures["frames"], figures["video_seconds"]) == (FRAMES, 16)
    assert len(figures["sharpness_by_part"]) == PARTS
    assert figures["sharpness_end"] == pytest.approx(figures["sharpness_start"], rel=0.02)
    assert figures["flicker_end"] == pytest.approx(figures["flicker_start"], rel=0.02)
    assert figures["code_divergence"] < 3 * figures["code_divergence_neighbours"] < 0.05
    assert figures["picture_shift"] < 1.5 * figures["picture_shift_neighbours"]


def test_blur_brightness_and_codes_that_change_are_seen():
    def fade(video, share):
        soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 0.3 + share) for frame in video])
        return np.uint8(soft * (1 - share / 2))

    figures = measure_drift(
        chunks(fade, lambda share: 4 if share < 0.5 else 1), FRAMES, fps=25, num_codes=4
    )
    assert figures["sharpness_end"] < 0.1 * figures["sharpness_start"]
    assert figures["picture_shift"] > 40 > 10 > figures["picture_shift_neighbours"]
    assert figures["code_divergence"] > 0.4


def test_the_mouth_is_followed_where_it_is_known():
    draws = np.random.default_rng(0)

    def synced():
        for first in range(0, FRAMES, CHUNK):
            level = draws.uniform(0.01, 1.0, CHUNK)
            mel = np.log(np.repeat(level, 4)[:, None] * np.ones(80))
            if first >= FRAMES / 2:
                level = draws.uniform(0.01, 1.0, CHUNK)
            video = np.full((CHUNK, 24, 20, 3), 30, np.uint8)
            video[:, 12:] += np.uint8(150 * np.sqrt(level))[:, None, None, None]
            yield np.zeros((CHUNK, 3, 2, 5), int), video, mel

    figures = measure_drift(synced(), FRAMES, fps=25, num_codes=4, mouth=(0.5, 1, 0, 1))
    assert figures["mouth_sound_correlation_start"] > 0.8
    assert abs(figures["mouth_sound_correlation_end"]) < 0.5


def test_the_divergence_of_known_shares():
    even, one = np.array([[50, 50]]), np.array([[100, 0]])
    assert divergence(even, even) == 0.0
    assert divergence(one, one[:, ::-1]) == pytest.approx(1.0)
    middle = 0.75 * np.log2(4 / 3) + 0.25 * 2  # entropy of (0.75, 0.25)
    assert divergence(even, one) == pytest.approx(middle - 0.5)
    assert divergence(np.repeat(even, 2, 0), np.concatenate([even, one])) == pytest.approx(
        (middle - 0.5) / 2
    )


def test_a_video_of_one_part_is_refused():
    with pytest.raises(ValueError, match="too few to drift"):
        measure_drift([next(chunks())], CHUNK, fps=25, num_codes=4)
