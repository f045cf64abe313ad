from pathlib import Path

import pytest

from data_pipeline.shards import Manifest
from data_pipeline.videos import VIDEO_SUFFIXES, find_videos, list_videos


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


def test_a_list_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfone.mp4\r\ntwo.mp4\r\n")
    assert [name for _, name, _ in names(tmp_path / "list.txt")] == ["one", "two"]


def test_links_to_folders_are_followed_each_folder_once(tmp_path):
    for name in ("in/own/a.mp4", "elsewhere/deep/b.mxf", "elsewhere/.hidden/c.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in" / "own")  # its own path counts
    (tmp_path / "elsewhere" / "deep" / "circle").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "broken").symlink_to(tmp_path / "nowhere")
    assert [video.name for video in find_videos(tmp_path / "in")] == ["linked/deep/b", "own/a"]


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


def test_the_guide_names_the_suffixes():
    guide = Path(__file__).parents[2] / "docs" / "your_own_footage.md"
    guide = " ".join(guide.read_text().split())
    assert ", ".join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES)) in guide


def test_a_clip_s_id_tells_its_episode(tmp_path):
    names = "a.mp4 a.mov b_1.mkv c.d.mp4 show/e_2.mp4 show/late/f.ts show/late/f.mp4"
    for name in names.split():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    videos = find_videos(tmp_path)
    assert len(videos) == 7
    manifest = Manifest({}, {}, sorted({video.episode for video in videos}), {})
    for video in videos:
        assert manifest.episode_of(f"{video.name}_0012") == video.episode
