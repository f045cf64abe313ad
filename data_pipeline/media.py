"""Media files, read.

With `mp4.py`, `remux.py`, `pipes.py` and `uploads.py` the only module that opens PyAV containers.

Every time is in seconds on the file's presentation timeline, whose zero is the same for picture and
sound, so that a frame at time t belongs to the samples around t * sample_rate.
"""

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from data_pipeline.mp4 import LiveMp4, write_mp4
from data_pipeline.resample import turns
from data_pipeline.sound import Stretch, resampled, stretches, to_waveform

__all__ = [
    "FrameIndex",
    "LiveMp4",
    "MediaInfo",
    "decode_frames",
    "index_frames",
    "open_sound",
    "probe",
    "read_audio",
    "read_video",
    "sound_stretches",
    "write_mp4",
]


@dataclasses.dataclass(frozen=True)
class MediaInfo:
    """What a file holds.  `fps` (mean), `height` and `width` are 0 without a picture.

    Height and width are those of the upright picture.
    """

    has_video: bool
    has_audio: bool
    fps: float
    height: int
    width: int
    duration: float  # seconds, 0 where the container does not tell


@dataclasses.dataclass(frozen=True)
class FrameIndex:
    """Frame times of a video stream, known without decoding it."""

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


@contextlib.contextmanager
def _open(path: str | os.PathLike) -> Iterator:
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
        container = av.open(str(path), metadata_errors="replace")
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


def _stream(container, kind: str):
    """First stream of a kind ("video" or "audio"), or None; cover pictures do not count."""
    import av

    for stream in container.streams:
        if stream.type == kind and not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    return None


def _required_stream(container, kind: str, path: str | os.PathLike):
    stream = _stream(container, kind)
    if stream is None:
        raise ValueError(f"{path}: has no {kind} stream")
    return stream


def _origin(container) -> float:
    """Zero of the presentation timeline, in the container's own seconds.

    MPEG streams start anywhere: their start is the zero.  A start below zero is an encoder's
    priming that players skip, unless the picture itself starts there.
    """
    start = (container.start_time or 0) * 1e-6
    if start >= 0:
        return start
    video = _stream(container, "video")
    if video is None or video.start_time is None:
        return 0.0
    return min(0.0, float(video.start_time * video.time_base))


