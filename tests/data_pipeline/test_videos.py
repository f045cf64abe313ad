import pytest

from data_pipeline.videos import find_videos, list_videos


def names(path):
    return [(str(video.path), video.name, video.episode) for video in list_videos(path)]


def test_a_list_names_files_as_their_common_folder_would(tmp_path):
    text = "a/one.mp4\n\n# not this\n  a/b/two words.mkv  \na/one.mp4\n/elsewhere/../x/three.mp4\n"
    (tmp_path / "list.txt").write_text(text)
    root = str(tmp_path).lstrip("/")
    assert names(tmp_path / "list.txt") == [
        (f"{tmp_path}/a/b/two words.mkv", f"{root}/a/b/two words", f"{root}/a/b"),
        (f"{tmp_path}/a/one.mp4", f"{root}/a/one", f"{root}/a"),
        ("/x/three.mp4", "x/three", "x"),
    ]
    (tmp_path / "list.txt").write_text("a/one.mp4\na/two.mp4\n")
    assert [n[1:] for n in names(tmp_path / "list.txt")] == [("one", "one"), ("two", "two")]


def test_lists_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="list.txt: no such file"):
        list_videos(tmp_path / "list.txt")
    (tmp_path / "list.txt").write_text("# nothing\n")
    with pytest.raises(ValueError, match="list.txt: names no files"):
        list_videos(tmp_path / "list.txt")
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ValueError, match="list.txt: is no text"):
        list_videos(tmp_path / "list.txt")


def test_footage_behind_a_scheme_is_refused(tmp_path):
    with pytest.raises(ValueError, match="gs://bucket/in: footage is read from a disk; copy it"):
        find_videos("gs://bucket/in")
    (tmp_path / "list.txt").write_text("a.mp4\ngs://bucket/b.mp4\n")
    with pytest.raises(ValueError, match="gs://bucket/b.mp4: footage is read from a disk"):
        list_videos(tmp_path / "list.txt")
