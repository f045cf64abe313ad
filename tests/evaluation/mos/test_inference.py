"""Means, intervals and tests against the sheet that was worked out by hand."""

import numpy as np
import pytest

from nwt_tf.evaluation.mos.cleaning import clean
from nwt_tf.evaluation.mos.inference import clip_means, comparisons, holm, opinion, opinions
from tests.evaluation.mos import sheet


@pytest.fixture
def kept():
    return clean(sheet.ratings())[0]


def test_the_sheets_means_and_intervals(kept):
    found = opinions(kept)
    assert set(found) == {"overall"}
    for system, (mean, half) in sheet.MOS.items():
        assert found["overall"][system].mean == pytest.approx(mean)
        assert found["overall"][system].half == pytest.approx(half, abs=1e-6)
        assert found["overall"][system].ratings == 6


def test_the_sheets_comparison(kept):
    (test,) = comparisons(kept, "overall")
    difference, half, p = sheet.T_MINUS_X
    assert (test.first, test.second, test.clips) == ("T", "X", 2)
    assert test.difference == pytest.approx(difference)
    assert test.half == pytest.approx(half, abs=1e-5)
    assert test.p == pytest.approx(p, abs=1e-6) == test.p_holm
    assert comparisons(kept, "face") == []


def test_clip_means(kept):
    found = clip_means(kept)
    assert found["overall", "X", "1"].mean == pytest.approx(2)
    assert found["overall", "T", "2"].mean == pytest.approx(14 / 3)


def test_known_quantiles():
    """1, 2, 3, 4, 5: s = sqrt(2.5), t(0.975, 4) = 2.776445."""
    assert opinion([1, 2, 3, 4, 5]).half == pytest.approx(2.776445 * np.sqrt(2.5 / 5), abs=1e-6)
    assert opinion([4, 4, 4]).half == 0
    assert opinion([4]).half is None
    with pytest.raises(ValueError, match="at least one"):
        opinion([])


def test_intervals_cover_what_they_should():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        found = opinion(rng.normal(3, 1, 8))
        hits += abs(found.mean - 3) <= found.half
    assert 0.935 < hits / 2000 < 0.965


def test_holm():
    """0.01 · 4, 0.03 · 3, 0.04 · 2, 0.9, each at least as high as the one before."""
    assert holm([0.04, 0.01, 0.9, 0.03]) == pytest.approx([0.09, 0.04, 0.9, 0.09])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_pairs_without_a_test():
    same = [r._replace(score=3) for r in sheet.ratings() if r.role == "sample"]
    (test,) = comparisons(same, "overall")
    assert (test.difference, test.p, test.p_holm) == (0, None, None)
    one = [r for r in same if r.clip == "1"]
    (test,) = comparisons(one, "overall")
    assert (test.clips, test.half, test.p) == (1, None, None)
    apart = [r for r in same if (r.system, r.clip) in (("X", "1"), ("T", "2"))]
    assert comparisons(apart, "overall") == []
