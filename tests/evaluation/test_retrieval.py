"""The Hamming index against equation 10 written out, its order, its speed."""

import time

import numpy as np
import pytest

from nwt_tf.evaluation import retrieval
from nwt_tf.evaluation.retrieval import HammingIndex, distance_loss_correlations


@pytest.mark.parametrize(
    ("shape", "num_codes"), [((16, 14, 8), 8), ((1, 1, 11), 2), ((3, 5, 4), 5), ((2, 2, 16), 46)]
)
def test_distances_are_equation_10(shape, num_codes, monkeypatch):
    monkeypatch.setattr(retrieval, "_BLOCK", 64)
    codes = np.random.default_rng(0).integers(0, num_codes, (150, *shape))
    index = HammingIndex(codes, num_codes)
    assert len(index) == 150
    for query in codes[[0, 63, 64, 149]]:
        expected = [np.mean(query != frame) for frame in codes]
        np.testing.assert_allclose(index.distances(query), expected, rtol=1e-6)


def test_the_nearest_come_first_and_the_earlier_of_equals():
    query = np.zeros((2, 2, 3), int)
    codes = np.zeros((40, 2, 2, 3), int)
    for frame in range(40):
        codes[frame].reshape(-1)[: frame % 4 + 1] = 1  # 1 to 4 heads of 12 differ
    codes[7] = 0
    index = HammingIndex(codes, 4)
    found, distances = index.nearest(query, 5)
    np.testing.assert_array_equal(found, [7, 0, 4, 8, 12])
    np.testing.assert_allclose(distances, np.array([0, 1, 1, 1, 1]) / 12, rtol=1e-6)
    without, _ = index.nearest(query, 3, leave_out=np.arange(40) < 8)
    np.testing.assert_array_equal(without, [8, 12, 16])
    everything, _ = index.nearest(query, 100)
    assert sorted(everything) == list(range(40))
    assert len(index.nearest(query, 3, leave_out=np.ones(40, bool))[0]) == 0


def test_correlations_of_distance_and_loss():
    draws = np.random.default_rng(0)
    truths = draws.integers(0, 256, (30, 16, 16, 3)).astype(np.uint8)
    share = np.linspace(0, 1, 30)
    noise = draws.integers(0, 256, truths.shape)
    rendered = np.uint8(
        truths * (1 - share)[:, None, None, None] + noise * share[:, None, None, None]
    )
    found = distance_loss_correlations(share, truths, rendered)
    assert found["l1"]["pearson"] > 0.98 and found["ssim_loss"]["spearman"] > 0.95
    backwards = distance_loss_correlations(share[::-1], truths, rendered)
    assert backwards["l1"]["spearman"] < -0.95
    constant = distance_loss_correlations(np.zeros(30), truths, rendered)
    assert constant["l1"] == {"pearson": None, "spearman": None}
    own = distance_loss_correlations(share, truths, rendered, {"critics": 3 - share})
    assert own["critics"]["pearson"] == pytest.approx(-1.0)


@pytest.mark.soak
def test_a_million_frames_a_second():
    codes = np.random.default_rng(0).integers(0, 8, (40_000, 16, 14, 8), dtype=np.uint8)
    index = HammingIndex(codes, 8)
    started = time.process_time()
    for query in codes[:10]:
        index.distances(query)
    assert 10 * len(index) / (time.process_time() - started) > 1e6
