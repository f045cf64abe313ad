"""A folder of footage to a dataset of shards, by worker processes (Appendix D)."""

import collections
import contextlib
import dataclasses
import importlib.metadata
import os
import pickle
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_pipeline.clips import ClipSettings, FilePlan, cut_file, plan_file
from data_pipeline.schema import Clip, serialize
from data_pipeline.shards import MANIFEST, SPLITS, Manifest, Shard, ShardWriter, Skip
from data_pipeline.split import assign_splits
from data_pipeline.workers import Progress, WorkerPool, available_cores, count

VIDEO_SUFFIXES = frozenset(
    ".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .vob .webm .wmv".split()
)
_PARTS = ".parts"  # within the output folder, while a build runs


def find_videos(input_dir: str | os.PathLike) -> list[tuple[Path, str, str]]:
    """Lists the footage in a folder and its subfolders.

    Returns:
        (path, name, episode) in the order of their paths.  The episode of a file is the subfolder
        that it lies in, else its own stem; the name is unique and starts its clips' ids.

    Raises:
        FileNotFoundError, NotADirectoryError: No such folder.
        ValueError: No videos in it.
    """
    input_dir = Path(input_dir)
    if not input_dir.exists():
        raise FileNotFoundError(f"{input_dir}: no such folder")
    if not input_dir.is_dir():
        raise NotADirectoryError(f"{input_dir}: is a file; --input_dir takes a folder of videos")
    paths = sorted(
        path.relative_to(input_dir)
        for path in input_dir.rglob("*")
        if path.suffix.lower() in VIDEO_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(input_dir).parts)
    )
    if not paths:
        raise ValueError(f"{input_dir}: holds no videos ({' '.join(sorted(VIDEO_SUFFIXES))})")
    stems = collections.Counter(path.with_suffix("") for path in paths)
    videos = []
    for path in paths:
        name = (path if stems[path.with_suffix("")] > 1 else path.with_suffix("")).as_posix()
        episode = path.parent.as_posix() if path.parent != Path(".") else path.stem
        videos.append((input_dir / path, name, episode))
    return videos


def _plan(path: Path, name: str, episode: str, settings: ClipSettings) -> FilePlan | str:
    """A worker's task: the plan of a file, or why it cannot be used."""
    try:
        return plan_file(path, name, episode, settings)
    except (ValueError, OSError) as error:
        return str(error)


def _cut(plan: FilePlan, part: Path, settings: ClipSettings, threads: int) -> list | str:
    """A worker's task: writes a file's clips to `part`, so that no process holds more than one.

    Returns:
        (clip id, reason) of clips that cannot be made, or why the whole file cannot be used.
    """
    skipped = []
    clips = cut_file(plan, settings, threads)
    try:
        with open(part, "wb") as file:
            while True:
                try:
                    clip = next(clips, None)
                except (ValueError, OSError) as error:
                    return str(error)
                if clip is None:
                    return skipped
                if isinstance(clip, Clip):
                    pickle.dump(clip, file)
                    count(clip.num_frames)
                else:
                    skipped.append(clip)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(part)) from error


def _read_part(part: Path) -> Iterator[Clip]:
    """Clips that _cut wrote."""
    with open(part, "rb") as file:
        while file.peek(1):
            yield pickle.load(file)


class _Skips:
    """Takes down what is left out; with `strict` that is an error."""

    def __init__(self, input_dir: Path, strict: bool):
        self.input_dir, self.strict = input_dir, strict
        self.files: list[Skip] = []
        self.clips: list[Skip] = []

    def file(self, path: str | os.PathLike, reason: str) -> None:
        name = Path(path).relative_to(self.input_dir).as_posix()
        self._add(self.files, name, reason.removeprefix(f"{path}: "))

    def clip(self, clip_id: str, reason: str) -> None:
        self._add(self.clips, clip_id, reason)

    def short_clip(self, clip_id: str, reason: str) -> None:
        self.clips.append(Skip(clip_id, reason))

    def __str__(self) -> str:
        first = (self.files + self.clips)[0]
        return f"the first is {first.name}: {first.reason}"

    def _add(self, skips: list[Skip], name: str, reason: str) -> None:
        if self.strict:
            raise ValueError(f"--strict: {name} cannot be used: {reason}")
        skips.append(Skip(name, reason))


def _plan_files(pool: WorkerPool, videos: Sequence, settings, skips: _Skips) -> list[FilePlan]:
    """Plans of the files that can be used."""
    plans = []
    results = pool.in_order(_plan, [(*video, settings) for video in videos])
    for (path, _, _), plan in zip(videos, results, strict=True):
        if isinstance(plan, str):
            skips.file(path, plan)
            continue
        for clip in plan.short:
            skips.short_clip(*clip)
        for clip in plan.damage:
            skips.clip(*clip)
        if plan.windows:
            plans.append(plan)
        else:
            skips.file(path, f"shorter than a clip of {settings.min_seconds:g} s")
    if not plans:
        raise ValueError(f"{skips.input_dir}: none of its videos can be used; {skips}")
    return plans


