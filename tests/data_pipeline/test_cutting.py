"""Builds at scale: the same bytes whoever makes them, and however often they are stopped."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from data_pipeline import cutting, files
from data_pipeline.build import build_dataset
from data_pipeline.dataset import read_clips
from data_pipeline.shards import Manifest
from tests.data_pipeline import footage

SETTINGS = {
    "height": 48,
    "width": 64,
    "fps": 25.0,
    "segment_seconds": 1.2,
    "trim_seconds": 0.0,
    "test_fraction": 0.2,
    "shard_megabytes": 0.1,
}
BUILD = """
import json, sys
from data_pipeline.build import build_dataset
if __name__ == "__main__":
    build_dataset(sys.argv[1], sys.argv[2], num_workers=2, **json.loads(sys.argv[3]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("footage")
    for number in range(6):
        footage.talk(path / f"e{number}.mp4", seconds=3.0 + 0.4 * number, gop=30, width=160)
    return path


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """The dataset as one process makes it."""
    path = tmp_path_factory.mktemp("whole") / "out"
    build_dataset(folder, path, num_workers=1, **SETTINGS)
    assert len(list(path.glob("train-*.tfrecord"))) > 1
    return contents(path)


def contents(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_two_workers(folder, whole, tmp_path):
    build_dataset(folder, tmp_path / "out", num_workers=2, **SETTINGS)
    assert contents(tmp_path / "out") == whole


def test_checksums_are_those_of_the_shards(whole):
    manifest = json.loads(whole["dataset.json"])
    shards = [shard for split in manifest["splits"].values() for shard in split]
    assert {shard["name"] for shard in shards} == set(whole) - {"dataset.json"}
    for shard in shards:
        assert shard["sha256"] == hashlib.sha256(whole[shard["name"]]).hexdigest()
        assert shard["bytes"] == len(whole[shard["name"]])


@pytest.mark.slow
def test_three_kills(folder, whole, tmp_path):
    """SIGKILL, once parts are there; then the same command finishes, and nothing is done twice."""
    (tmp_path / "build.py").write_text(BUILD)
    out = tmp_path / "out"
    command = [sys.executable, tmp_path / "build.py", folder, out, json.dumps(SETTINGS)]
    environment = os.environ | {"PYTHONPATH": os.getcwd(), "CUDA_VISIBLE_DEVICES": "-1"}
    made = {}
    for parts in (1, 3, 5):  # of six
        process = subprocess.Popen(command, env=environment, start_new_session=True)
        while len(list(out.glob(".parts/*.json"))) < parts:
            assert process.poll() is None, "it ended by itself"
            time.sleep(0.005)
        process.kill()
        process.wait()
        deadline = time.monotonic() + 20
        while is_alive(process.pid):  # the workers end themselves
            assert time.monotonic() < deadline, "workers outlive their build"
            time.sleep(0.05)
        assert not (out / "dataset.json").exists()
        stamps = {path.name: path.stat().st_mtime_ns for path in out.glob(".parts/*.clips")}
        assert made.items() <= stamps.items()
        made = stamps
    assert len(made) >= 5
    subprocess.run(command, env=environment, check=True)
    assert contents(out) == whole


def is_alive(group):
    try:
        os.killpg(group, signal.SIGCONT)
    except ProcessLookupError:
        return False
    return True


def test_parts_of_other_settings_are_not_taken(folder, whole, tmp_path, monkeypatch):
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(cutting.Footage, "remove_parts", lambda self: None)
        build_dataset(folder, out, num_workers=1, **(SETTINGS | {"height": 24}))
    parts = sorted(path.name for path in (out / ".parts").glob("*.clips"))
    assert len(parts) == 6
    build_dataset(folder, out, num_workers=1, overwrite=True, **SETTINGS)
    assert contents(out) == whole


def test_an_interrupt_keeps_what_is_finished(folder, whole, tmp_path, monkeypatch):
    cut, calls = cutting.cut_job, []

    def stops(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return cut(*arguments, **options)

    monkeypatch.setattr(cutting, "cut_job", stops)
    with pytest.raises(KeyboardInterrupt):
        build_dataset(folder, tmp_path / "out", num_workers=1, **SETTINGS)
    assert len(list((tmp_path / "out" / ".parts").glob("*.clips"))) == 3
    build_dataset(folder, tmp_path / "out", num_workers=1, **SETTINGS)
    assert len(calls) == 4 + 3
    assert contents(tmp_path / "out") == whole


def test_what_else_lies_in_the_folder_for_parts_stays(folder, whole, tmp_path, monkeypatch):
    """After a failure before any clip, after an interrupt, and after success."""
    scratch, out, cut, calls = tmp_path / "scratch", tmp_path / "out", cutting.cut_job, []
    (scratch / "results").mkdir(parents=True)
    for name in ("thesis.txt", "old.tmp", "results/table.csv"):
        (scratch / name).write_text(name)
    before = sorted(scratch.rglob("*"))

    def build(stop):
        def stops(*arguments, **options):
            calls.append(arguments)
            if len(calls) == stop:
                raise KeyboardInterrupt
            return cut(*arguments, **options)

        monkeypatch.setattr(cutting, "cut_job", stops)
        build_dataset(folder, out, num_workers=1, parts_dir=str(scratch), **SETTINGS)

    with pytest.raises(KeyboardInterrupt):
        build(stop=1)
    assert sorted(scratch.rglob("*")) == before and not out.exists()
    with pytest.raises(KeyboardInterrupt):
        build(stop=len(calls) + 4)
    assert len(list((scratch / "nwt_parts").glob("*.clips"))) == 3
    assert set(before) < set(scratch.rglob("*"))
    calls.clear()
    build(stop=None)
    assert len(calls) == 3 and contents(out) == whole
    assert sorted(scratch.rglob("*")) == before
    for name in ("thesis.txt", "old.tmp", "results/table.csv"):
        assert (scratch / name).read_text() == name


@pytest.mark.parametrize("held", ["out", "scratch/nwt_parts"])
def test_two_builds_do_not_share_a_folder(folder, tmp_path, held):
    """The second one is refused, and touches nothing of the first."""
    with files.alone_in(tmp_path / held):
        (tmp_path / held / "unfinished.plan").write_text("the first build's")
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(BlockingIOError, match="another build works in it") as caught:
            build_dataset(
                *(folder, tmp_path / "out"),
                num_workers=1,
                parts_dir=tmp_path / "scratch",
                **SETTINGS,
            )
        assert caught.value.filename == str(tmp_path / held)
        assert sorted(tmp_path.rglob("*")) == before


def test_a_refused_build_leaves_no_folders(folder, tmp_path):
    places = {"output_dir": tmp_path / "a" / "b" / "c", "parts_dir": tmp_path / "d" / "e"}
    with pytest.raises(ValueError, match="unknown episode nobody"):
        build_dataset(folder, **places, num_workers=1, test_episodes=("nobody",), **SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_for_parts_that_a_build_made_goes_with_it(folder, tmp_path):
    parts = tmp_path / "parts"
    build_dataset(folder, tmp_path / "out", num_workers=1, parts_dir=str(parts), **SETTINGS)
    assert not parts.exists()


def test_an_interrupted_replacement_goes_on(folder, whole, tmp_path, monkeypatch):
    """The old dataset stays meanwhile; the new one is what an unbroken build makes."""
    out, clips = tmp_path / "out", cutting.Footage.clips
    build_dataset(folder, out, num_workers=1, **(SETTINGS | {"height": 24}))
    before = contents(out)

    def stops(self):
        for number, clip in enumerate(clips(self)):
            if number == 5:
                raise KeyboardInterrupt
            yield clip

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(cutting.Footage, "clips", stops)
        build_dataset(folder, out, num_workers=1, overwrite=True, **SETTINGS)
    assert list((out / ".parts").glob("*.clips")) and not (out / ".new").exists()
    assert {name: (out / name).read_bytes() for name in before} == before
    build_dataset(folder, out, num_workers=1, overwrite=True, **SETTINGS)
    assert contents(out) == whole


def test_beam(folder, whole, tmp_path):
    pytest.importorskip("apache_beam", reason="needs Apache Beam: pip install 'nwt_tf[beam]'")
    build_dataset(folder, tmp_path / "out", runner="beam", **SETTINGS)
    assert contents(tmp_path / "out") == whole


def test_beam_is_asked_for_by_name(folder, tmp_path):
    if "apache_beam" not in sys.modules:
        try:
            import apache_beam  # noqa: F401
        except ImportError:
            with pytest.raises(ValueError, match="needs Apache Beam: pip install 'nwt_tf.beam.'"):
                build_dataset(folder, tmp_path / "out", runner="beam", **SETTINGS)
            assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="runner must be processes or beam. Received: spark"):
        build_dataset(folder, tmp_path / "out", runner="spark", **SETTINGS)


@pytest.mark.parametrize("parts_dir", [None, "ram://parts/of/it"])
def test_a_dataset_behind_gfile(folder, whole, parts_dir, tmp_path):
    """ram:// stands for gs://: both are file systems of tf.io.gfile alone."""
    import tensorflow as tf

    out = f"ram://bucket/{tmp_path.name}/shards"
    build_dataset(folder, out, num_workers=1, parts_dir=parts_dir, **SETTINGS)
    names = tf.io.gfile.listdir(out)
    assert sorted(names) == sorted(whole)
    for name in names:
        with tf.io.gfile.GFile(f"{out}/{name}", "rb") as file:
            assert file.read() == whole[name]
    assert len(list(read_clips(out, "train"))) == len(Manifest.load(out).clip_frames("train"))
    with pytest.raises(FileExistsError, match="ram://.*already holds a dataset"):
        build_dataset(folder, out, num_workers=1, **SETTINGS)
    with pytest.raises(FileNotFoundError, match="ram://bucket/nowhere: no such folder"):
        Manifest.load("ram://bucket/nowhere")


def test_the_same_file_twice_is_taken_once(tmp_path):
    (tmp_path / "in").mkdir()
    original = footage.talk(tmp_path / "in" / "a.mp4", gop=30).read_bytes()
    (tmp_path / "in" / "copy of a.mp4").write_bytes(original)
    (tmp_path / "in" / "other.mp4").write_bytes(original[:-1] + b"\0")  # of the same size
    manifest = build_dataset(tmp_path / "in", tmp_path / "out", num_workers=1, **SETTINGS)
    assert manifest.episodes == ["a", "other"]
    assert [(skip.name, skip.reason) for skip in manifest.skipped_files] == [
        ("copy of a.mp4", "has the content of a.mp4")
    ]
    with pytest.raises(ValueError, match="--strict: copy of a.mp4 cannot be used: has the content"):
        build_dataset(tmp_path / "in", tmp_path / "s", num_workers=1, strict=True, **SETTINGS)


def test_input_list(folder, tmp_path):
    lines = ["# footage", "", f"{folder}/e1.mp4", f"{folder}/gone.mp4", f"{folder}/e1.mp4"]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    out = tmp_path / "out"
    manifest = build_dataset(None, out, input_list=tmp_path / "list.txt", num_workers=1, **SETTINGS)
    assert manifest.episodes == ["e1"]
    assert [(skip.name, skip.reason) for skip in manifest.skipped_files] == [
        ("gone.mp4", "no such file")
    ]
