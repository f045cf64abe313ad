"""Files are written whole or not at all."""

import os

import pytest

from nwt_tf.files import check_output, whole, write_text


def test_a_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "a.txt"
    with whole(path) as beside:
        beside.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_file_before_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), whole(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_text(tmp_path / "nowhere" / "a.txt", "text")


def test_what_is_no_file_is_not_renamed_over(tmp_path):
    pipe = tmp_path / "a.txt"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="a.txt: is a device or a pipe"):
        write_text(pipe, "text")
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]
    check_output(pipe, renamed=False)


def test_outputs_that_cannot_be_written_are_refused_at_once(tmp_path):
    (tmp_path / "a.png").mkdir()
    for name, kind, message in (
        ("a.txt", ValueError, "must end in .png"),
        ("none/a.png", FileNotFoundError, "none: no such folder to write a.png in"),
        ("a.png", IsADirectoryError, "a.png: is a folder"),
    ):
        with pytest.raises(kind, match=message):
            check_output(tmp_path / name, ".png")
    check_output(tmp_path / "b.png", ".png")
    assert not (tmp_path / "b.png").exists()
