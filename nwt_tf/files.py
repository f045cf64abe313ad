"""Files that appear under their name whole or not at all."""

import contextlib
import os
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
        OSError: it cannot be written; it names `path`.
    """
    path = Path(path)
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


def check_folder(path):
    """Refuses a file to write whose folder is missing, before work that would be lost.

    Raises:
        FileNotFoundError: naming the folder.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder to write {path.name} in")
