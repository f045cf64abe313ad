"""One file of footage to clips: first a plan from its frame times, then jobs of a minute each."""

import dataclasses
import itertools
import os
from collections.abc import Iterator

import numpy as np

from data_pipeline.clip_settings import ClipSettings
from data_pipeline.containers import check_whole, open_container
from data_pipeline.crop import crop_box
from data_pipeline.media import decode_frames, index_frames, probe, sound_stretches
from data_pipeline.mel import SAMPLE_RATE, log_mel, mel_spectrogram
from data_pipeline.resample import Planes, at_constant_rate, num_output_frames
from data_pipeline.schema import Clip, encode_frame
from data_pipeline.segment import split_at_key_frames
from data_pipeline.sound import Stretch
from data_pipeline.suggestions import PictureWatcher, sound_reasons
from data_pipeline.trim import trim

_ROUNDING = 1e-6  # seconds
_JOB_SECONDS = 60.0  # a file is cut in jobs of at least this; results must not depend on workers


@dataclasses.dataclass(frozen=True)
class Window:
    """A clip to be made; times are seconds on the file's timeline."""

    clip_id: str
    segment: tuple[float, float]  # start and end, before the trims
    source_frames: int  # frames of the footage in the segment
    start: float  # of the clip
    num_frames: int  # of the clip, at the settings' rate


@dataclasses.dataclass(frozen=True)
class Job:
    """Clips of a file that are made together: one decode, which begins at a key frame."""

    path: str
    episode: str
    entry: tuple[int, int] | None  # of FrameIndex, for the first window
    windows: tuple[Window, ...]

    def span(self, fps: float) -> tuple[int, int]:
        """First sample and end of the sound that its clips need."""
        starts = [round(window.start * SAMPLE_RATE) for window in self.windows]
        return starts[0], starts[-1] + _sound_length(self.windows[-1], fps)


@dataclasses.dataclass(frozen=True)
class FilePlan:
    """Clips to be made of a file, and what was left out already, as (name, reason) pairs."""

    path: str
    episode: str
    jobs: tuple[Job, ...]
    short: tuple[tuple[str, str], ...]  # segments below the minimum length
    damage: tuple[tuple[str, str], ...]  # what a whole file would have

    @property
    def windows(self) -> list[Window]:
        """The clips of all jobs."""
        return [window for job in self.jobs for window in job.windows]


@dataclasses.dataclass(frozen=True)
class Cut:
    """A clip that was made, and why a reviewer might drop it."""

    clip: Clip
    suggestions: tuple[str, ...]


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
    segments = split_at_key_frames(index, settings.segment_seconds, settings.max_seconds)
    jobs, windows, entry, short, damage = [], [], None, [], []
    keys = set(index.key_times.tolist())
    for number, segment in enumerate(segments):
        at_key = segment[0] in keys
        if at_key and windows and segment[0] - windows[0].segment[0] >= _JOB_SECONDS:
            jobs.append(Job(str(path), episode, entry, tuple(windows)))
            windows = []
        if not windows and at_key and number:  # the first job just reads from the beginning
            entry = index.entry(segment[0])
        clip_id = f"{name}_{number:04d}"
        start, end = trim(*segment, settings.trim_seconds, settings.trim_longer_than)
        num_frames = num_output_frames(start, end, settings.fps)
        if num_frames < max(1.0, settings.min_seconds * settings.fps - 1e-6):
            reason = f"{end - start:.2f} s is shorter than {settings.min_seconds:g} s"
            short.append((clip_id, reason))
            continue
        source_frames = np.diff(np.searchsorted(index.times, np.subtract(segment, _ROUNDING)))
        windows.append(Window(clip_id, segment, int(source_frames[0]), start, num_frames))
    if windows:
        jobs.append(Job(str(path), episode, entry, tuple(windows)))
    if index.entries is None and jobs:  # Decoding can begin at the start alone: one job.
        every = tuple(window for job in jobs for window in job.windows)
        jobs = [Job(str(path), episode, None, every)]
    found = index.times[-1] + index.frame_seconds
    told = info.picture_end
    if told - found > max(1.0, 0.02 * told):
        damage.append((name, f"its picture breaks off at {found:.1f} s of {told:.1f} s"))
    elif reason := _cut_off(path):
        damage.append((name, reason))
    for (_, end), (start, _) in itertools.pairwise(segments):
        if start - end > _ROUNDING:
            damage.append((name, f"its picture stands still from {end:.1f} s to {start:.1f} s"))
    return FilePlan(str(path), episode, tuple(jobs), tuple(short), tuple(damage))


