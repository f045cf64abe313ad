"""Opened media files: with `mp4.py` and `pipes.py` the only module that opens PyAV containers.

Every time is in seconds on the file's presentation timeline, whose zero is the same for picture and
sound, so that a frame at time t belongs to the samples around t * sample_rate.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def open_container(path: str | os.PathLike) -> Iterator:
    """Opens a container for reading; whatever is wrong becomes one line that names the file."""
    import av

    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder, not a video or audio file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: is empty (0 bytes)")
    try:
        # Absolute, as FFmpeg takes what stands before a name's colon for a protocol.
        container = av.open(os.path.abspath(path), metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        with open(path, "rb") as file:
            is_mp4 = file.read(8)[4:] == b"ftyp"
        if is_mp4:
            raise ValueError(
                f"{path}: is a truncated mp4 (its index, the moov atom, is missing or broken); "
                "copy or download it again"
            ) from error
        raise ValueError(f"{path}: is not a readable video or audio file") from error
    try:
        yield container
    finally:
        container.close()


def stream_of(container, kind: str):
    """First stream of a kind ("video" or "audio"), or None; cover pictures do not count.

    Raises:
        ValueError: Sound whose channels are in an order of the file's own, and no known number.
    """
    import av

    for stream in container.streams:
        if stream.type == kind and not stream.disposition & av.stream.Disposition.attached_pic:
            if kind == "audio" and stream.codec_context is not None:
                _order_channels(stream.codec_context)
            return stream
    return None


_own_orders = []


def _order_channels(context) -> None:
    """Gives sound whose channels are in an order of the file's own (6.1 and 7.1 of QuickTime and
    CAF) the usual one, which mixes as well: PyAV 18 frees such an order once for each frame, and
    the process with it. Asked for once, and kept for ever, it is never freed."""
    layout = context.layout
    if " channels (" not in layout.name:
        return
    _own_orders.append(layout)
    usual = {3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}.get(layout.nb_channels)
    if usual is None:
        raise ValueError(f"its sound has {layout.nb_channels} channels in an unknown order")
    context.layout = usual


def required_stream(container, kind: str, path: str | os.PathLike):
    stream = stream_of(container, kind)
    if stream is None:
        raise ValueError(f"{path}: has no {kind} stream")
    return stream


def check_whole(container, file: BinaryIO, name: str | os.PathLike) -> None:
    """Refuses a file that was cut off behind an index that says so, as that of an mp4 does.

    A fragmented mp4, which has an index a fragment, is whole up to its last fragment; of formats
    without an index (wav, mp3, mkv, ...) nobody can tell.

    Args:
        container: The file, opened.
        file: Its bytes.
        name: What errors call it.

    Raises:
        ValueError: It was cut off.
    """
    named = 0
    for stream in container.streams:
        entries = getattr(stream, "index_entries", ())
        if len(entries):
            named = max(named, entries[-1].pos + entries[-1].size)
    held = file.seek(0, os.SEEK_END)
    if named > held and not _is_fragmented(file):
        raise ValueError(
            f"{name}: is cut off (its index names {named} bytes, it holds {held}); "
            "copy or download it again"
        )


def _is_fragmented(file: BinaryIO) -> bool:
    """Whether one of an mp4's outermost boxes is a fragment's index (ISO/IEC 14496-12, 8.8)."""
    position = file.seek(0)
    while len(header := file.read(16)) >= 8:
        size, kind = int.from_bytes(header[:4]), header[4:8]
        if kind == b"moof":
            return True
        if size == 1:  # a 64-bit size follows
            size = int.from_bytes(header[8:])
        if size < 8:  # 0: up to the file's end
            return False
        position = file.seek(position + size)
    return False


def origin_of(container) -> float:
    """Zero of the presentation timeline, in the container's own seconds.

    MPEG streams start anywhere: their start is the zero.  A start below zero is an encoder's
    priming that players skip, unless the picture itself starts there.
    """
    start = (container.start_time or 0) * 1e-6
    if start >= 0:
        return start
    video = stream_of(container, "video")
    if video is None or video.start_time is None:
        return 0.0
    return min(0.0, float(video.start_time * video.time_base))


def end_of(container, stream) -> float:
    """Where a stream ends on the timeline, as the file's header tells it; where that tells of the
    whole file alone, the file's end, and 0 where it tells nothing."""
    whole = (container.duration or 0) * 1e-6
    if stream.duration is not None:
        own = float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    elif tag := re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(float, tag.groups())  # Matroska's, which tells the end
        own = 3600 * hours + 60 * minutes + seconds
    else:
        return whole
    return min(whole, own - origin_of(container))


def packets_of(container, stream) -> Iterator:
    """Packets of a stream; a file that breaks off ends there."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.error.FFmpegError):
            return


def decoded(packets: Iterable) -> Iterator:
    """Decoded frames with timestamps; packets that cannot be decoded are passed over."""
    import av

    for packet in packets:
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            continue
        yield from (frame for frame in frames if frame.pts is not None)


def timed(container, packets: Iterable) -> Iterator[tuple[float, object]]:
    """(time, decoded frame) of packets, on the container's timeline."""
    origin = origin_of(container)
    for frame in decoded(packets):
        yield frame.time - origin, frame