def _packets(container, stream) -> Iterator:
    """Packets of a stream; a file that breaks off ends there."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.error.FFmpegError):
            return


def _frames(container, stream) -> Iterator:
    """Decoded frames with timestamps."""
    return _decoded(_packets(container, stream))


def _decoded(packets: Iterable) -> Iterator:
    """Decoded frames with timestamps; packets that cannot be decoded are passed over."""
    import av

    for packet in packets:
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            continue
        yield from (frame for frame in frames if frame.pts is not None)


def probe(path: str | os.PathLike, require: Iterable[str] = ()) -> MediaInfo:
    """What a media file holds, read from its headers and its first picture.

    Args:
        path: Video or audio file.
        require: Streams it must have: "video", "audio" or both.

    Raises:
        FileNotFoundError, IsADirectoryError: No such file.
        ValueError: Empty, truncated or no media file, or a required stream is missing.
    """
    with _open(path) as container:
        for kind in require:
            _required_stream(container, kind, path)
        video, audio = _stream(container, "video"), _stream(container, "audio")
        height, width = (video.height, video.width) if video else (0, 0)
        first = next(_frames(container, video), None) if video else None  # knows its rotation
        if first is not None and turns(first.rotation) in (90, 270):
            height, width = width, height
        return MediaInfo(
            has_video=video is not None,
            has_audio=audio is not None,
            fps=float(video.average_rate or video.guessed_rate or 0) if video else 0.0,
            height=height,
            width=width,
            duration=(container.duration or 0) * 1e-6,
        )


def index_frames(path: str | os.PathLike) -> FrameIndex:
    """Times of all frames and of the key frames, from the packets (nothing is decoded).

    Raises:
        ValueError: No video stream, or no frame in it.
    """
    with _open(path) as container:
        stream = _required_stream(container, "video", path)
        origin, base = _origin(container), float(stream.time_base)
        packets = [  # not the packets themselves, which hold their data
            (packet.pts, packet.dts, packet.is_keyframe, packet.is_discard)
            for packet in _packets(container, stream)
            if packet.size
        ]
        timed = all(pts is not None for pts, *_ in packets)
        if timed:
            shown = [(pts, key) for pts, _, key, discard in packets if not discard]
            entries = {pts: (pts, dts) for pts, dts, key, _ in packets if key}
            # An edit list may begin between key frames: the packets before are decoded, not shown.
            before = [(pts, dts) for pts, dts, key, discard in packets if key and discard]
            if shown and before and not shown[0][1]:
                first = min(pts for pts, _ in shown)
                shown.append((first, True))
                entries[first] = before[-1]
        else:  # AVI with B-frames: only decoding tells
            container.seek(0)
            shown = [(frame.pts, frame.key_frame) for frame in _frames(container, stream)]
    if not shown:
        raise ValueError(f"{path}: has a video stream without any frames")
    keys = sorted({pts for pts, key in shown if key}) or [min(pts for pts, _ in shown)]
    starts = None
    if timed and all(entries.get(key, (0, None))[1] is not None for key in keys):
        starts = tuple(entries[key] for key in keys)
    times = np.unique([pts for pts, _ in shown]) * base - origin
    key_times = np.array(keys) * base - origin
    # What is shown before the first key frame (a recording that starts anywhere) has no decoding.
    return FrameIndex(times[times >= key_times[0]], key_times, starts)


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
        container = stack.enter_context(_open(path))
        packets = _packets_from(container, _required_stream(container, "video", path), entry)
        if packets is None:  # This container cannot seek: read on from its beginning.
            container = stack.enter_context(_open(path))
            stream = _required_stream(container, "video", path)
            packets = itertools.dropwhile(
                lambda packet: packet.pts != entry[0], _packets(container, stream)
            )
        stream = _stream(container, "video")
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        origin = _origin(container)
        for frame in _decoded(packets):
            yield frame.time - origin, frame


def _packets_from(container, stream, entry) -> Iterator | None:
    """Packets from an entry on, reached by seeking; None where that fails."""
    import av

    if entry is None:
        return _packets(container, stream)
    pts, dts = entry
    for seconds_before in (0, 5):
        target = dts - round(seconds_before / stream.time_base)
        try:
            container.seek(target, stream=stream)
        except av.error.FFmpegError:
            continue
        packets = _packets(container, stream)
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


def read_audio(path: str | os.PathLike, sample_rate: int = 24000) -> np.ndarray:
    """Sound of a video or audio file: float32 [samples], mono, in [-1, 1].

    Sample n sounds at n / sample_rate seconds of the presentation timeline: sound that starts late
    or has gaps is padded with silence, sound before the timeline's zero is cut.

    Raises:
        FileNotFoundError, IsADirectoryError: No such file.
        ValueError: No media file, no audio stream, no samples, or samples that are not finite.
    """
    with _open(path) as container:
        stream = _required_stream(container, "audio", path)
        origin = _origin(container)
        frames = ((frame.time - origin, frame) for frame in _frames(container, stream))
        waveform = to_waveform(resampled(frames, sample_rate))
    if not len(waveform):
        raise ValueError(f"{path}: has an audio stream without any samples")
    if not np.isfinite(waveform).all():
        raise ValueError(f"{path}: its sound has samples that are not finite numbers")
    return np.clip(waveform, -1.0, 1.0, out=waveform)


@contextlib.contextmanager
def open_sound(path: str | os.PathLike) -> Iterator[tuple]:
    """Opens a file for its sound: (container, stream, origin of the timeline, packets).

    Raises:
        ValueError, OSError: No media file, or no audio stream.
    """
    with _open(path) as container:
        stream = _required_stream(container, "audio", path)
        yield container, stream, _origin(container), _packets(container, stream)


def sound_stretches(
    path: str | os.PathLike, spans: Sequence[tuple[int, int]], sample_rate: int = 24000
) -> Iterator[Stretch]:
    """Sound of a file in pieces: one decode, cut by timestamps, in bounded memory.

    Args:
        path: Video or audio file.
        spans: (first sample, end) of each piece on the presentation timeline, in order.
        sample_rate: Samples a second.

    Raises:
        ValueError: No media file, no audio stream, or samples that are not finite.
    """
    with _open(path) as container:
        stream = _required_stream(container, "audio", path)
        origin = _origin(container)
        frames = ((frame.time - origin, frame) for frame in _frames(container, stream))
        try:
            yield from stretches(resampled(frames, sample_rate), spans)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
