"""Shards (TFRecord files) and the manifest `dataset.json` that lists them."""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterator

from data_pipeline import files
from data_pipeline.records import framed
from data_pipeline.schema import SCHEMA_VERSION, SchemaVersionError

MANIFEST = "dataset.json"
SHEET = "contact_sheet.png"  # that inspection draws of a dataset
SPLITS = ("train", "validation", "test")


@dataclasses.dataclass
class Shard:
    """A finished shard."""

    name: str  # file name, beside the manifest
    bytes: int
    clips: dict[str, int]  # clip id -> number of frames, in the order of the file
    sha256: str = ""  # of the file, in hexadecimal; "" of a dataset older than this field


@dataclasses.dataclass
class Skip:
    """A file or a clip that was left out."""

    name: str
    reason: str


@dataclasses.dataclass
class Manifest:
    """What a dataset folder holds.  An episode's index is its place in `episodes`."""

    config: dict  # every number of the build
    versions: dict[str, str]  # packages that made it
    episodes: list[str]
    splits: dict[str, list[Shard]]
    skipped_files: list[Skip] = dataclasses.field(default_factory=list)
    skipped_clips: list[Skip] = dataclasses.field(default_factory=list)
    # Clip id -> why a reviewer might drop it; of a build with suggestions.
    suggestions: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    # Episodes that have no training clip.
    untrained: list[str] = dataclasses.field(default_factory=list)
    # Of a dataset with codes: "shape" [grid height, grid width, heads] and what extract_codes adds.
    codes: dict | None = None
    schema_version: int = SCHEMA_VERSION

    def clip_frames(self, split: str) -> dict[str, int]:
        """Clip id -> number of frames of a split, in order."""
        return {k: v for shard in self.splits.get(split, ()) for k, v in shard.clips.items()}

    def episode_of(self, clip_id: str) -> str:
        """The episode of a clip by its id, which begins with its video's name (find_videos)."""
        video = pathlib.PurePosixPath(clip_id.rpartition("_")[0])
        if video.parent.name:
            return video.parent.as_posix()
        return video.name if video.name in self.episodes else video.stem

    def save(self, data_dir: str | os.PathLike) -> None:
        """Writes dataset.json, whole or not at all."""
        with files.writing(files.join(data_dir, MANIFEST)) as file:
            file.write((json.dumps(dataclasses.asdict(self), indent=1) + "\n").encode())

    @classmethod
    def load(cls, data_dir: str | os.PathLike) -> "Manifest":
        """Reads dataset.json.

        Raises:
            FileNotFoundError: No such folder, or no dataset in it.
            SchemaVersionError: A dataset of another schema version.
            ValueError: dataset.json is damaged.
        """
        if not files.is_folder(data_dir):
            raise FileNotFoundError(f"{data_dir}: no such folder")
        path = files.join(data_dir, MANIFEST)
        if not files.is_file(path):
            raise FileNotFoundError(
                f"{data_dir}: holds no dataset (no {MANIFEST}); make one with nwt build_dataset"
            )
        try:
            with files.reading(path) as file:
                fields = json.loads(file.read())
            version = fields["schema_version"]
            if version != SCHEMA_VERSION:
                raise SchemaVersionError(
                    f"{path}: has schema version {version}, this program reads {SCHEMA_VERSION}; "
                    "build the dataset again"
                )
            for split, shards in fields["splits"].items():
                fields["splits"][split] = [Shard(**shard) for shard in shards]
            for kind in ("skipped_files", "skipped_clips"):
                fields[kind] = [Skip(**skip) for skip in fields[kind]]
            return cls(**fields)
        except SchemaVersionError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: is damaged ({error}); build the dataset again") from error


class ShardWriter:
    """Writes the records of one split into shards `SPLIT-00000.tfrecord`, `SPLIT-00001.tfrecord`…

    A context manager.  A shard has another name until it is complete; on any exception the one
    under way is removed and the finished ones stay.  `shards` lists the finished ones.  What a
    killed process had under way is removed.

    Args:
        data_dir: Folder, made if it is missing.
        split: "train", "validation" or "test".
        shard_bytes: A shard is closed when it is at least this large.
    """

    def __init__(self, data_dir: str | os.PathLike, split: str, shard_bytes: int = 200_000_000):
        self.data_dir, self.split, self.shard_bytes = data_dir, split, shard_bytes
        files.make_folder(data_dir)
        for name in files.names_in(data_dir):
            if name.startswith(f"{split}-") and name.endswith(".tmp"):
                files.remove(files.join(data_dir, name))
        self.shards: list[Shard] = []
        self._under_way = contextlib.ExitStack()
        self._file = None

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, kind, error, traceback) -> None:
        if kind is None:
            self._finish()
        else:
            self._under_way.__exit__(kind, error, traceback)

    def write(self, record: bytes, clip_id: str, num_frames: int) -> None:
        """Appends a record of schema.serialize.

        Raises:
            OSError: The disk is full or broken.
        """
        if self._file is None:
            path = files.join(self.data_dir, f"{self.split}-{len(self.shards):05d}.tfrecord")
            self._file = self._under_way.enter_context(files.writing(path))
            self._shard, self._checksum = Shard(os.path.basename(path), 0, {}), hashlib.sha256()
        data = framed(record)
        self._file.write(data)
        self._checksum.update(data)
        self._shard.clips[clip_id] = num_frames
        self._shard.bytes += len(data)
        if self._shard.bytes >= self.shard_bytes:
            self._finish()

    def _finish(self) -> None:
        if self._file is None:
            return
        self._file = None
        self._under_way.close()
        self._shard.sha256 = self._checksum.hexdigest()
        self.shards.append(self._shard)


_NEW = ".new"  # within a dataset's folder, what is to replace it


def _remove_dataset(data_dir: str | os.PathLike) -> None:
    """Removes a dataset, its manifest first, or what an interrupted build left; nothing else."""
    shard = re.compile(rf"({'|'.join(SPLITS)})-\d{{5}}\.tfrecord(\.\d+\.tmp)?")
    names = files.names_in(data_dir)
    shards = [name for name in names if shard.fullmatch(name)]
    sheet = [SHEET] if SHEET in names and (shards or MANIFEST in names) else []
    files.remove(files.join(data_dir, MANIFEST))
    for name in shards + sheet:
        files.remove(files.join(data_dir, name))


@contextlib.contextmanager
def new_dataset(data_dir: str | os.PathLike) -> Iterator[str]:
    """The folder to write a dataset to, so that one already in `data_dir` stays until it is done.

    That is `data_dir` itself where it holds no dataset, as a rename of a shard copies it on gs://;
    otherwise a folder within, whose files take the old ones' places on leaving.  A kill between two
    of those renames leaves no manifest, thus no dataset that is half old and half new.

    Args:
        data_dir: The dataset's folder; what an interrupted build left in it is removed.

    Raises:
        OSError: A file cannot be moved.
    """
    new = files.join(data_dir, _NEW)
    files.remove_folder(new)
    if not files.is_file(files.join(data_dir, MANIFEST)):
        _remove_dataset(data_dir)
        yield os.fspath(data_dir)
        return
    try:
        yield new
    except BaseException:
        files.remove_folder(new)
        raise
    _remove_dataset(data_dir)
    for name in sorted(files.names_in(new), key=MANIFEST.__eq__):  # the manifest last
        files.move(files.join(new, name), files.join(data_dir, name))
    files.remove_folder(new)
