"""Segments at key frames (Appendix D, step 2)."""

from data_pipeline.media import FrameIndex


def split_at_key_frames(index: FrameIndex, segment_seconds: float) -> list[tuple[float, float]]:
    """Cuts as `ffmpeg -f segment -segment_time S` does, so no segment reaches across a cut.

    Segment n ends at the first key frame at or after (n + 1) * segment_seconds from the start of
    the video; half a frame of tolerance keeps a key frame that belongs on the border there.

    Args:
        index: Frame times of the video.
        segment_seconds: Target length.

    Returns:
        (start, end) in seconds, in order, without gaps; the last one ends with the last frame.

    Raises:
        ValueError: segment_seconds is not positive.
    """
    if segment_seconds <= 0:
        raise ValueError(f"segment_seconds must be positive. Received: {segment_seconds}")
    first, tolerance = index.times[0], index.frame_seconds / 2
    starts = [first]
    for time in index.key_times:
        if time - first >= len(starts) * segment_seconds - tolerance and time > starts[-1]:
            starts.append(time)
    ends = starts[1:] + [index.times[-1] + index.frame_seconds]
    return [(float(start), float(end)) for start, end in zip(starts, ends, strict=True)]
