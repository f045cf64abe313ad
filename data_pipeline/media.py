"""Media files: the only module that opens PyAV containers.

Every time is in seconds on the file's presentation timeline, whose zero is the same for picture and
sound, so that a frame at time t belongs to the samples around t * sample_rate.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from data_pipeline.sound import to_waveform


@dataclasses.dataclass(frozen=True)
class MediaInfo:
    """What a file holds.  `fps` (mean), `height` and `width` are 0 without a picture."""

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

    @property
    def frame_seconds(self) -> float:
        """Typical distance of two frames."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.04


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
    """Decoded frames with timestamps; packets that cannot be decoded are passed over."""
    import av

    for packet in _packets(container, stream):
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            continue
        yield from (frame for frame in frames if frame.pts is not None)


def probe(path: str | os.PathLike, require: Iterable[str] = ()) -> MediaInfo:
    """What a media file holds, read from its headers.

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
        return MediaInfo(
            has_video=video is not None,
            has_audio=audio is not None,
            fps=float(video.average_rate or video.guessed_rate or 0) if video else 0.0,
            height=video.height if video else 0,
            width=video.width if video else 0,
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
        packets = [
            (packet.pts, packet.is_keyframe)
            for packet in _packets(container, stream)
            if packet.size and not packet.is_discard
        ]
        if any(pts is None for pts, _ in packets):  # AVI with B-frames: only decoding tells
            container.seek(0)
            packets = [(frame.pts, frame.key_frame) for frame in _frames(container, stream)]
    if not packets:
        raise ValueError(f"{path}: has a video stream without any frames")
    times = np.array([pts for pts, _ in packets]) * base - origin
    keys = times[np.array([key for _, key in packets], dtype=bool)]
    keys = np.unique(keys if len(keys) else times.min())
    # What is shown before the first key frame (a recording that starts anywhere) has no decoding.
    return FrameIndex(np.unique(times[times >= keys[0]]), keys)


def decode_frames(path: str | os.PathLike, threads: int = 0) -> Iterator[tuple[float, object]]:
    """Yields (time, av.VideoFrame) in presentation order, one decode of the whole stream.

    Args:
        path: Video file.
        threads: Decoder threads; 0 is one a core.
    """
    with _open(path) as container:
        stream = _required_stream(container, "video", path)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        origin = _origin(container)
        for frame in _frames(container, stream):
            yield frame.time - origin, frame


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
        waveform = to_waveform(frames, sample_rate)
    if not len(waveform):
        raise ValueError(f"{path}: has an audio stream without any samples")
    if not np.isfinite(waveform).all():
        raise ValueError(f"{path}: its sound has samples that are not finite numbers")
    return np.clip(waveform, -1.0, 1.0, out=waveform)


def write_mp4(
    path: str | os.PathLike,
    frames: Iterable[np.ndarray],
    fps: float,
    audio: np.ndarray | None = None,
    audio_rate: int = 24000,
    comment: str = "generated by nwt_tf",
    crf: int = 18,
    gop_frames: int | None = None,
) -> None:
    """Writes H.264 (yuv420p) and AAC that browsers play; sound keeps its full length.

    Args:
        path: File to write; it appears only when it is complete.
        frames: uint8 [height, width, 3] RGB each, any iterable; odd sizes get their last row or
            column repeated, because yuv420p needs even ones.
        fps: Frames a second.
        audio: float [samples] in [-1, 1], mono, starting with the first frame; None for no sound.
        audio_rate: Samples a second.
        comment: Metadata tag.
        crf: x264's quality, lower is better.
        gop_frames: Distance of key frames, exactly; None leaves them to the encoder.

    Raises:
        ValueError: No frames, a frame of another shape or type, or sound that is not finite.
        OSError: The file cannot be written.
    """
    import av

    path = Path(path)
    if audio is not None and not np.isfinite(audio).all():
        raise ValueError(f"{path}: sound with samples that are not finite numbers")
    beside = path.with_name(path.name + ".tmp")
    try:
        with av.open(str(beside), "w", format="mp4", options={"movflags": "+faststart"}) as output:
            output.metadata["comment"] = comment
            _encode(output, frames, fps, audio, audio_rate, crf, gop_frames)
        os.replace(beside, path)
    except av.error.FFmpegError as error:
        raise OSError(error.errno, f"{path}: cannot be written ({error.strerror})") from error
    finally:
        beside.unlink(missing_ok=True)


def _encode(output, frames, fps, audio, audio_rate, crf, gop_frames) -> None:
    import av

    rate = Fraction(fps).limit_denominator(1001)
    options = {"crf": str(crf), "preset": "medium"}
    if gop_frames:
        options |= {"g": str(gop_frames), "keyint_min": str(gop_frames), "sc_threshold": "0"}
    video = output.add_stream("libx264", rate=rate, options=options)
    video.pix_fmt = "yuv420p"
    sound = None
    if audio is not None:
        sound = output.add_stream("aac", rate=audio_rate, layout="mono", bit_rate=96000)
        samples = np.clip(np.asarray(audio, np.float32).reshape(1, -1), -1.0, 1.0)
    shape = None
    written = 0  # sound samples

    def write_sound(until: int) -> None:
        nonlocal written
        for start in range(written, min(until, samples.shape[1]), 1024):
            block = np.ascontiguousarray(samples[:, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = (
                audio_rate,
                start,
                Fraction(1, audio_rate),
            )
            output.mux(sound.encode(frame))
            written = start + block.shape[1]

    for index, picture in enumerate(frames):
        picture = np.asarray(picture)
        shape = shape or picture.shape
        if picture.dtype != np.uint8 or picture.shape != shape or len(shape) != 3 or shape[2] != 3:
            raise ValueError(
                "frames must be uint8 [height, width, 3] of one size. "
                f"Received: {picture.dtype} {list(picture.shape)} as frame {index}"
            )
        picture = np.pad(picture, ((0, shape[0] % 2), (0, shape[1] % 2), (0, 0)), mode="edge")
        if index == 0:
            video.height, video.width = picture.shape[:2]
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.time_base = index, 1 / rate
        output.mux(video.encode(frame))
        if sound:
            # Whole encoder blocks only, so that the short last one comes last.
            write_sound(int((index + 1) / rate * audio_rate) // 1024 * 1024)
    if shape is None:
        raise ValueError("a video needs at least one frame")
    output.mux(video.encode(None))
    if sound:
        write_sound(samples.shape[1])
        output.mux(sound.encode(None))
