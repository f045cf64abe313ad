"""Measuring a dVAE: the clip through the codes, figures over clips, the sheet."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from configs.dvae import get_config
from nwt_tf.evaluation.metrics import frame_ssim
from nwt_tf.evaluation.reconstruction import measure_reconstruction, reconstruct, strip
from nwt_tf.layers.pixels import to_pixels, to_unit_range
from nwt_tf.models.dvae import DVAE


@pytest.fixture(scope="module")
def dvae():
    keras.utils.set_random_seed(0)
    model = dataclasses.asdict(get_config("tiny").model)
    dvae = DVAE(height=24, width=16, num_episodes=2, **model)
    dvae.build()
    return dvae


def clip_of(frames, seed):
    return np.random.default_rng(seed).integers(0, 256, (frames, 24, 16, 3)).astype(np.uint8)


def test_a_clip_passes_through_its_codes(dvae):
    video = clip_of(3, 0)
    codes, rendered = reconstruct(dvae, video, episode=1)
    expected, quantized = dvae(to_unit_range(video)[None], tf.constant([1]))
    np.testing.assert_array_equal(codes, quantized.codes[0])
    assert rendered.dtype == np.uint8
    assert np.abs(rendered.astype(int) - to_pixels(expected[0])).max() <= 1
    sampled = reconstruct(dvae, video, seed=tf.constant([1, 2]))[0]
    assert (sampled != codes).any()


def test_figures_are_means_over_frames_of_all_clips(dvae):
    clips = [(clip_of(frames, frames), -1) for frames in (2, 5)]
    figures, sheet = measure_reconstruction(dvae, clips)
    ssim = [frame_ssim(video, reconstruct(dvae, video)[1]) for video, _ in clips]
    np.testing.assert_allclose(figures["ssim"], np.concatenate(ssim).mean(), rtol=1e-5)
    assert (figures["clips"], figures["frames"]) == (2, 7)
    assert len(figures["bits_per_head"]) == len(figures["used_per_head"]) == 4
    assert sheet.shape == (4 * 24, 5 * 16, 3)  # truth above reconstruction, clip after clip
    np.testing.assert_array_equal(sheet[:24, : 2 * 16], strip(clips[0][0]))
    np.testing.assert_array_equal(sheet[24:48, : 2 * 16], strip(reconstruct(dvae, clips[0][0])[1]))


def test_no_clips_are_refused(dvae):
    with pytest.raises(ValueError, match="no clips"):
        measure_reconstruction(dvae, [])


def test_strip_takes_frames_at_equal_distances():
    video = clip_of(15, 0)
    pictures = strip(video, 8)
    expected = [video[index] for index in (0, 2, 4, 6, 8, 10, 12, 14)]
    np.testing.assert_array_equal(pictures, np.concatenate(expected, axis=1))
