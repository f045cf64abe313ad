"""Cuts all footage with workers; finished parts wait in a folder and survive an interrupt.

A part is what one job (a minute or more of a file) gives.  Its name is a hash of the file's
identity and of all settings that its bytes depend on: a build that begins again takes what is
there.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pickle
from collections.abc import Iterable, Iterator, Sequence

from data_pipeline import files
from data_pipeline.clip_settings import ClipSettings
from data_pipeline.clips import Cut, FilePlan, Job, cut_job, plan_file, plan_sound
from data_pipeline.schema import Clip
from data_pipeline.shards import Skip
from data_pipeline.videos import Video, digest, same_size
from data_pipeline.workers import Progress, count

_LAYOUT = 3  # of the parts; another number makes older ones useless
_PICKLE = 4  # later protocols write buffers, which gfile does not take


class Skips:
    """Takes down what is left out of a source; with `strict` that is an error."""

    def __init__(self, source: str | os.PathLike, strict: bool):
        self.source, self.strict = source, strict
        self.files: list[Skip] = []
        self.clips: list[Skip] = []

    def file(self, name: str, reason: str) -> None:
        """A whole file, or a part of one that could not be read."""
        self._add(self.files, name, reason)

    def clip(self, clip_id: str, reason: str) -> None:
        """A clip that could not be made."""
        self._add(self.clips, clip_id, reason)

    def choice(self, clip_id: str, reason: str) -> None:
        """A clip that was left out on purpose, which is never an error."""
        self.clips.append(Skip(clip_id, reason))

    def nothing_left(self, what: str, planned: Iterable[str] = ()) -> ValueError:
        """The error of a build without any videos or clips; it names one of those planned, if there
        is one: a clip that is too short is none that somebody waits for."""
        skips, planned = self.files + self.clips, set(planned)
        first = next((skip for skip in skips if skip.name in planned), skips[0])
        return ValueError(
            f"{self.source}: none of its {what} can be used; "
            f"the first is {first.name}: {first.reason}"
        )

    def _add(self, skips: list[Skip], name: str, reason: str) -> None:
        if self.strict:
            raise ValueError(f"--strict: {name} cannot be used: {reason}")
        skips.append(Skip(name, reason))


def _key(video: Video, settings: ClipSettings) -> str:
    if not video.path.exists():
        raise FileNotFoundError(f"{video.path}: no such file")
    status = video.path.stat()
    identity = (os.path.abspath(video.path), status.st_size, status.st_mtime_ns)
    parts = (_LAYOUT, identity, video.name, video.episode, dataclasses.asdict(settings))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]


def _plan(video: Video, settings: ClipSettings, folder: str) -> tuple[str, FilePlan] | str:
    """A worker's task: key and plan of a file, its sound beside; or why it cannot be used."""
    try:
        key = _key(video, settings)
        path = files.join(folder, f"{key}.plan")
        if files.is_file(path):
            with files.reading(path) as file:
                plan = pickle.load(file)
            if all(
                _done(folder, key, n) or _has_sound(folder, key, n) for n in range(len(plan.jobs))
            ):
                return key, plan
        plan = plan_file(*video, settings)
        sounds = plan_sound(plan, settings)
    except (ValueError, OSError) as error:
        return str(error)
    for number in range(len(plan.jobs)):
        try:
            sound = next(sounds)
        except (ValueError, OSError) as error:
            return str(error)
        with files.writing(_part(folder, key, number, "sound")) as file:
            pickle.dump(sound, file, _PICKLE)
    with files.writing(path) as file:
        pickle.dump(plan, file, _PICKLE)
    count(1)
    return key, plan


def _part(folder: str, key: str, number: int, kind: str) -> str:
    return files.join(folder, f"{key}-{number:04d}.{kind}")


def _has_sound(folder: str, key: str, number: int) -> bool:
    return files.is_file(_part(folder, key, number, "sound"))


def _done(folder: str, key: str, number: int) -> bool:
    kinds = ("clips", "json")
    return all(files.is_file(_part(folder, key, number, kind)) for kind in kinds)


def _cut(
    video: Video, job: Job, key: str, number: int, settings: ClipSettings, folder: str
) -> dict | str:
    """A worker's task: writes a job's clips to its part; no process holds more than one of them.

    Returns:
        {"clips": how many, "suggestions": of each, "skipped": [(clip id, reason)]}, or why nothing
        of the job can be used.
    """
    record = _part(folder, key, number, "json")
    if _done(folder, key, number):
        with files.reading(record) as file:
            return json.loads(file.read())
    with files.reading(_part(folder, key, number, "sound")) as file:
        sound = pickle.load(file)
    result = {"clips": 0, "suggestions": [], "skipped": []}
    # One decoder thread: several mark what damage touches, or do not, by chance.
    made, failure = cut_job(job, sound, settings, threads=1), None
    path = _part(folder, key, number, "clips")
    with files.writing(path) as file:
        while True:
            try:
                cut = next(made, None)
            except (ValueError, OSError) as error:
                failure = str(error)
                break
            if cut is None:
                break
            if isinstance(cut, Cut):
                pickle.dump(cut.clip, file, _PICKLE)
                result["clips"] += 1
                result["suggestions"].append(list(cut.suggestions))
                count(cut.clip.num_frames)
            else:
                result["skipped"].append(cut)
    with contextlib.suppress(FileNotFoundError):
        if failure is None and _key(video, settings) == key:
            with files.writing(record) as file:
                file.write(json.dumps(result).encode())
            files.remove(_part(folder, key, number, "sound"))
            return result
    files.remove(path)
    return failure or "was changed while it was read; build once more"


