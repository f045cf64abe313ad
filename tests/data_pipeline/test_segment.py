import numpy as np
import pytest

from data_pipeline import media
from data_pipeline.segment import split_at_key_frames
from data_pipeline.trim import trim
from tests.data_pipeline import footage


def index_of(times, keys):
    times = np.asarray(times, float)
    return media.FrameIndex(times, times[list(keys)])


def as_ffmpeg(packets, segment_time, frame):
    """libavformat/segment.c, packet by packet: the starts of the segments."""
    starts, count = [packets[0][0]], 0
    for time, key in packets:
        end = segment_time * (count + 1)
        if key and time > starts[-1] and time - packets[0][0] >= end - frame / 2:
            starts.append(time)
            count += 1
    return starts


@pytest.mark.parametrize("seed", range(20))
def test_segments_are_those_of_ffmpeg(seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.02, 0.06, 800)) + rng.uniform(-2, 2)
    keys = np.concatenate([[0], np.sort(rng.choice(np.arange(1, 800), 20, replace=False))])
    index = index_of(times, keys)
    segments = split_at_key_frames(index, 1.5)
    packets = [(time, n in keys) for n, time in enumerate(times)]
    assert [start for start, _ in segments] == as_ffmpeg(packets, 1.5, index.frame_seconds)
    assert all(a[1] == b[0] for a, b in zip(segments, segments[1:], strict=False))
    assert segments[-1][1] == pytest.approx(times[-1] + index.frame_seconds)


def test_a_late_key_frame_is_followed_by_the_next_one():
    # Key frames at 0, 5 and 6 s: 5 ends segment 0 (4 s), 8 s are then due, so 6 does not cut.
    index = index_of(np.arange(0, 10, 0.5), [0, 10, 12])
    assert split_at_key_frames(index, 4.0) == [(0.0, 5.0), (5.0, 10.0)]
    # A key frame up to half a frame early still belongs on the border.
    index = index_of([0.0, 1.0, 2.0, 2.6, 4.0], [0, 3])
    assert len(split_at_key_frames(index, 3.0)) == 2
    assert len(split_at_key_frames(index, 3.2)) == 1


def test_segment_seconds_must_be_positive():
    with pytest.raises(ValueError, match="segment_seconds must be positive"):
        split_at_key_frames(index_of([0, 1], [0]), 0)


def test_key_frames_of_real_footage(tmp_path):
    lengths = [30, 25, 40]
    path = footage.write(
        tmp_path / "a.mp4", footage.scenes(lengths), np.arange(95) / 25, keys=(0, 30, 55)
    )
    segments = split_at_key_frames(media.index_frames(path), 1.0)
    np.testing.assert_allclose(segments, [(0, 1.2), (1.2, 2.2), (2.2, 3.8)], atol=1e-4)


def test_trim():
    assert trim(1.0, 4.0, 0.25, 2.0) == (1.25, 3.75)
    assert trim(1.0, 3.0, 0.25, 2.0) == (1.0, 3.0)  # not longer than 2 s
    assert trim(1.0, 9.0, 0.0, 2.0) == (1.0, 9.0)
    for seconds in (-0.1, 1.0):
        with pytest.raises(ValueError, match="trim_seconds must be"):
            trim(0.0, 5.0, seconds, 2.0)
