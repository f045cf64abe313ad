"""Shards that cannot be trained on: one line that says why, exit code 2, and nothing hangs."""

import json

import pytest

from data_pipeline import schema
from nwt_tf.bin import nwt
from nwt_tf.bin.training import validation
from tests.integration.commands import refused
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


def training_refused(capsys, message, codes, *flags):
    data, workdir = f"--data_dir={codes}", f"--workdir={codes.parent / 'work'}"
    refused(capsys, message, "train_prior", "--config=tiny", data, workdir, *flags)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "train-00000.tfrecord: has"),
        (cut_and_forged, "train-00000.tfrecord: cannot be read (truncated record)"),
        (overwrite, "train-00000.tfrecord: cannot be read (corrupted record)"),
        (empty, "has no clips in split train"),
    ],
)
def test_a_shard_that_cannot_be_read(codes, capsys, damage, message):
    damage(codes)
    training_refused(capsys, message, codes)


def test_damage_behind_the_clips_that_are_looked_at_first(codes, capsys, monkeypatch):
    monkeypatch.setattr(validation, "CLIPS", 1)
    inspect = "build_dataset", f"--inspect={codes}"
    nwt.main(inspect)  # codes alone have no contact sheet
    assert "contact_sheet" not in json.loads(capsys.readouterr().out.splitlines()[-1])
    overwrite(codes)
    training_refused(capsys, "A training batch cannot be read: corrupted record", codes)
    refused(capsys, "train-00000.tfrecord: cannot be read (corrupted record)", *inspect)


def test_a_shard_of_another_schema(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
    codes = write_codes(tmp_path / "codes")
    monkeypatch.undo()
    message = "train-00000.tfrecord: cannot be read (another schema version)"
    training_refused(capsys, message, codes)


@pytest.mark.parametrize("frames", [0, 1])
def test_a_clip_length_that_no_motion_fits_into(codes, capsys, frames):
    flag = f"config.train.clip_frames={frames}"
    training_refused(capsys, f"Received: {flag}", codes, f"--{flag}")
