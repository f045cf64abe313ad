"""A folder of footage to a dataset of shards (Appendix D)."""

import contextlib
import dataclasses
import importlib.metadata
import math
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence

from data_pipeline import files
from data_pipeline.beam_runner import BeamPool
from data_pipeline.clip_settings import ClipSettings
from data_pipeline.cutting import Footage, Skips
from data_pipeline.review import DECISIONS, PAGE, fingerprint, preview, read_review, write_review
from data_pipeline.schema import serialize
from data_pipeline.shards import MANIFEST, SPLITS, Manifest, ShardWriter, new_dataset
from data_pipeline.split import assign_splits, check_fractions
from data_pipeline.videos import Video, find_videos, list_videos
from data_pipeline.workers import WorkerPool, available_cores

__all__ = ["build_dataset", "cut_footage", "find_videos", "review_footage"]

_PARTS = ".parts"  # within the output folder, until the dataset is complete
_OWN = "nwt_parts"  # within a folder for parts that was named: what else lies there is not ours


def _videos(input_dir, input_list) -> list[Video]:
    if (input_dir is None) == (input_list is None):
        raise ValueError("give either input_dir or input_list")
    return list_videos(input_list) if input_dir is None else find_videos(input_dir)


@contextlib.contextmanager
def cut_footage(
    videos: Sequence[Video],
    output_dir: str | os.PathLike,
    settings: ClipSettings,
    skips: Skips,
    *,
    num_workers: int | None = None,
    runner: str = "processes",
    beam_arguments: Sequence[str] = (),
    parts_dir: str | None = None,
) -> Iterator[Footage]:
    """Footage, cut by worker processes or on Beam, with its parts kept for a build to come.

    Args: as for build_dataset.

    Raises:
        ValueError: Arguments out of range, or no usable video.
        BlockingIOError: Another build works in the folder, or in that of the parts.
        OSError: The disk is full or broken, or a worker was killed.
    """
    if num_workers is not None and num_workers < 1:
        raise ValueError(f"num_workers must be at least 1. Received: {num_workers}")
    if runner not in ("processes", "beam"):
        raise ValueError(f"runner must be processes or beam. Received: {runner}")
    output_dir = os.fspath(output_dir)
    if parts_dir:
        folder = files.join(parts_dir, _OWN)
    elif runner == "processes" and files.is_remote(output_dir):
        name = f"{_OWN}_" + re.sub(r"\W+", "_", output_dir)
        folder = files.join(tempfile.gettempdir(), name)
    else:
        folder = files.join(output_dir, _PARTS)
    local = [path for path in (parts_dir, output_dir) if path and not files.is_remote(path)]
    new = [path for place in local for path in files.missing(place)]
    try:
        with contextlib.ExitStack() as alone:
            for path in (output_dir, folder):
                if not files.is_remote(path):
                    alone.enter_context(files.alone_in(path))
            try:
                if runner == "beam":
                    pool = BeamPool(folder, beam_arguments)
                else:
                    pool = WorkerPool(num_workers or available_cores())
                with pool:
                    yield Footage(videos, settings, pool, folder, skips)
            except BaseException:
                with contextlib.suppress(OSError):
                    Footage.keep_if_worth(folder)
                raise
    finally:
        for path in new:
            with contextlib.suppress(OSError):
                os.rmdir(path)  # where nothing is in it


def _fingerprint(footage: Footage) -> str:
    windows = [window for _, _, plan in footage.plans for window in plan.windows]
    return fingerprint((w.clip_id, w.start, w.segment[1]) for w in windows)


def review_footage(
    videos: Sequence[Video],
    output_dir: str | os.PathLike,
    settings: ClipSettings,
    skips: Skips,
    *,
    undecided_flagged: str = "keep",
    **arguments,
) -> tuple[str, dict[str, list[str]]]:
    """Cuts footage and writes the page for its review; the cut clips wait for the build.

    Args:
        videos, output_dir, settings, skips: As for cut_footage; `settings` with suggestions.
        undecided_flagged: As for build_dataset, which the page tells.
        arguments: cut_footage's.

    Returns:
        Path of the page, and clip id -> suggestions of all clips on it.

    Raises:
        ValueError, OSError: As for cut_footage, or there are no clips.
    """
    suggestions = {}
    with cut_footage(videos, output_dir, settings, skips, **arguments) as footage:

        def previews():
            for clip, reasons in footage.clips():
                suggestions[clip.clip_id] = reasons
                yield preview(clip, reasons)

        path = files.join(output_dir, PAGE)
        write_review(path, previews(), _fingerprint(footage), undecided_flagged)
    return path, suggestions


