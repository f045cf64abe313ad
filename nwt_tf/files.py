"""Files that appear under their name whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path


@contextlib.contextmanager
def whole(path):
    """A path beside `path`, to write to; what was written is renamed when the block ends.

    Readers never see half a file, two processes of a machine may write the same one, and where the
    block raises, the file that was there before stays. A process that is killed leaves what it had
    written beside, as NAME.PID.tmp.

    Args:
        path: of the file; its folder exists.

    Yields:
        A pathlib path in the same folder.

    Raises:
        OSError: it cannot be written, or is no file; it names `path`.
    """
    path = Path(path)
    _check_replaceable(path)
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        yield beside
        os.replace(beside, path)
    except OSError as error:
        if error.errno is None or error.filename not in (str(beside), beside):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        beside.unlink(missing_ok=True)


def write_text(path, text):
    """Writes UTF-8 text, whole or not at all."""
    with whole(path) as beside:
        beside.write_text(text, encoding="utf-8")


def check_output(path, ending="", renamed=True):
    """Refuses a name that no file could be written under, before work that would be lost.

    Args:
        path: of the file.
        ending: that its name must have.
        renamed: whether it is written beside and renamed, which would remove a device or a pipe.

    Raises:
        ValueError: another ending.
        OSError: no such folder, none that files can be written in, or what has its name is no file.
    """
    if not str(path):
        raise ValueError(f"the output's name is empty: name a file{ending and f' *{ending}'}")
    path = Path(path)
    if not path.name.endswith(ending):
        raise ValueError(f"{path}: must end in {ending}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder to write {path.name} in")
    _check_replaceable(path, renamed)
    if renamed or not path.exists():
        try:
            tempfile.TemporaryFile(dir=path.parent).close()
        except OSError as error:
            reason = f"no file can be written in it ({error.strerror})"
            raise OSError(f"{path.parent}: {reason}") from None


def _check_replaceable(path, renamed=True):
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder: name a file")
    if renamed and path.exists() and not path.is_file():
        raise OSError(f"{path}: is a device or a pipe: name a file")