def _cut_off(path: str | os.PathLike) -> str:
    """Why a file is not whole, as its index tells it; empty where it is."""
    try:
        with open_container(path) as container, open(path, "rb") as file:
            check_whole(container, file, path)
    except ValueError as error:
        return str(error).removeprefix(f"{path}: ")
    return ""


def plan_sound(plan: FilePlan, settings: ClipSettings) -> Iterator[Stretch]:
    """The sound of each job, from one decode of the file by timestamps.

    Raises:
        ValueError: The file's sound cannot be read.
    """
    return sound_stretches(plan.path, [job.span(settings.fps) for job in plan.jobs], SAMPLE_RATE)


def cut_file(
    plan: FilePlan, settings: ClipSettings, threads: int = 0
) -> Iterator[Clip | tuple[str, str]]:
    """Makes the clips of a whole file; see cut_job.

    Yields:
        A Clip, or (clip id, reason) for one that cannot be made, in the plan's order.
    """
    for job, sound in zip(plan.jobs, plan_sound(plan, settings), strict=True):
        for made in cut_job(job, sound, settings, threads):
            yield made.clip if isinstance(made, Cut) else made


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


def cut_job(
    job: Job, sound: Stretch, settings: ClipSettings, threads: int = 0
) -> Iterator[Cut | tuple[str, str]]:
    """Makes the clips of a job, one at a time.

    Sound is cut by timestamps, from the first frame's time on, for exactly as long as the frames
    last; one clip is held at a time, whatever the file's length.

    Args:
        job: Of plan_file.
        sound: Of plan_sound.
        settings: As for the plan.
        threads: Decoder threads; 0 is one a core.

    Yields:
        A Cut, or (clip id, reason) for a clip that cannot be made, in the job's order.
    """
    scaler = settings.scaler(planes=settings.frame_encoding == "jpeg")
    frames, ahead = decode_frames(job.path, threads, job.entry), []
    for window in job.windows:
        length = _sound_length(window, settings.fps)
        samples, covered = sound.cut(round(window.start * SAMPLE_RATE), length)
        if covered < length / 2:
            yield window.clip_id, f"has sound in {covered / length:.0%} of its time only"
            continue
        try:
            pictures = _pictures(window, _frames_of(window, frames, ahead), scaler, settings)
            encoded, watcher = [], PictureWatcher(settings.fps)
            for picture, data in pictures:
                encoded.append(data)
                if settings.suggestions:
                    watcher.add(picture.y if isinstance(picture, Planes) else picture)
        except _DamagedError as error:
            yield window.clip_id, str(error)
            continue
        clip = Clip(
            clip_id=window.clip_id,
            episode=job.episode,
            fps=settings.fps,
            height=settings.height,
            width=settings.width,
            num_frames=window.num_frames,
            frames=tuple(encoded),
            mel=log_mel(mel_spectrogram(samples)),
        )
        reasons = ()
        if settings.suggestions:
            reasons = tuple(map(str, (*watcher.reasons(), *sound_reasons(samples))))
        yield Cut(clip, reasons)


def _sound_length(window: Window, fps: float) -> int:
    return round(window.num_frames * SAMPLE_RATE / fps)


def _pictures(window, frames, scaler, settings) -> Iterator[tuple[np.ndarray | Planes, bytes]]:
    """Each frame of the clip, as a picture and encoded."""
    shown, picture, data = None, None, b""
    for frame in at_constant_rate(frames, window.start, window.num_frames, settings.fps):
        if frame is not shown:
            picture = scaler(frame)
            data = encode_frame(picture, settings.frame_encoding, settings.jpeg_quality)
            shown = frame
        yield picture, data
    for _ in frames:  # to the segment's end, for damage behind the last chosen frame
        pass
