"""Styles from references, from the prior, and by hand."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from configs.dvae import get_config
from nwt_tf.generation import styles
from nwt_tf.layers.pixels import to_unit_range
from nwt_tf.models.dvae import DVAE
from nwt_tf.models.far import FAR
from tests.models import tiny_priors


@pytest.fixture(scope="module")
def models():
    keras.utils.set_random_seed(0)
    dvae = DVAE(height=16, width=8, num_episodes=1, **dataclasses.asdict(get_config("tiny").model))
    dvae.build()
    arguments = tiny_priors.SHARED | tiny_priors.FRAMEWISE
    arguments |= {"grid": dvae.grid, "strides": (1, 1), "audio_pyramid": (8,)}
    arguments |= {"num_heads": dvae.num_heads, "num_codes": dvae.num_codes}
    prior = FAR(**arguments)
    prior.build()
    # Untrained, codes are noise, and means hardly differ from one clip to another.
    for layer in (dvae.attention.query_projection, prior.style_encoder.posterior):
        layer.kernel.assign(100 * layer.kernel)
    return dvae, prior


def clip_of(frames, seed=0):
    shape = (frames, 16, 8, 3)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def test_a_copy_is_the_posterior_mean_of_the_reference_s_codes(models):
    dvae, prior = models
    video = clip_of(7)
    codes = dvae.encode(to_unit_range(video)[None], tf.constant([0, 0]))
    expected = prior.style_encoder(codes).mean[0]
    found = styles.copy(dvae, prior, [video])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found - styles.copy(dvae, prior, [clip_of(7, seed=1)])).max() > 1e-4


def test_a_copy_for_a_prior_of_the_likeliest_codes_takes_those(models):
    dvae, prior = models
    video = clip_of(7)
    expected = prior.style_encoder(dvae.encode(to_unit_range(video)[None], None)).mean[0]
    found = styles.copy(dvae, prior, [video], sampled=False)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found - styles.copy(dvae, prior, [video])).max() > 1e-4


def test_clips_of_a_reference_count_by_their_frames(models):
    first, second = clip_of(8, seed=1), clip_of(4, seed=2)
    means = []
    for index, clip in enumerate((first, second)):
        codes = models[0].encode(to_unit_range(clip)[None], tf.constant([0, index]))
        means.append(models[1].style_encoder(codes).mean[0])
    found = styles.copy(*models, iter([first, second]))
    np.testing.assert_allclose(found, (2 * means[0] + means[1]) / 3, atol=1e-6)
    assert np.abs(found - (means[0] + means[1]) / 2).max() > 1e-4


def test_a_seed_draws_codes_and_latent(models):
    dvae, prior = models
    draws = [styles.copy(dvae, prior, [clip_of(6)], seed) for seed in range(12)]
    noise = []
    for seed, draw in enumerate(draws):
        codes = dvae.encode(to_unit_range(clip_of(6))[None], tf.constant([seed, 0]))
        mean, std = prior.style_encoder(codes)
        noise.append((draw - mean[0]) / std[0])
    assert np.abs(np.mean(noise)) < 0.5 and 0.6 < np.std(noise) < 1.4  # of 48 standard normals
    np.testing.assert_array_equal(styles.copy(dvae, prior, [clip_of(6)], 3), draws[3])


def test_a_reference_without_frames_is_refused(models):
    with pytest.raises(ValueError, match="without frames"):
        styles.copy(*models, [])


def test_samples_are_standard_normal_and_seeded():
    many = np.stack([styles.sample(16, seed) for seed in range(300)])
    assert many.dtype == np.float32
    assert np.abs(many.mean(axis=0)).max() < 0.25 and np.abs(many.std(axis=0) - 1).max() < 0.2
    np.testing.assert_array_equal(styles.sample(16, 7), many[7])


def test_interpolation_is_a_line():
    first, second = np.float32([0, 2]), np.float32([4, -2])
    found = [styles.interpolate(first, second, mix) for mix in (0, 0.25, 1)]
    np.testing.assert_array_equal(found, [[0, 2], [1, 1], [4, -2]])
    for mix in (-0.1, 1.5, np.nan):
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
            styles.interpolate(first, second, mix)


def test_a_sweep_sets_one_variate_and_leaves_the_others():
    found = styles.sweep([9, 8, 7], 1, [-2, 0, 2])
    np.testing.assert_array_equal(found, [[9, -2, 7], [9, 0, 7], [9, 2, 7]])
    for variate in (3, -1):
        with pytest.raises(ValueError, match=f"3 variates, 0 to 2. Received: {variate}"):
            styles.sweep([9, 8, 7], variate, [0])
    with pytest.raises(ValueError, match="at least one value"):
        styles.sweep([9, 8, 7], 0, [])


@pytest.mark.parametrize(
    ("style", "message"),
    [
        ([1.0, 2.0], "style must have 3 numbers. Received: 2"),
        ([[1.0, 2.0, 3.0]], r"style must have 3 numbers. Received: shape \[1, 3\]"),
        ([1.0, np.nan, 3.0], "style must be finite"),
    ],
)
def test_a_style_that_does_not_fit_is_refused(style, message):
    with pytest.raises(ValueError, match=message):
        styles.check(style, 3)
