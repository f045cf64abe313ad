"""One file of footage to clips: first a plan from its frame times, then one decode of it."""

import dataclasses
import os
from collections.abc import Iterator, Sequence

import numpy as np

from data_pipeline.crop import crop_box
from data_pipeline.media import decode_frames, index_frames, probe, read_audio
from data_pipeline.mel import SAMPLE_RATE, log_mel, mel_spectrogram
from data_pipeline.resample import PictureScaler, at_constant_rate, num_output_frames
from data_pipeline.schema import Clip, encode_frame
from data_pipeline.segment import split_at_key_frames
from data_pipeline.trim import trim

_ROUNDING = 1e-6  # seconds


@dataclasses.dataclass(frozen=True)
class ClipSettings:
    """How clips are cut out of footage; configs/footage.py explains the fields."""

    height: int
    width: int
    fps: float
    crop: Sequence[int]
    segment_seconds: float
    trim_seconds: float
    trim_longer_than: float
    min_seconds: float
    frame_encoding: str
    jpeg_quality: int

    def __post_init__(self):
        for name in ("height", "width", "fps", "segment_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive. Received: {getattr(self, name)}")
        if self.frame_encoding not in ("jpeg", "png"):
            raise ValueError(f"frame_encoding must be jpeg or png. Received: {self.frame_encoding}")
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality must be 1 to 100. Received: {self.jpeg_quality}")
        if len(self.crop) != 4:
            raise ValueError(
                f"crop must be (top, bottom, left, right). Received: {tuple(self.crop)}"
            )
        trim(0.0, 0.0, self.trim_seconds, self.trim_longer_than)


@dataclasses.dataclass(frozen=True)
class Window:
    """A clip to be made; times are seconds on the file's timeline."""

    clip_id: str
    segment: tuple[float, float]  # start and end, before the trims
    source_frames: int  # frames of the footage in the segment
    start: float  # of the clip
    num_frames: int  # of the clip, at the settings' rate


@dataclasses.dataclass(frozen=True)
class FilePlan:
    """Clips to be made of a file, and what was left out already, as (name, reason) pairs."""

    path: str
    episode: str
    windows: tuple[Window, ...]
    short: tuple[tuple[str, str], ...]  # segments below the minimum length
    damage: tuple[tuple[str, str], ...]  # what a whole file would have


def plan_file(path: str | os.PathLike, name: str, episode: str, settings: ClipSettings) -> FilePlan:
    """Plans the clips of a file without decoding it: segments, trims, minimum length.

    Args:
        path: Video file with sound.
        name: Start of the clip ids; clip n of the file is NAME_000n.
        episode: Episode of its clips.
        settings: How to cut.

    Raises:
        ValueError, OSError: The file cannot be used, with the reason.
    """
    info = probe(path, require=("video", "audio"))
    crop_box(settings.crop, info.height, info.width)
    index = index_frames(path)
    windows, short, damage = [], [], []
    for number, segment in enumerate(split_at_key_frames(index, settings.segment_seconds)):
        clip_id = f"{name}_{number:04d}"
        start, end = trim(*segment, settings.trim_seconds, settings.trim_longer_than)
        num_frames = num_output_frames(start, end, settings.fps)
        if num_frames < max(1.0, settings.min_seconds * settings.fps - 1e-6):
            reason = f"{end - start:.2f} s is shorter than {settings.min_seconds:g} s"
            short.append((clip_id, reason))
            continue
        source_frames = np.diff(np.searchsorted(index.times, np.subtract(segment, _ROUNDING)))
        windows.append(Window(clip_id, segment, int(source_frames[0]), start, num_frames))
    found = index.times[-1] + index.frame_seconds
    if info.duration - found > max(1.0, 0.02 * info.duration):
        damage.append((name, f"its picture breaks off at {found:.1f} s of {info.duration:.1f} s"))
    return FilePlan(str(path), episode, tuple(windows), tuple(short), tuple(damage))


class _DamagedError(ValueError):
    """Frames of a segment cannot be decoded."""


def _frames_of(window: Window, frames: Iterator, ahead: list) -> Iterator[tuple[float, object]]:
    """Frames of the window's segment; the one behind it stays in `ahead` for the next window.

    A decoder goes on after damage, with frames missing, marked, or (until the next key frame, where
    the next segment begins) wrong: so one bad frame makes the whole segment unusable.
    """
    found = 0
    while ahead or (item := next(frames, None)):
        time, frame = ahead.pop() if ahead else item
        if time >= window.segment[1] - _ROUNDING:
            ahead.append((time, frame))
            break
        if time >= window.segment[0] - _ROUNDING:
            found += not frame.is_corrupt
            yield time, frame
    if found < window.source_frames:
        lost = window.source_frames - found
        raise _DamagedError(f"{lost} of its {window.source_frames} frames cannot be decoded")


def cut_file(
    plan: FilePlan, settings: ClipSettings, threads: int = 0
) -> Iterator[Clip | tuple[str, str]]:
    """Makes the planned clips, one at a time: one decode of the picture, one of the sound.

    Sound is cut from that one decode by timestamps, from the first frame's time on, for exactly as
    long as the frames last; only a clip's encoded frames are held, whatever the file's length.

    Args:
        plan: From plan_file.
        settings: As for the plan.
        threads: Decoder threads; 0 is one a core.

    Yields:
        A Clip, or (clip id, reason) for one that cannot be made, in the plan's order.

    Raises:
        ValueError, OSError: The file's sound cannot be read.
    """
    waveform = read_audio(plan.path)
    scaler = PictureScaler(settings.height, settings.width, settings.crop)
    frames, ahead = decode_frames(plan.path, threads), []
    for window in plan.windows:
        sound = _sound(waveform, window, settings.fps)
        if sound is None:
            yield window.clip_id, "its file's sound ends before it"
            continue
        try:
            encoded = _pictures(window, _frames_of(window, frames, ahead), scaler, settings)
        except _DamagedError as error:
            yield window.clip_id, str(error)
            continue
        yield Clip(
            clip_id=window.clip_id,
            episode=plan.episode,
            fps=settings.fps,
            height=settings.height,
            width=settings.width,
            num_frames=window.num_frames,
            frames=encoded,
            mel=log_mel(mel_spectrogram(sound)),
        )


def _sound(waveform: np.ndarray, window: Window, fps: float) -> np.ndarray | None:
    """The window's samples, padded with silence; None where less than half of them exist."""
    length = round(window.num_frames * SAMPLE_RATE / fps)
    first = round(window.start * SAMPLE_RATE)
    sound = waveform[max(0, first) : max(0, first + length)]
    if len(sound) < length / 2:
        return None
    before = max(0, -first)
    return np.pad(sound, (before, length - before - len(sound)))


def _pictures(window, frames, scaler, settings) -> tuple[bytes, ...]:
    encoded, shown, picture = [], None, b""
    for frame in at_constant_rate(frames, window.start, window.num_frames, settings.fps):
        if frame is not shown:
            picture = encode_frame(scaler(frame), settings.frame_encoding, settings.jpeg_quality)
            shown = frame
        encoded.append(picture)
    for _ in frames:  # to the segment's end, for damage behind the last chosen frame
        pass
    return tuple(encoded)
