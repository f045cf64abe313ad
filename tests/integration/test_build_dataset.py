"""`nwt build_dataset` as a user types it."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.data_pipeline import footage


def nwt(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "nwt_tf.bin.build_dataset", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.getcwd(), "CUDA_VISIBLE_DEVICES": "-1"} | environment,
    )


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "my footage"
    path.mkdir()
    return path


def test_footage_becomes_a_dataset(folder, tmp_path):
    for number, name in enumerate(("äpfel", "b", "c")):
        footage.talk(folder / f"{name}.mp4", seconds=3.2 + 0.04 * number, gop=30)
    (folder / "text.mp4").write_text("no video\n")
    out = tmp_path / "shards"
    arguments = (
        f"--input_dir={folder}",
        f"--output_dir={out}",
        "--config=demo",
        "--config.height=24",
        "--config.width=32",
        "--config.segment_seconds=1.2",
        "--test_episodes=b",
        "--num_workers=2",
    )
    done = nwt(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    figures = json.loads(lines[-1])
    assert figures["clips"] == 6 and figures["minutes"] == pytest.approx(0.12)
    assert figures["skipped"] == 4  # three ends of 0.8 s, and the text
    assert "left out text.mp4: is not a readable video or audio file" in lines
    assert "test: 2 clips, 0.0 minutes" in lines
    manifest = json.loads((out / "dataset.json").read_text())
    assert manifest["episodes"] == ["b", "c", "äpfel"]
    assert sorted(path.name for path in out.iterdir()) == [
        *("dataset.json", "test-00000.tfrecord", "train-00000.tfrecord"),
        "validation-00000.tfrecord",
    ]
    seen = nwt(f"--inspect={out}")
    assert (seen.returncode, seen.stderr) == (0, "")
    assert "train           3      0.1" in seen.stdout and "text.mp4" in seen.stdout
    figures = json.loads(seen.stdout.splitlines()[-1])
    assert figures["clips"] == 6 and os.path.isfile(figures["contact_sheet"])
    again = nwt(*arguments)
    assert again.returncode == 2
    assert "already holds a dataset; --overwrite replaces it" in again.stderr


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--input_dir=nowhere"], "nowhere: no such folder"),
        (["--input_dir="], "--input_dir or --input_list must be given"),
        (["--input_list=l.txt"], "--input_dir or --input_list must be given, and not both"),
        (["--inspect=shards"], "--inspect builds nothing: leave out --input_dir and --output_dir"),
        ([], "holds no videos"),
        (["--config.heigth=3"], "heigth"),
        (["--config.fps=fast"], "fps"),
        (["--config=nope"], "no variant nope; there are: default, lwt, grid_s1, demo"),
    ],
)
def test_errors_are_one_line(folder, tmp_path, arguments, message):
    done = nwt(f"--input_dir={folder}", f"--output_dir={tmp_path / 'out'}", *arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert done.stderr.startswith("nwt build_dataset: error: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "flag", ["shard_megabytes=inf", "crop=(1.5,0,0,0)", "validation_fraction=nan", "width=100000"]
)
def test_numbers_out_of_range_are_one_line(folder, tmp_path, flag):
    (folder / "a.mp4").write_bytes(b"")
    done = nwt(f"--input_dir={folder}", f"--output_dir={tmp_path / 'out'}", f"--config.{flag}")
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1
    assert f"error: {flag.partition('=')[0]}" in done.stderr and "Received: " in done.stderr


def test_strict(folder, tmp_path):
    footage.talk(folder / "a.mp4", seconds=1.2)
    (folder / "empty.mp4").write_bytes(b"")
    done = nwt(f"--input_dir={folder}", f"--output_dir={tmp_path / 'out'}", "--strict")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "nwt build_dataset: error: --strict: empty.mp4 cannot be used: is empty (0 bytes)\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "flags",
    [
        ["--inspect=s3://b/x"],
        ["--output_dir=s3://b/x"],
        ["--output_dir=out", "--parts_dir=hdfs://q"],
    ],
)
def test_a_scheme_that_nobody_reads_is_one_line(folder, tmp_path, flags):
    if "--inspect" not in flags[0]:
        footage.talk(folder / "a.mp4", seconds=1.2)
        flags = [flag.replace("=out", f"={tmp_path}/out") for flag in flags]
        flags += [f"--input_dir={folder}", "--num_workers=1"]
    done = nwt(*flags)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1
    assert "TensorFlow cannot work there; take a local folder or gs://" in done.stderr
    assert not (tmp_path / "out").exists()


def test_names_that_stdout_cannot_show(folder, tmp_path):
    footage.talk(folder / "a.mp4", seconds=1.2)
    (folder / os.fsdecode(b"bad\xff name.mp4")).write_bytes(b"")
    out = tmp_path / os.fsdecode(b"shards\xff")
    arguments = (f"--input_dir={folder}", f"--output_dir={out}", "--num_workers=1")
    for encoding in ("utf-8:strict", "ascii:strict"):
        done = nwt(*arguments, "--overwrite", PYTHONIOENCODING=encoding)
        assert (done.returncode, done.stderr) == (0, "")
        assert "name.mp4: its name is not UTF-8; rename it" in done.stdout.splitlines()[0]
        assert json.loads(done.stdout.splitlines()[-1])["skipped"] == 1


def test_no_episodes_and_no_clips(folder, tmp_path):
    """An empty list of episodes names none; a review that drops all is named."""
    footage.talk(folder / "a.mp4", seconds=3.2, gop=30)
    arguments = (f"--input_dir={folder}", f"--output_dir={tmp_path / 'out'}", "--num_workers=1")
    arguments += ("--config.segment_seconds=1.2", "--config.trim_seconds=0")
    assert nwt(*arguments, "--review").returncode == 0
    page = (tmp_path / "out" / "review.html").read_text()
    review = {"format": "nwt review", "version": 1}
    review["dataset"] = re.search('"fingerprint":"(\\w+)"', page)[1]
    review["decisions"] = {"a_0000": "drop", "a_0001": "drop"}
    (tmp_path / "review.json").write_text(json.dumps(review))
    done = nwt(*arguments, f"--review_file={tmp_path / 'review.json'}")
    assert done.returncode == 2
    assert "review.json: drops every clip, 2 in all; keep some of them" in done.stderr
    done = nwt(*arguments, "--config.validation_episodes=", "--test_episodes=")
    assert (done.returncode, done.stderr) == (0, "")