def _write_shards(
    footage: Footage,
    output_dir: str,
    shard_bytes: int,
    split_of: Mapping,
    drop_if_flagged: Callable[[str], bool],
    skips: Skips,
) -> tuple[dict, dict, set]:
    """Writes the clips in the footage's order; returns shards by split, suggestions by clip id, and
    the episodes that have training clips."""
    suggestions, trained = {}, set()
    with contextlib.ExitStack() as stack:
        writers = {
            split: stack.enter_context(ShardWriter(output_dir, split, shard_bytes))
            for split in SPLITS
        }
        for clip, reasons in footage.clips():
            if clip.clip_id not in split_of:
                skips.choice(clip.clip_id, "dropped by the review")
                continue
            if reasons and drop_if_flagged(clip.clip_id):
                skips.choice(clip.clip_id, f"not decided on in the review ({'; '.join(reasons)})")
                continue
            if reasons:
                suggestions[clip.clip_id] = reasons
            split = split_of[clip.clip_id]
            if split == "train":
                trained.add(clip.episode)
            writers[split].write(serialize(clip), clip.clip_id, clip.num_frames)
    shards = {split: writer.shards for split, writer in writers.items()}
    return shards, suggestions, trained


def _versions() -> dict[str, str]:
    packages = ("av", "numpy", "scipy", "opencv-python-headless", "simplejpeg")
    return {name: importlib.metadata.version(name) for name in packages}