def _write_shards(
    pool: WorkerPool, plans, output_dir: Path, shard_bytes: int, settings, split_of, skips: _Skips
) -> dict[str, list[Shard]]:
    """Makes the clips of all plans and writes them in the plans' order."""
    parts = [output_dir / _PARTS / f"{number:05d}" for number in range(len(plans))]
    threads = max(1, available_cores() // pool.num_workers)
    tasks = [(plan, part, settings, threads) for plan, part in zip(plans, parts, strict=True)]
    progress = Progress(sum(w.num_frames for plan in plans for w in plan.windows), "frames")
    with contextlib.ExitStack() as stack:
        writers = {
            split: stack.enter_context(ShardWriter(output_dir, split, shard_bytes))
            for split in SPLITS
        }
        results = pool.in_order(_cut, tasks, progress)
        for plan, part, result in zip(plans, parts, results, strict=True):
            if isinstance(result, str):
                skips.file(plan.path, result)
            else:
                for clip in result:
                    skips.clip(*clip)
                for clip in _read_part(part):
                    writer = writers[split_of[clip.clip_id]]
                    writer.write(serialize(clip), clip.clip_id, clip.num_frames)
            part.unlink()
        progress.clear()
    return {split: writer.shards for split, writer in writers.items()}


def _remove_dataset(output_dir: Path) -> None:
    """Removes a dataset, or what an interrupted build left; nothing else in the folder."""
    (output_dir / MANIFEST).unlink(missing_ok=True)
    for split in SPLITS:
        for path in output_dir.glob(f"{split}-[0-9][0-9][0-9][0-9][0-9].tfrecord*"):
            path.unlink()
    shutil.rmtree(output_dir / _PARTS, ignore_errors=True)


def _versions() -> dict[str, str]:
    packages = ("tensorflow", "av", "librosa", "numpy", "opencv-python-headless")
    return {name: importlib.metadata.version(name) for name in packages}


def build_dataset(
    input_dir: str | os.PathLike,
    output_dir: str | os.PathLike,
    *,
    height: int = 256,
    width: int = 224,
    fps: float = 30.0,
    crop: Sequence[int] = (0, 0, 0, 0),
    segment_seconds: float = 4.0,
    trim_seconds: float = 0.25,
    trim_longer_than: float = 2.0,
    min_seconds: float = 1.0,
    frame_encoding: str = "jpeg",
    jpeg_quality: int = 95,
    validation_fraction: float = 0.05,
    test_fraction: float = 0.05,
    validation_episodes: Sequence[str] = (),
    test_episodes: Sequence[str] = (),
    split_seed: int = 0,
    shard_megabytes: float = 200.0,
    num_workers: int | None = None,
    overwrite: bool = False,
    strict: bool = False,
) -> Manifest:
    """Builds a dataset: footage to clips to shards and their manifest (Appendix D).

    The bytes that are written do not depend on num_workers.  Files and clips that cannot be used
    are left out and named in the manifest, with reasons.

    Args:
        input_dir: Folder of videos; files in a subfolder belong to the episode of its name, others
            are an episode each.
        output_dir: Folder to write, made if it is missing.
        height, width, fps: Of the stored frames, in pixels and frames a second.
        crop: (top, bottom, left, right) in source pixels; 0 as bottom or right: to the edge.
        segment_seconds: Target length of segments, which begin at key frames.
        trim_seconds, trim_longer_than: Trim at both ends, of segments longer than this.
        min_seconds: Shorter clips are left out.
        frame_encoding, jpeg_quality: "jpeg" or "png".
        validation_fraction, test_fraction, validation_episodes, test_episodes, split_seed: See
            split.assign_splits.
        shard_megabytes: A shard is closed at this size.
        num_workers: Processes, one file each at a time; None is one a core.
        overwrite: Replace a dataset that is already in output_dir.
        strict: A file or clip that cannot be used is an error; short clips are not.

    Returns:
        The manifest that was saved.

    Raises:
        FileNotFoundError, NotADirectoryError, FileExistsError: About the folders.
        ValueError: A setting out of range, no usable video, or with `strict` anything unusable.
        OSError: The disk is full or broken; finished shards stay, the one under way is removed.
    """
    config = {
        name: list(value) if isinstance(value, list | tuple) else value
        for name, value in locals().items()
        if name not in ("input_dir", "output_dir", "num_workers", "overwrite", "strict")
    }
    settings = ClipSettings(
        **{field.name: config[field.name] for field in dataclasses.fields(ClipSettings)}
    )
    output_dir = Path(output_dir)
    videos = find_videos(input_dir)
    if output_dir.exists() and not output_dir.is_dir():
        raise NotADirectoryError(f"{output_dir}: is a file; --output_dir takes a folder")
    if (output_dir / MANIFEST).exists() and not overwrite:
        raise FileExistsError(f"{output_dir}: already holds a dataset; --overwrite replaces it")
    if num_workers is not None and num_workers < 1:
        raise ValueError(f"num_workers must be at least 1. Received: {num_workers}")
    skips = _Skips(Path(input_dir), strict)
    with WorkerPool(min(num_workers or available_cores(), len(videos))) as pool:
        plans = _plan_files(pool, videos, settings, skips)
        clips = collections.defaultdict(list)
        for plan in plans:
            clips[plan.episode] += [window.clip_id for window in plan.windows]
        split_of = assign_splits(
            clips,
            validation_fraction=validation_fraction,
            test_fraction=test_fraction,
            validation_episodes=validation_episodes,
            test_episodes=test_episodes,
            seed=split_seed,
        )
        shard_bytes = round(shard_megabytes * 1e6)
        try:
            _remove_dataset(output_dir)
            (output_dir / _PARTS).mkdir(parents=True)
            splits = _write_shards(pool, plans, output_dir, shard_bytes, settings, split_of, skips)
        finally:
            shutil.rmtree(output_dir / _PARTS, ignore_errors=True)
    if not any(splits.values()):
        raise ValueError(f"{input_dir}: none of its clips can be used; {skips}")
    manifest = Manifest(config, _versions(), list(clips), splits, skips.files, skips.clips)
    manifest.save(output_dir)
    return manifest