class Footage:
    """All footage of a build: planned when this is made, cut while its clips are taken.

    Args:
        videos: From find_videos or list_videos.
        settings: How to cut.
        pool: WorkerPool or BeamPool.
        folder: For the parts alone: all else that lies there is removed.
        skips: Takes down what cannot be used.

    Raises:
        ValueError: None of the videos can be used.
    """

    def __init__(
        self, videos: Sequence[Video], settings: ClipSettings, pool, folder: str, skips: Skips
    ):
        self.settings, self.folder, self._pool, self._skips = settings, folder, pool, skips
        files.make_folder(folder)
        videos = list(self._without_copies(list(self._with_utf8_names(videos))))
        self.plans: list[tuple[Video, str, FilePlan]] = []
        tasks = [(video, settings, folder) for video in videos]
        results = pool.in_order(_plan, tasks, Progress(len(tasks), "files planned"))
        with contextlib.closing(results):
            for video, result in zip(videos, results, strict=True):
                self._take_plan(video, result)
        self._remove_others()
        if not self.plans:
            raise skips.nothing_left("videos")

    def _with_utf8_names(self, videos: Sequence[Video]) -> Iterator[Video]:
        for video in videos:  # records hold ids and episodes as UTF-8
            try:
                video.name.encode()
            except UnicodeEncodeError:
                self._skips.file(self._name(video), "its name is not UTF-8; rename it")
                continue
            yield video

    def _without_copies(self, videos: Sequence[Video]) -> Iterator[Video]:
        suspects = same_size(videos)
        digests = self._pool.in_order(digest, [(video.path,) for video in suspects])
        found = dict(zip(suspects, digests, strict=True))
        seen = {}
        for video in videos:
            first = seen.setdefault(found.get(video) or video, video)
            if first is video:
                yield video
            else:
                self._skips.file(self._name(video), f"has the content of {self._name(first)}")

    @staticmethod
    def _name(video: Video) -> str:
        """The file's path within the folder that all of them are in; bytes that are not UTF-8
        become replacement characters, which every file and terminal takes."""
        name = video.name.removesuffix(video.path.suffix) + video.path.suffix
        return os.fsencode(name).decode(errors="replace")

    def _take_plan(self, video: Video, result: tuple[str, FilePlan] | str) -> None:
        if isinstance(result, str):
            self._skips.file(self._name(video), result.removeprefix(f"{video.path}: "))
            return
        key, plan = result
        for clip in plan.short:
            self._skips.choice(*clip)
        for clip in plan.damage:
            self._skips.clip(*clip)
        if plan.jobs:
            self.plans.append((video, key, plan))
        else:
            reason = f"shorter than a clip of {self.settings.min_seconds:g} s"
            self._skips.file(self._name(video), reason)

    def _remove_others(self) -> None:
        keys = {key for _, key, _ in self.plans}
        for name in files.names_in(self.folder):
            finished = name.partition(".")[0].partition("-")[0] in keys
            if name != files.LOCK and (name.endswith(".tmp") or not finished):
                files.remove(files.join(self.folder, name))

    def clip_ids(self) -> dict[str, list[str]]:
        """Episode -> ids of the clips planned, in order."""
        ids = {}
        for _, _, plan in self.plans:
            ids.setdefault(plan.episode, []).extend(w.clip_id for w in plan.windows)
        return ids

    def clips(self) -> Iterator[tuple[Clip, list[str]]]:
        """Yields (clip, suggestions) in the footage's order; one is in memory at a time."""
        jobs = [
            (video, job, key, number)
            for video, key, plan in self.plans
            for number, job in enumerate(plan.jobs)
        ]
        left = [job for _, job, key, n in jobs if not _done(self.folder, key, n)]
        progress = Progress(sum(w.num_frames for job in left for w in job.windows), "frames")
        tasks = [(*job, self.settings, self.folder) for job in jobs]
        results = self._pool.in_order(_cut, tasks, progress)
        with contextlib.closing(results):
            for (video, _, key, number), result in zip(jobs, results, strict=True):
                if isinstance(result, str):
                    self._skips.file(self._name(video), result.removeprefix(f"{video.path}: "))
                    continue
                for clip in result["skipped"]:
                    self._skips.clip(*clip)
                with files.reading(_part(self.folder, key, number, "clips")) as file:
                    for suggestions in result["suggestions"]:
                        yield pickle.load(file), suggestions

    def remove_parts(self) -> None:
        """Removes the folder of parts."""
        files.remove_folder(self.folder)

    @staticmethod
    def keep_if_worth(folder: str) -> None:
        """After a failure: removes a folder of parts in which there is no finished clip."""
        clips = [name for name in files.names_in(folder) if name.endswith(".clips")]
        if not any(files.size(files.join(folder, name)) for name in clips):
            files.remove_folder(folder)