def build_dataset(
    input_dir: str | os.PathLike | None,
    output_dir: str | os.PathLike,
    *,
    input_list: str | os.PathLike | None = None,
    height: int = 256,
    width: int = 224,
    fps: float = 30.0,
    crop: Sequence[int] = (0, 0, 0, 0),
    segment_seconds: float = 4.0,
    max_seconds: float = 30.0,
    trim_seconds: float = 0.25,
    trim_longer_than: float = 2.0,
    min_seconds: float = 1.0,
    mask_overlays: bool = False,
    overlays: Mapping[str, int] | None = None,
    suggestions: bool = False,
    frame_encoding: str = "jpeg",
    jpeg_quality: int = 95,
    validation_fraction: float = 0.05,
    test_fraction: float = 0.05,
    validation_episodes: Sequence[str] = (),
    test_episodes: Sequence[str] = (),
    split_seed: int = 0,
    shard_megabytes: float = 200.0,
    review_file: str | os.PathLike | None = None,
    undecided_flagged: str = "keep",
    num_workers: int | None = None,
    runner: str = "processes",
    beam_arguments: Sequence[str] = (),
    parts_dir: str | None = None,
    overwrite: bool = False,
    strict: bool = False,
) -> Manifest:
    """Builds a dataset: footage to clips to shards and their manifest (Appendix D).

    The bytes that are written depend neither on num_workers, nor on the runner, nor on
    interruptions: a build that was stopped goes on where it was when it is called again.  Files
    and clips that cannot be used are left out and named in the manifest, with reasons.

    Args:
        input_dir: Folder of videos; files in a subfolder belong to the episode of its name, others
            are an episode each.
        output_dir: Folder to write, made if it is missing; local or gs://.
        input_list: Text file of paths, one a line, instead of input_dir (then None).
        height, width, fps: Of the stored frames, in pixels and frames a second.
        crop: (top, bottom, left, right) in source pixels; 0 as bottom or right: to the edge.
        segment_seconds: Target length of segments, which begin at key frames.
        max_seconds: Segments without a key frame for longer are divided.
        trim_seconds, trim_longer_than: Trim at both ends, of segments longer than this.
        min_seconds: Shorter clips are left out.
        mask_overlays, overlays: Whether to paint bright overlays white, and with which of
            overlays.mask_overlays' numbers.
        suggestions: Whether to look for reasons to drop a clip, which the manifest then holds.
        frame_encoding, jpeg_quality: "jpeg", "png" or "raw".
        validation_fraction, test_fraction, validation_episodes, test_episodes, split_seed: See
            split.assign_splits.
        shard_megabytes: A shard is closed at this size.
        review_file: review.json of a page that review_footage wrote of this footage; clips that it
            drops are left out.
        undecided_flagged: "drop" leaves out clips, too, that have suggestions but no decision in
            review_file.
        num_workers: Processes; None is one a core.
        runner: "processes" or "beam".
        beam_arguments: Of Beam's PipelineOptions.
        parts_dir: Folder for finished parts, which lie in its subfolder nwt_parts, one build at a
            time; nothing else in it is touched.  None is within output_dir, or within the system's
            temporary folder where only this machine works on a gs:// dataset.
        overwrite: Replace a dataset that is already in output_dir, once the new one is complete.
        strict: A file or clip that cannot be used is an error; short clips are not.

    Returns:
        The manifest that was saved.

    Raises:
        FileNotFoundError, NotADirectoryError, FileExistsError: About the folders.
        BlockingIOError: Another build works in one of them.
        ValueError: A setting out of range, no usable video, a damaged review or one of other
            footage, or with `strict` anything unusable.
        OSError: The disk is full or broken; a dataset that was to be replaced stays.
    """
    arguments = locals()
    names = [field.name for field in dataclasses.fields(ClipSettings)]
    names += ["validation_fraction", "test_fraction", "validation_episodes", "test_episodes"]
    names += ["split_seed", "shard_megabytes"]
    config = {name: arguments[name] for name in names} | {"overlays": dict(overlays or {})}
    config = {k: list(v) if isinstance(v, list | tuple) else v for k, v in config.items()}
    settings = ClipSettings(
        **{field.name: config[field.name] for field in dataclasses.fields(ClipSettings)}
    )
    check_fractions(validation_fraction, test_fraction)
    if not 0 < shard_megabytes < math.inf:
        raise ValueError(
            f"shard_megabytes must be positive and finite. Received: {shard_megabytes}"
        )
    output_dir = os.fspath(output_dir)
    videos = _videos(input_dir, input_list)
    if files.is_file(output_dir):
        raise NotADirectoryError(f"{output_dir}: is a file; --output_dir takes a folder")
    if files.is_file(files.join(output_dir, MANIFEST)) and not overwrite:
        raise FileExistsError(f"{output_dir}: already holds a dataset; --overwrite replaces it")
    if undecided_flagged not in DECISIONS:
        raise ValueError(f"undecided_flagged must be keep or drop. Received: {undecided_flagged}")
    skips = Skips(input_dir if input_list is None else input_list, strict)
    cut = cut_footage(
        videos,
        output_dir,
        settings,
        skips,
        num_workers=num_workers,
        runner=runner,
        beam_arguments=beam_arguments,
        parts_dir=parts_dir,
    )
    with cut as footage:
        clip_ids, decisions = footage.clip_ids(), {}
        every = [clip_id for ids in clip_ids.values() for clip_id in ids]
        if review_file is not None:
            decisions = read_review(review_file, _fingerprint(footage), every)
        kept = {
            name: [clip_id for clip_id in ids if decisions.get(clip_id) != "drop"]
            for name, ids in clip_ids.items()
        }
        if not any(kept.values()):
            raise ValueError(
                f"{review_file}: drops every clip, {len(every)} in all; keep some of them"
            )
        split_of = assign_splits(
            {name: ids for name, ids in kept.items() if ids},
            validation_fraction=validation_fraction,
            test_fraction=test_fraction,
            validation_episodes=validation_episodes,
            test_episodes=test_episodes,
            seed=split_seed,
        )
        shard_bytes = round(shard_megabytes * 1e6)
        drops_flagged = review_file is not None and undecided_flagged == "drop"
        with new_dataset(output_dir) as data_dir:
            splits, suggested, trained = _write_shards(
                footage,
                data_dir,
                shard_bytes,
                split_of,
                drop_if_flagged=lambda clip_id: drops_flagged and clip_id not in decisions,
                skips=skips,
            )
            if not any(splits.values()):
                raise skips.nothing_left("clips", planned=every)
            untrained = [name for name in clip_ids if name not in trained]
            manifest = Manifest(
                config=config,
                versions=_versions(),
                episodes=list(clip_ids),
                splits=splits,
                skipped_files=skips.files,
                skipped_clips=skips.clips,
                suggestions=suggested,
                untrained=untrained,
            )
            manifest.save(data_dir)
        footage.remove_parts()
    return manifest
