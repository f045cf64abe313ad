"""Sound in pieces, collected into the stretches that jobs of clips need."""

import numpy as np
import pytest

from data_pipeline.sound import stretches


def pieces_of(waveform, rng, most=700):
    first = 0
    while first < len(waveform):
        length = int(rng.integers(1, most))
        yield first, waveform[first : first + length]
        first += length


@pytest.mark.parametrize("overlap", [-900, 0, 1, 480])
@pytest.mark.parametrize("seed", range(4))
def test_stretches_are_the_sound_s_parts(overlap, seed):
    """Also where one begins before the last one has ended, by half a frame, say."""
    rng = np.random.default_rng(seed)
    waveform = np.float32(rng.uniform(-1, 1, 20_000))
    ends = np.cumsum(rng.integers(1500, 3500, 7))
    spans = [(0, ends[0])]
    spans += [(int(a) - overlap, int(b)) for a, b in zip(ends, ends[1:], strict=False)]
    found = list(stretches(pieces_of(waveform, rng), spans))
    assert [each.first for each in found] == [first for first, _ in spans]
    for (first, end), each in zip(spans, found, strict=True):
        expected = waveform[first:end]
        np.testing.assert_array_equal(each.samples[: len(expected)], expected)
        assert not each.samples[len(expected) :].any()
        samples, covered = each.cut(first, end - first)
        np.testing.assert_array_equal(samples, each.samples)
        assert covered == len(expected)


def test_samples_that_are_no_numbers_are_refused():
    waveform = np.zeros(100, np.float32)
    waveform[70] = np.nan
    found = stretches(iter([(0, waveform)]), [(0, 50), (50, 100)])
    assert not next(found).samples.any()
    with pytest.raises(ValueError, match="samples that are not finite"):
        next(found)
