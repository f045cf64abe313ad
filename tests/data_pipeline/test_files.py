"""Files behind a scheme, whose errors are one line, and folders that one process works in."""

import os
import signal
import subprocess
import sys

import pytest
import tensorflow as tf

from data_pipeline import files

REMOTE = [
    files.is_file,
    files.is_folder,
    files.make_folder,
    files.names_in,
    files.size,
    files.remove,
    files.remove_folder,
    lambda path: files.move(path, path),
]
HOLDER = """
import multiprocessing, sys, time
from data_pipeline import files
if __name__ == "__main__":
    with files.alone_in(sys.argv[1]):
        worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
        worker.start()
        print("held", flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("work", REMOTE)
def test_a_scheme_that_nobody_reads_is_an_os_error_that_names_the_path(work):
    with pytest.raises(OSError, match="take a local folder or gs://") as caught:
        work("nowhere://bucket/a")
    assert caught.value.filename == "nowhere://bucket/a"


class NoBucket:
    """tf.io.gfile where the bucket cannot be reached."""

    def __getattr__(self, name):
        def fails(*arguments, **options):
            raise tf.errors.FailedPreconditionError(None, None, "Could not resolve host")

        return fails


@pytest.mark.parametrize("work", REMOTE)
def test_a_bucket_that_is_not_reached_is_an_os_error_that_names_the_path(work, monkeypatch):
    monkeypatch.setattr(files, "_gfile", NoBucket)
    with pytest.raises(OSError, match="Could not resolve host") as caught:
        work("gs://bucket/a")
    assert caught.value.filename == "gs://bucket/a"


def test_folders_behind_a_scheme(tmp_path):
    folder = f"ram://{tmp_path.name}/a/b"
    assert not files.is_folder(folder) and files.names_in(folder) == []
    files.make_folder(folder)
    assert files.is_folder(folder) and not files.is_file(folder)
    with files.writing(files.join(folder, "c")) as file:
        file.write(b"data")
    assert files.names_in(folder) == ["c"] and files.is_file(files.join(folder, "c"))
    files.remove(files.join(folder, "c"))
    files.remove(files.join(folder, "c"))
    assert files.names_in(folder) == []
    files.remove_folder(folder)
    assert not files.is_folder(folder)


def test_missing_folders_are_named_from_the_innermost_on(tmp_path):
    assert files.missing(tmp_path / "a" / "b") == [f"{tmp_path}/a/b", f"{tmp_path}/a"]
    assert files.missing(tmp_path) == []


def test_one_at_a_time_works_in_a_folder(tmp_path):
    folder = tmp_path / "new"
    for _ in range(2):
        with files.alone_in(folder):
            for _ in range(2):  # a refusal leaves the lock to its holder
                with pytest.raises(BlockingIOError, match="another build works in it") as caught:
                    with files.alone_in(folder):
                        pass
            assert caught.value.filename == str(folder)
        assert list(folder.iterdir()) == []
    with files.alone_in(folder):
        files.remove_folder(folder)  # the parts of a build that is complete


def test_a_killed_holder_holds_no_longer_though_its_worker_lives(tmp_path):
    (tmp_path / "holder.py").write_text(HOLDER)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "holder.py", tmp_path / "a"],
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError), files.alone_in(tmp_path / "a"):
            pass
        process.kill()
        process.wait()
        os.killpg(process.pid, 0)  # the worker lives
        assert (tmp_path / "a" / files.LOCK).exists()
        with files.alone_in(tmp_path / "a"):
            pass
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
