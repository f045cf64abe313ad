"""Files on a disk, or where tf.io.gfile reaches (gs://bucket/..., ram://...).

Local paths use the standard library alone: worker processes need not load TensorFlow.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator

LOCK = ".lock"  # within a folder that a process works in


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
    except tf.errors.UnimplementedError as error:
        reason = "TensorFlow cannot work there; take a local folder or gs://"
        raise OSError(errno.EOPNOTSUPP, reason, path) from error
    except tf.errors.OpError as error:
        raise OSError(errno.EIO, error.message, path) from error


def join(folder: str | os.PathLike, *names: str) -> str:
    """The path of a file in a folder; pathlib would turn gs:// into gs:/."""
    return os.path.join(os.fspath(folder), *names)


def is_file(path: str | os.PathLike) -> bool:
    path = os.fspath(path)
    if not is_remote(path):
        return os.path.isfile(path)
    with _as_os_error(path):
        return _gfile().exists(path) and not _gfile().isdir(path)


def is_folder(path: str | os.PathLike) -> bool:
    path = os.fspath(path)
    if not is_remote(path):
        return os.path.isdir(path)
    with _as_os_error(path):  # isdir alone says no where exists fails
        return _gfile().exists(path) and _gfile().isdir(path)


def make_folder(path: str | os.PathLike) -> None:
    """Makes a folder and those above it, where they are missing."""
    if not is_remote(path):
        os.makedirs(path, exist_ok=True)
        return
    with _as_os_error(os.fspath(path)):
        _gfile().makedirs(os.fspath(path))


def missing(path: str | os.PathLike) -> list[str]:
    """The folders that make_folder would make of a local path, the innermost first."""
    folder, found = os.path.abspath(path), []
    while not os.path.lexists(folder):
        found.append(folder)
        folder = os.path.dirname(folder)
    return found


def names_in(folder: str | os.PathLike) -> list[str]:
    """Names of the files and folders in a folder, sorted; none where there is no such folder."""
    if not is_folder(folder):
        return []
    if not is_remote(folder):
        return sorted(os.listdir(folder))
    with _as_os_error(os.fspath(folder)):
        return sorted(name.rstrip("/") for name in _gfile().listdir(os.fspath(folder)))


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
        with _as_os_error(os.fspath(path)):
            _gfile().remove(os.fspath(path))


def remove_folder(path: str | os.PathLike) -> None:
    """Removes a folder with all that is in it, if it is there."""
    if not is_remote(path):
        shutil.rmtree(path, ignore_errors=True)
    elif is_folder(path):
        with _as_os_error(os.fspath(path)):
            _gfile().rmtree(os.fspath(path))


def move(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Renames a file, over the target if there is one."""
    if is_remote(target):
        with _as_os_error(os.fspath(target)):
            _gfile().rename(os.fspath(source), os.fspath(target), overwrite=True)
    else:
        os.replace(source, target)


@contextlib.contextmanager
def alone_in(folder: str | os.PathLike) -> Iterator[None]:
    """Holds a local folder, made if it is missing, against other processes that do the same.

    The lock, on the file LOCK in it, ends with the process that took it, however that ends; the
    workers that it starts do not have it.  A disk that knows no locks holds nobody off.

    Raises:
        BlockingIOError: Another process holds it.
        OSError: The folder cannot be written.
    """
    import fcntl

    path = join(folder, LOCK)
    make_folder(folder)
    try:
        file = open(path, "wb")  # NFS locks what is open for writing alone
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(folder)) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = os.path.samestat(os.stat(path), os.fstat(file.fileno()))
        except (BlockingIOError, FileNotFoundError):
            held = False
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
            held = True
        if not held:  # or it is held under that name no more: its holder removed it just now
            reason = "another build works in it; wait for its end, or take another folder"
            raise BlockingIOError(errno.EAGAIN, reason, os.fspath(folder))
        try:
            yield
        finally:
            remove(path)


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
