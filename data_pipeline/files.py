"""Files on a disk, or where tf.io.gfile reaches (gs://bucket/..., ram://...).

Local paths use the standard library alone: worker processes need not load TensorFlow.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator


def is_remote(path: str | os.PathLike) -> bool:
    """Whether a path has a scheme, such as gs://."""
    return "://" in os.fspath(path)


def _gfile():
    import tensorflow as tf

    return tf.io.gfile


@contextlib.contextmanager
def _as_os_error(path: str) -> Iterator[None]:
    """TensorFlow's errors become OSErrors that name the file."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.NotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "no such file", path) from error
    except tf.errors.OpError as error:
        raise OSError(errno.EIO, error.message, path) from error


def join(folder: str | os.PathLike, *names: str) -> str:
    """The path of a file in a folder; pathlib would turn gs:// into gs:/."""
    return os.path.join(os.fspath(folder), *names)


def is_file(path: str | os.PathLike) -> bool:
    path = os.fspath(path)
    if is_remote(path):
        return _gfile().exists(path) and not _gfile().isdir(path)
    return os.path.isfile(path)


def is_folder(path: str | os.PathLike) -> bool:
    return _gfile().isdir(os.fspath(path)) if is_remote(path) else os.path.isdir(path)


def make_folder(path: str | os.PathLike) -> None:
    """Makes a folder and those above it, where they are missing."""
    if is_remote(path):
        _gfile().makedirs(os.fspath(path))
    else:
        os.makedirs(path, exist_ok=True)


def names_in(folder: str | os.PathLike) -> list[str]:
    """Names of the files and folders in a folder, sorted; none where there is no such folder."""
    if not is_folder(folder):
        return []
    found = _gfile().listdir(os.fspath(folder)) if is_remote(folder) else os.listdir(folder)
    return sorted(name.rstrip("/") for name in found)


def size(path: str | os.PathLike) -> int:
    """Bytes of a file."""
    if not is_remote(path):
        return os.path.getsize(path)
    with _as_os_error(os.fspath(path)):
        return _gfile().stat(os.fspath(path)).length


def remove(path: str | os.PathLike) -> None:
    """Removes a file, if it is there."""
    if not is_remote(path):
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
    elif is_file(path):
        _gfile().remove(os.fspath(path))


def remove_folder(path: str | os.PathLike) -> None:
    """Removes a folder with all that is in it, if it is there."""
    if not is_remote(path):
        shutil.rmtree(path, ignore_errors=True)
    elif is_folder(path):
        _gfile().rmtree(os.fspath(path))


def move(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Renames a file, over the target if there is one."""
    if is_remote(target):
        with _as_os_error(os.fspath(target)):
            _gfile().rename(os.fspath(source), os.fspath(target), overwrite=True)
    else:
        os.replace(source, target)


@contextlib.contextmanager
def reading(path: str | os.PathLike) -> Iterator:
    """A file opened for reading bytes.

    Raises:
        FileNotFoundError: No such file.
    """
    if not is_remote(path):
        with open(path, "rb") as file:
            yield file
        return
    with _as_os_error(os.fspath(path)), _gfile().GFile(os.fspath(path), "rb") as file:
        yield file


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator:
    """A file opened for writing bytes, which appears under its name only when it is complete.

    Raises:
        OSError: It cannot be written; nothing of it stays.
    """
    path = os.fspath(path)
    beside = f"{path}.{os.getpid()}.tmp"  # two processes may write the same file
    try:
        if is_remote(path):
            with _as_os_error(path), _gfile().GFile(beside, "wb") as file:
                yield file
        else:
            with open(beside, "wb") as file:
                yield file
        move(beside, path)
    except OSError as error:
        if error.errno is None or error.filename not in (None, beside):
            raise
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        remove(beside)
