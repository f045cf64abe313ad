import contextlib
import errno
import json
import os

import pytest
import tensorflow as tf

from data_pipeline import files
from data_pipeline.shards import Manifest, Shard, ShardWriter, Skip, new_dataset


def records(path):
    return [bytes(r) for r in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]


def test_shards_close_at_their_size(tmp_path):
    with ShardWriter(tmp_path, "train", shard_bytes=250) as writer:
        for number in range(5):
            writer.write(bytes([number]) * 100, f"clip{number}", number)
    assert [list(shard.clips) for shard in writer.shards] == [
        ["clip0", "clip1", "clip2"],
        ["clip3", "clip4"],
    ]
    for shard in writer.shards:
        assert (tmp_path / shard.name).stat().st_size == shard.bytes
    assert records(tmp_path / "train-00001.tfrecord") == [b"\3" * 100, b"\4" * 100]
    assert writer.shards[1].clips == {"clip3": 3, "clip4": 4}
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / "train-00003.tfrecord.77.tmp").write_bytes(b"half")
    (tmp_path / "notes.tmp").write_text("stays")
    with ShardWriter(tmp_path, "train") as writer:
        writer.write(b"x", "clip", 1)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.tmp", "train-00000.tfrecord"}


def test_no_clips_make_no_shard(tmp_path):
    with ShardWriter(tmp_path, "test") as writer:
        pass
    assert writer.shards == [] and not list(tmp_path.iterdir())


class FullDisk:
    """A file whose disk is full after two records."""

    def __init__(self, file):
        self.file, self.left = file, 2

    def write(self, data):
        if not self.left:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= 1
        self.file.write(data)


def test_a_full_disk_removes_the_shard_under_way_and_keeps_the_finished(tmp_path, monkeypatch):
    writing = files.writing

    @contextlib.contextmanager
    def on_full_disk(path):
        with writing(path) as file:
            yield FullDisk(file)

    with pytest.raises(OSError, match="No space left") as caught:
        with ShardWriter(tmp_path, "train", shard_bytes=200) as writer:
            for _ in range(4):  # two records fill a shard
                writer.write(b"x" * 100, "clip", 1)
            monkeypatch.setattr(files, "writing", on_full_disk)
            writer.shard_bytes = 10_000
            for _ in range(3):
                writer.write(b"x" * 100, "clip", 1)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / "train-00002.tfrecord")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["train-00000.tfrecord", "train-00001.tfrecord"]
    assert all(records(tmp_path / name) == [b"x" * 100] * 2 for name in names)


def test_a_really_full_device(tmp_path):
    with pytest.raises(OSError) as caught:
        with ShardWriter(tmp_path, "train") as writer:
            # The shard's temporary name leads to /dev/full, where every write fails with ENOSPC.
            (tmp_path / f"train-00000.tfrecord.{os.getpid()}.tmp").symlink_to("/dev/full")
            writer.write(b"x" * 100, "clip", 1)
    assert caught.value.errno == errno.ENOSPC and "train-00000.tfrecord" in str(caught.value)
    assert not list(tmp_path.iterdir()) and writer.shards == []


def test_any_exception_removes_the_shard_under_way(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with ShardWriter(tmp_path, "train") as writer:
            writer.write(b"x", "clip", 1)
            raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def a_manifest():
    shards = [Shard("train-00000.tfrecord", 12, {"a": 5}), Shard("t", 3, {"b": 7, "c": 2})]
    return Manifest(
        config={"fps": 25.0},
        versions={"av": "18"},
        episodes=["x", "y"],
        splits={"train": shards, "validation": [], "test": []},
        skipped_files=[Skip("z.mp4", "has no audio stream")],
    )


def test_manifest_round_trip(tmp_path):
    a_manifest().save(tmp_path)
    assert Manifest.load(tmp_path) == a_manifest()
    assert Manifest.load(tmp_path).clip_frames("train") == {"a": 5, "b": 7, "c": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["dataset.json"]


def test_manifest_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        Manifest.load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="holds no dataset .* nwt build_dataset"):
        Manifest.load(tmp_path)
    a_manifest().save(tmp_path)
    path = tmp_path / "dataset.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {"schema_version": 99}))
    with pytest.raises(ValueError, match="schema version 99, this program reads 1"):
        Manifest.load(tmp_path)
    for damaged in ("{", "[]", "{}", json.dumps(fields | {"splits": {"train": [1]}})):
        path.write_text(damaged)
        with pytest.raises(ValueError, match="dataset.json: is damaged"):
            Manifest.load(tmp_path)


def write_dataset(folder, shards):
    """Shards of a record each in `folder`, or beside what is there and then in its place."""
    with new_dataset(folder) as data_dir:
        with ShardWriter(data_dir, "train", shard_bytes=1) as writer:
            for name in shards:
                writer.write(name.encode(), name, 1)
        Manifest({}, {}, [], {"train": writer.shards}).save(data_dir)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("remote", [False, True])
def test_a_new_dataset_takes_the_place_of_the_old(tmp_path, remote):
    folder = f"ram://new/{tmp_path.name}" if remote else tmp_path / "data"
    write_dataset(folder, ["old 0", "old 1", "old 2"])
    with files.writing(files.join(folder, "mine.txt")) as file:
        file.write(b"stays")
    write_dataset(folder, ["new 0", "new 1"])
    assert list(Manifest.load(folder).clip_frames("train")) == ["new 0", "new 1"]
    shards = ["train-00000.tfrecord", "train-00001.tfrecord"]
    assert files.names_in(folder) == ["dataset.json", "mine.txt", *shards]
    assert records(files.join(folder, shards[1])) == [b"new 1"]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_the_old_dataset_stays_until_the_new_one_is_complete(tmp_path, kind):
    write_dataset(tmp_path, ["old"])
    before = contents(tmp_path)
    with pytest.raises(kind), new_dataset(tmp_path) as data_dir:
        with ShardWriter(data_dir, "train", shard_bytes=1) as writer:
            writer.write(b"new", "new", 1)
        raise kind
    assert contents(tmp_path) == before


def test_what_a_kill_left_of_a_new_dataset_is_removed(tmp_path, monkeypatch):
    """Also a kill between two renames leaves no manifest of shards that are half old."""
    write_dataset(tmp_path, ["old 0", "old 1"])
    calls = []

    def dies(source, target, move=files.move):
        calls.append(target)
        if len(calls) == 5:  # two shards and the manifest are written, one shard has its place
            raise KeyboardInterrupt
        move(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files, "move", dies)
        write_dataset(tmp_path, ["new 0", "new 1"])
    assert (tmp_path / ".new" / "dataset.json").exists()  # nothing is lost
    with pytest.raises(FileNotFoundError, match="holds no dataset"):
        Manifest.load(tmp_path)
    write_dataset(tmp_path, ["again"])
    assert set(contents(tmp_path)) == {"dataset.json", "train-00000.tfrecord"}
