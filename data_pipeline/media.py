"""Media files, read: what they hold, their pictures and their sound.

Every time is in seconds on the file's presentation timeline; see `containers.py`.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from data_pipeline.containers import (
    check_whole,
    decoded,
    end_of,
    open_container,
    origin_of,
    packets_of,
    required_stream,
    stream_of,
    timed,
)
from data_pipeline.frames import FrameIndex, decode_frames, index_frames, read_video
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
    """What a file holds.

    `fps` (mean), `height`, `width` and `picture_end` are 0 without a picture.  Height and
    width are those of the upright picture.
    """

    has_audio: bool
    fps: float
    height: int
    width: int
    duration: float  # seconds, 0 where the container does not tell
    picture_end: float  # on the timeline, as the container tells it; its sound may last longer


def probe(path: str | os.PathLike, require: Iterable[str] = (), whole: bool = False) -> MediaInfo:
    """What a media file holds, read from its headers and its first picture.

    Args:
        path: Video or audio file.
        require: Streams it must have: "video", "audio" or both.
        whole: Whether a file that was cut off is refused, see check_whole.

    Raises:
        FileNotFoundError, IsADirectoryError: No such file.
        ValueError: Empty, truncated or no media file, or a required stream is missing.
    """
    with open_container(path) as container:
        if whole:
            _check_whole(container, path)
        for kind in require:
            required_stream(container, kind, path)
        video, audio = stream_of(container, "video"), stream_of(container, "audio")
        height, width = (video.height, video.width) if video else (0, 0)
        # The first picture knows its rotation.
        first = next(decoded(packets_of(container, video)), None) if video else None
        if first is not None and turns(first.rotation) in (90, 270):
            height, width = width, height
        return MediaInfo(
            has_audio=audio is not None,
            fps=float(video.average_rate or video.guessed_rate or 0) if video else 0.0,
            height=height,
            width=width,
            duration=(container.duration or 0) * 1e-6,
            picture_end=end_of(container, video) if video else 0.0,
        )


def _check_whole(container, path) -> None:
    with open(path, "rb") as file:
        check_whole(container, file, path)


def read_audio(
    path: str | os.PathLike, sample_rate: int = 24000, whole: bool = False
) -> np.ndarray:
    """Sound of a video or audio file: float32 [samples], mono, in [-1, 1].

    Sample n sounds at n / sample_rate seconds of the presentation timeline: sound that starts late
    or has gaps is padded with silence, sound before the timeline's zero is cut.

    Args:
        path: Video or audio file.
        sample_rate: Samples a second.
        whole: Whether a file that was cut off is refused, see check_whole.

    Raises:
        FileNotFoundError, IsADirectoryError: No such file.
        ValueError: No media file or a cut one, no audio stream, no samples, or samples that are not
            finite.
    """
    with open_container(path) as container:
        stream = required_stream(container, "audio", path)
        if whole:
            _check_whole(container, path)
        frames = timed(container, packets_of(container, stream))
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
    with open_container(path) as container:
        stream = required_stream(container, "audio", path)
        yield container, stream, origin_of(container), packets_of(container, stream)


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
    with open_container(path) as container:
        stream = required_stream(container, "audio", path)
        frames = timed(container, packets_of(container, stream))
        try:
            yield from stretches(resampled(frames, sample_rate), spans)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
