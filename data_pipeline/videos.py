"""Which files are footage, and which episodes they belong to (Appendix D, step 1)."""

import collections
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from data_pipeline import files

VIDEO_SUFFIXES = frozenset(
    ".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .vob .webm .wmv".split()
)


class Video(NamedTuple):
    """A file of footage."""

    path: Path
    name: str  # unique; starts its clips' ids
    episode: str


def find_videos(input_dir: str | os.PathLike) -> list[Video]:
    """Lists the footage in a folder and its subfolders, those behind links, too.

    Returns:
        Videos in the order of their paths.  The episode of a file is the subfolder that it lies in,
        else its own stem.

    Raises:
        FileNotFoundError, NotADirectoryError: No such folder.
        PermissionError: A folder in it cannot be read.
        ValueError: No videos in it, or it is not on a disk.
    """
    _check_local(input_dir)
    input_dir = Path(input_dir)
    if not input_dir.exists():
        raise FileNotFoundError(f"{input_dir}: no such folder")
    if not input_dir.is_dir():
        raise NotADirectoryError(
            f"{input_dir}: is a file; --input_dir takes a folder of videos, --input_list a text "
            "file of their paths"
        )
    paths = [
        path.relative_to(input_dir)
        for path in _files_in(input_dir)
        if path.suffix.lower() in VIDEO_SUFFIXES
        and (path.is_file() or not path.exists())  # links to nothing are told later
    ]
    if not paths:
        raise ValueError(f"{input_dir}: holds no videos ({' '.join(sorted(VIDEO_SUFFIXES))})")
    return _named(input_dir, paths)


def _files_in(folder: Path) -> Iterator[Path]:
    """Files in a folder and its subfolders, without hidden ones.

    Links are followed.  Each folder is read once, so that those in a circle end, and under its own
    path rather than a link's.
    """
    read, starts = set(), [folder]
    for start in starts:  # which grows by the links that are met
        for path, inner, names in os.walk(start, onerror=_refuse):
            own = os.path.realpath(path)
            if own in read:
                inner.clear()
                continue
            read.add(own)
            inner[:] = sorted(name for name in inner if not name.startswith("."))
            starts += [link for link in (Path(path, name) for name in inner) if link.is_symlink()]
            yield from (Path(path, name) for name in names if not name.startswith("."))


def _refuse(error: OSError) -> None:
    raise PermissionError(
        f"{error.filename}: cannot be read ({error.strerror}); make it readable, or name the "
        "videos with --input_list"
    ) from error


def list_videos(input_list: str | os.PathLike) -> list[Video]:
    """Reads a text file of paths, one a line; empty lines and those that begin with # do not count.

    Paths are relative to the text file's folder.  Names and episodes are those of find_videos in
    the innermost folder that all the files lie in.  Missing files are listed all the same.

    Raises:
        FileNotFoundError: No such text file.
        ValueError: It is no text, names no files, or such that are not on a disk.
    """
    _check_local(input_list)
    input_list = Path(input_list)
    if not input_list.is_file():
        raise FileNotFoundError(f"{input_list}: no such file")
    try:
        lines = input_list.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{input_list}: is no text; --input_list takes a file with a path a line"
        ) from error
    lines = [line.strip() for line in lines]
    named = [line for line in lines if line and not line.startswith("#")]
    for line in named:
        _check_local(line)
    paths = [Path(os.path.abspath(input_list.parent / line)) for line in named]
    if not paths:
        raise ValueError(f"{input_list}: names no files")
    folder = Path(os.path.commonpath([path.parent for path in paths]))
    return _named(folder, [path.relative_to(folder) for path in dict.fromkeys(paths)])


def _check_local(path: str | os.PathLike) -> None:
    if files.is_remote(path):
        raise ValueError(
            f"{path}: footage is read from a disk; copy it there, or mount it (gcsfuse, rclone)"
        )


def _named(folder: Path, paths: Iterable[Path]) -> list[Video]:
    paths = sorted(paths)
    # With its suffix where the name without is that of another file, which may have it whole.
    taken = collections.Counter([*paths, *(path.with_suffix("") for path in paths)])
    videos = []
    for path in paths:
        name = (path if taken[path.with_suffix("")] > 1 else path.with_suffix("")).as_posix()
        episode = path.parent.as_posix() if path.parent != Path(".") else path.stem
        videos.append(Video(folder / path, name, episode))
    return videos


def digest(path: str | os.PathLike) -> bytes:
    """SHA-256 of a file's content; nothing where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b""


def same_size(videos: Sequence[Video]) -> list[Video]:
    """Those that another one has the size of, and so perhaps the content."""
    sizes = {video: video.path.stat().st_size for video in videos if video.path.is_file()}
    counts = collections.Counter(sizes.values())
    return [video for video, size in sizes.items() if size and counts[size] > 1]
