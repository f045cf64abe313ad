"""Shards that cannot be trained on: one line that says why, exit code 2, and nothing hangs."""

import json

import pytest

from data_pipeline import schema
from nwt_tf.bin import nwt
from tests.integration.trainings import write_codes


@pytest.fixture
def codes(tmp_path):
    return write_codes(tmp_path / "codes")


def the_shard(codes):
    (shard,) = codes.glob("train-*.tfrecord")
    return shard


def cut(codes):
    shard = the_shard(codes)
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2 - 50])  # within a record


def cut_and_forged(codes):
    """The manifest, too, believes that the shard ends in the middle of a record."""
    cut(codes)
    manifest = json.loads((codes / "dataset.json").read_text())
    for shard in manifest["splits"]["train"]:
        shard["bytes"] = the_shard(codes).stat().st_size
    (codes / "dataset.json").write_text(json.dumps(manifest))


def overwrite(codes):
    shard = the_shard(codes)
    content = bytearray(shard.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8] = b"\0" * 8
    shard.write_bytes(content)


def empty(codes):
    manifest = json.loads((codes / "dataset.json").read_text())
    manifest["splits"]["train"] = []
    (codes / "dataset.json").write_text(json.dumps(manifest))


def refused(capsys, *arguments):
    """The one line."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_:
        nwt.main(["train_prior", "--config=tiny", *arguments])
    lines = capsys.readouterr().err.strip().splitlines()
    assert exit_.value.code == 2, lines
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "train-00000.tfrecord: has"),
        (cut_and_forged, "train-00000.tfrecord: cannot be read (truncated record)"),
        (overwrite, "train-00000.tfrecord: cannot be read (corrupted record)"),
        (empty, "has no clips in split train"),
    ],
)
def test_a_shard_that_cannot_be_read(codes, tmp_path, capsys, damage, message):
    damage(codes)
    line = refused(capsys, f"--data_dir={codes}", f"--workdir={tmp_path / 'work'}")
    assert message in line


def test_a_shard_of_another_schema(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
    codes = write_codes(tmp_path / "codes")
    monkeypatch.undo()
    line = refused(capsys, f"--data_dir={codes}", f"--workdir={tmp_path / 'work'}")
    assert "train-00000.tfrecord: cannot be read (another schema version)" in line


@pytest.mark.parametrize("frames", [0, 1])
def test_a_clip_length_that_no_motion_fits_into(codes, tmp_path, capsys, frames):
    line = refused(
        capsys,
        f"--data_dir={codes}",
        f"--workdir={tmp_path / 'work'}",
        f"--config.train.clip_frames={frames}",
    )
    assert line.endswith(f"Received: config.train.clip_frames={frames}")
