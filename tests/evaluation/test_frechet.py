"""The Frechet distance against its closed form, and what its features tell apart."""

import cv2
import numpy as np
import pytest
from scipy import linalg

from data_pipeline.synthetic import make_clip
from nwt_tf.evaluation.frechet import Gaussian, RandomFeatures


@pytest.fixture(scope="module")
def features():
    return RandomFeatures()


@pytest.fixture(scope="module")
def videos():
    clips = [make_clip(episode=0, seed=seed) for seed in range(8)]
    return [np.stack(list(clip.frames(height=64, width=56))) for clip in clips]


def gaussian(features, videos):
    found = Gaussian()
    for video in videos:
        found.add(features(video))
    return found


def test_the_distance_of_two_gaussians():
    draws = np.random.default_rng(0)
    a = draws.normal(size=(500, 4)) @ draws.normal(size=(4, 4))
    b = draws.normal(size=(300, 4)) @ draws.normal(size=(4, 4)) + 2.0
    one, other = Gaussian(), Gaussian()
    one.add(a[:123])
    one.add(a[123:])
    other.add(b)
    covariances = [np.cov(each.T, bias=True) for each in (a, b)]
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(
        sum(covariances) - 2 * np.real(linalg.sqrtm(covariances[0] @ covariances[1]))
    )
    assert one.distance(other) == pytest.approx(expected, rel=1e-6)
    assert other.distance(one) == pytest.approx(expected, rel=1e-6)
    assert one.distance(one) == pytest.approx(0.0, abs=1e-6)
    assert one.distance(Gaussian()) is None


def test_what_it_tells_apart(features, videos):
    truth = gaussian(features, videos)

    def distance(change):
        return gaussian(features, [change(video) for video in videos]).distance(truth)

    same_source = gaussian(features, videos[::2]).distance(gaussian(features, videos[1::2]))
    blurs = [
        distance(lambda v, s=s: np.stack([cv2.GaussianBlur(f, (0, 0), s) for f in v]))
        for s in (0.7, 1.5)
    ]
    frozen = distance(lambda video: np.repeat(video[:1], len(video), axis=0))
    shuffled = distance(lambda video: video[np.random.default_rng(0).permutation(len(video))])
    assert distance(lambda video: video) == pytest.approx(0.0, abs=1e-6)
    assert same_source < blurs[0] < blurs[1]
    assert min(frozen, shuffled) > 2 * same_source


def test_the_network_is_the_same_everywhere(features):
    video = np.random.RandomState(0).randint(0, 256, (17, 40, 36, 3)).astype(np.uint8)
    found = features(video)
    assert found.shape == (1, 48)
    expected = [-1.44316, -1.712605, 1.277498, 0.761922]
    np.testing.assert_allclose(found[0, [0, 23, 24, 47]], expected, rtol=1e-3)


def test_short_videos_have_no_features(features):
    assert features(np.zeros((15, 32, 32, 3), np.uint8)).shape == (0, 48)
    assert features(np.zeros((40, 32, 32, 3), np.uint8)).shape == (4, 48)
