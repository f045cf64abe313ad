"""Segments at key frames (Appendix D, step 2)."""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from data_pipeline.media import FrameIndex


def _without(segments, gaps) -> Iterator[tuple[float, float]]:
    """Segments less the gaps, both (start, end) in order."""
    for start, end in segments:
        for first, last in gaps:
            if start < first < end:
                yield start, first
                start = last
        if start < end:
            yield start, end


def split_at_key_frames(
    index: FrameIndex, segment_seconds: float, max_seconds: float = math.inf
) -> list[tuple[float, float]]:
    """Cuts as `ffmpeg -f segment -segment_time S` does, so no segment reaches across a cut.

    Segment n ends at the first key frame at or after (n + 1) * segment_seconds from the start of
    the video; half a frame of tolerance keeps a key frame that belongs on the border there.
    Footage without key frames for longer than max_seconds is divided there into equal parts, so
    that no clip grows without bounds. Where a picture stands for longer than that, a segment ends
    with it, and the next one begins with the next picture.

    Args:
        index: Frame times of the video.
        segment_seconds: Target length.
        max_seconds: Longest segment.

    Returns:
        (start, end) in seconds, in order, without gaps but those; the last one ends with the last
        frame.

    Raises:
        ValueError: segment_seconds or max_seconds is not positive.
    """
    for name, value in (("segment_seconds", segment_seconds), ("max_seconds", max_seconds)):
        if value <= 0:
            raise ValueError(f"{name} must be positive. Received: {value}")
    first, tolerance = index.times[0], index.frame_seconds / 2
    starts = [first]
    for time in index.key_times:
        if time - first >= len(starts) * segment_seconds - tolerance and time > starts[-1]:
            starts.append(time)
    ends = starts[1:] + [index.times[-1] + index.frame_seconds]
    segments = []
    still = np.flatnonzero(np.diff(index.times) > max_seconds)
    for start, end in _without(
        zip(starts, ends, strict=True),
        [(index.times[i] + index.frame_seconds, index.times[i + 1]) for i in still],
    ):
        parts = max(1, math.ceil((end - start - tolerance) / max_seconds))
        inner = index.times[
            np.searchsorted(index.times, np.linspace(start, end, parts + 1)[1:-1] - tolerance)
        ]
        edges = [start, *inner, end]
        segments += [(float(a), float(b)) for a, b in itertools.pairwise(edges) if b > a]
    return segments
