"""Frames of a video: when they are shown, and the decoding of them from any key frame on."""

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Iterator

import numpy as np

from data_pipeline.containers import (
    decoded,
    open_container,
    origin_of,
    packets_of,
    required_stream,
    stream_of,
    timed,
)

_PROGRESSIVE = 1  # of AVFieldOrder; 0 is unknown


@dataclasses.dataclass(frozen=True)
class FrameIndex:
    """Frame times of a video stream, known before it is decoded."""

    times: np.ndarray  # float64 [frames], seconds, ascending
    key_times: np.ndarray  # float64 [key frames], seconds, ascending
    # (pts, dts) of the packet that decoding begins with, of each key frame; None where packets
    # have no times, and only decoding from the start tells them.
    entries: tuple[tuple[int, int], ...] | None = None

    @property
    def frame_seconds(self) -> float:
        """Typical distance of two frames."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.04

    def entry(self, time: float) -> tuple[int, int] | None:
        """Where decoding begins for the key frame at a time."""
        if self.entries is None:
            return None
        return self.entries[int(np.searchsorted(self.key_times, time - 1e-6))]


def index_frames(path: str | os.PathLike) -> FrameIndex:
    """Times of all frames and of the key frames, from the packets; frames are decoded where those
    do not tell, all in AVI with B-frames, a few in interlaced H.264.

    Raises:
        ValueError: No video stream, no frame in it, or times that jump back.
    """
    with open_container(path) as container:
        stream = required_stream(container, "video", path)
        origin, base = origin_of(container), float(stream.time_base)
        told = [  # not the packets themselves, which hold their data
            (packet.pts, packet.dts, packet.is_keyframe, packet.is_discard)
            for packet in packets_of(container, stream)
            if packet.size
        ]
        has_times = all(pts is not None for pts, *_ in told)
        if has_times:
            shown = [(pts, key) for pts, _, key, discard in told if not discard]
            entries = {pts: (pts, dts) for pts, dts, key, _ in told if key}
            # An edit list may begin between key frames: the packets before are decoded, not shown.
            before = [(pts, dts) for pts, dts, key, discard in told if key and discard]
            if shown and before and not shown[0][1]:
                first = min(pts for pts, _ in shown)
                shown.append((first, True))
                entries[first] = before[-1]
        if not has_times:  # AVI with B-frames
            shown = [(frame.pts, frame.key_frame) for frame in _from_start(container, stream)]
        else:
            shown = _without_second_fields(shown, container, stream)
    if not shown:
        raise ValueError(f"{path}: has a video stream without any frames")
    _check_order(path, [dts for _, dts, *_ in told if dts is not None], base)
    keys = sorted({pts for pts, key in shown if key}) or [min(pts for pts, _ in shown)]
    starts = None
    if has_times and all(entries.get(key, (0, None))[1] is not None for key in keys):
        starts = tuple(entries[key] for key in keys)
    times = np.unique([pts for pts, _ in shown]) * base - origin
    key_times = np.array(keys) * base - origin
    # What is shown before the first key frame (a recording that starts anywhere) has no decoding.
    return FrameIndex(times[times >= key_times[0]], key_times, starts)


def _without_second_fields(shown: list, container, stream) -> list:
    """Packets (pts, key) in order, one a frame: those of interlaced H.264 may be fields where an
    encoder chose to (camcorders, television), the second one half a frame behind the first."""
    if stream.codec_context.name != "h264" or stream.codec_context.field_order == _PROGRESSIVE:
        return shown
    first = list(itertools.islice(_from_start(container, stream), 8))
    if len(first) < 2 or not any(frame.interlaced_frame for frame in first):
        return shown
    distance = np.diff(np.unique([frame.pts for frame in first])).min()
    frames = []
    for pts, key in sorted(shown):
        if not frames or pts - frames[-1][0] > 0.75 * distance:
            frames.append((pts, key))
    return frames


def _from_start(container, stream) -> Iterator:
    """Decoded frames from the first one on."""
    container.seek(0)
    return decoded(packets_of(container, stream))


def _check_order(path, times: list[int], base: float) -> None:
    """Refuses files that were joined byte by byte: each part counts from its own beginning, so that
    pictures of one would be taken for another's, with its sound.

    Args:
        times: When packets are decoded, in the file's order.
        base: Seconds of a unit.
    """
    back = np.flatnonzero(np.diff(times) * base < -1.0)
    if len(back):
        after = (times[back[0]] - times[0]) * base
        raise ValueError(
            f"{path}: its timestamps jump back after {after:.1f} s, as in files joined byte by "
            "byte; take the parts, or join them with ffmpeg"
        )


def decode_frames(
    path: str | os.PathLike, threads: int = 0, entry: tuple[int, int] | None = None
) -> Iterator[tuple[float, object]]:
    """Yields (time, av.VideoFrame) in presentation order, one decode of the stream.

    Args:
        path: Video file.
        threads: Decoder threads; 0 is one a core.
        entry: FrameIndex.entry of the key frame to begin with; None is the first one.  Frames that
            are shown before it and decoded after it may come first.
    """
    with contextlib.ExitStack() as stack:
        container = stack.enter_context(open_container(path))
        packets = _packets_from(container, required_stream(container, "video", path), entry)
        if packets is None:  # This container cannot seek: read on from its beginning.
            container = stack.enter_context(open_container(path))
            stream = required_stream(container, "video", path)
            packets = itertools.dropwhile(
                lambda packet: packet.pts != entry[0], packets_of(container, stream)
            )
        stream = stream_of(container, "video")
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        yield from timed(container, packets)


def _packets_from(container, stream, entry) -> Iterator | None:
    """Packets from an entry on, reached by seeking; None where that fails."""
    import av

    if entry is None:
        return packets_of(container, stream)
    pts, dts = entry
    for seconds_before in (0, 5):
        target = dts - round(seconds_before / stream.time_base)
        try:
            container.seek(target, stream=stream)
        except av.error.FFmpegError:
            continue
        packets = packets_of(container, stream)
        for packet in packets:
            # MPEG program streams may give other packets that time after a seek.
            if packet.is_keyframe and (packet.pts, packet.dts) == (pts, dts):
                return itertools.chain([packet], packets)
            if packet.dts is not None and packet.dts > dts:
                break
    return None


def read_video(path: str | os.PathLike) -> np.ndarray:
    """All frames as they are stored: uint8 [frames, height, width, 3], RGB.

    Raises:
        ValueError: No video stream, or no frame in it.
    """
    frames = [frame.to_ndarray(format="rgb24") for _, frame in decode_frames(path)]
    if not frames:
        raise ValueError(f"{path}: has a video stream without any frames")
    return np.stack(frames)
