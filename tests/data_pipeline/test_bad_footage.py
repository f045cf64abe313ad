"""What cannot be used is named, counted and left out; with `strict` it is an error."""

import os

import av
import numpy as np
import pytest

from data_pipeline.cutting import Footage
from tests.data_pipeline import field_pictures, footage
from tests.data_pipeline.test_build import built


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def test_unusable_footage_is_skipped_and_named(folder, tmp_path):
    good = footage.talk(folder / "good.mp4", seconds=2.4, gop=30).read_bytes()
    footage.write(folder / "mute.mp4", footage.scenes([50]), np.arange(50) / 25)
    footage.talk(folder / "short.mp4", seconds=0.8)
    (folder / "text.mp4").write_text("this is no video\n" * 9)
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "truncated.mp4").write_bytes(good[: len(good) * 2 // 3])
    manifest, clips = built(folder, tmp_path / "out")
    assert {clip["record"].episode for clip in clips} == {"good"} == set(manifest.episodes)
    reasons = {skip.name: skip.reason for skip in manifest.skipped_files}
    assert {name: reason.split(";")[0] for name, reason in reasons.items()} == {
        "empty.mp4": "is empty (0 bytes)",
        "mute.mp4": "has no audio stream",
        "short.mp4": "shorter than a clip of 1 s",
        "text.mp4": "is not a readable video or audio file",
        "truncated.mp4": "is a truncated mp4 (its index, the moov atom, is missing or broken)",
    }
    assert [(skip.name, skip.reason) for skip in manifest.skipped_clips] == [
        ("short_0000", "0.80 s is shorter than 1 s")
    ]
    with pytest.raises(ValueError, match="--strict: empty.mp4 cannot be used: is empty"):
        built(folder, tmp_path / "strict", strict=True)
    assert not (tmp_path / "strict").exists()
    (folder / "good.mp4").unlink()
    with pytest.raises(ValueError, match="none of its videos can be used; the first is empty.mp4"):
        built(folder, tmp_path / "none")


def test_a_name_that_is_not_utf8_is_skipped_and_named(folder, tmp_path):
    footage.talk(folder / "good.mp4", seconds=2.4, gop=30)
    bad = os.fsdecode(b"bad\xff name.mp4")  # its content is that of the good one, which stays
    (folder / bad).write_bytes((folder / "good.mp4").read_bytes())
    manifest, clips = built(folder, tmp_path / "out")
    assert {clip["record"].episode for clip in clips} == {"good"}
    assert [(skip.name, skip.reason) for skip in manifest.skipped_files] == [
        ("bad\ufffd name.mp4", "its name is not UTF-8; rename it")
    ]
    with pytest.raises(
        ValueError, match="--strict: bad\ufffd name.mp4 cannot be used: its name is"
    ):
        built(folder, tmp_path / "strict", strict=True)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_sound_that_outlasts_the_picture_is_no_damage(folder, tmp_path, suffix):
    sound = np.random.default_rng(0).normal(0, 0.1, round(4.4 * footage.RATE))
    footage.write(
        *(folder / f"a.{suffix}", footage.scenes([30, 30]), np.arange(60) / 25, sound),
        keys=(0, 30),
    )
    manifest, clips = built(folder, tmp_path / "out", strict=True)
    assert len(clips) == 2 and not manifest.skipped_clips


def test_parts_without_a_clip_are_not_worth_keeping(tmp_path):
    for content, kept in ((b"", False), (b"a clip", True)):
        parts = tmp_path / "parts"
        parts.mkdir()
        (parts / "key.plan").write_text("{}")
        (parts / "key-0000.json").write_text("{}")
        (parts / "key-0000.clips").write_bytes(content)
        Footage.keep_if_worth(str(parts))
        assert parts.exists() == kept


def test_short_clips_are_no_error_even_when_strict(folder, tmp_path):
    footage.talk(folder / "a.mp4", seconds=3.2, gop=30)  # 1.2 s, 1.2 s and 0.8 s
    manifest, clips = built(folder, tmp_path / "out", strict=True)
    assert len(clips) == 2
    assert [skip.name for skip in manifest.skipped_clips] == ["a_0002"]


def damage(path, packet):
    """Zeroes all but the head of the picture's packet of that number, in the order of the file."""
    with av.open(str(path)) as container:
        data = bytes([p for p in container.demux(container.streams.video[0]) if p.size][packet])
    whole = path.read_bytes()
    assert whole.count(data) == 1
    path.write_bytes(whole.replace(data, data[:5] + bytes(len(data) - 5)))


@pytest.mark.parametrize("packet", [30, 40])  # the key frame of the second segment, or a later one
def test_damaged_pictures_drop_their_clips(folder, tmp_path, packet):
    path = footage.talk(folder / "a.mp4", seconds=4.8, gop=30)
    whole = {c["clip_id"]: c["video"] for c in built(folder, tmp_path / "whole")[1]}
    damage(path, packet)
    manifest, clips = built(folder, tmp_path / "out")
    # What is kept is right.  The clip before may go with it: after an error x264's last frames of
    # it come out of order.
    kept = {clip["clip_id"]: clip["video"] for clip in clips}
    assert {"a_0002", "a_0003"} <= set(kept) <= {"a_0000", "a_0002", "a_0003"}
    assert all((kept[clip_id] == whole[clip_id]).all() for clip_id in kept)
    reasons = {skip.name: skip.reason for skip in manifest.skipped_clips}
    assert set(reasons) == set(whole) - set(kept)
    assert "of its 30 frames cannot be decoded" in reasons["a_0001"]
    with pytest.raises(ValueError, match="--strict: a_000[01] cannot be used"):
        built(folder, tmp_path / "strict", strict=True)


def test_damage_of_interlaced_pictures_drops_their_clips(folder, tmp_path):
    path = footage.talk(folder / "a.mp4", 4.8, gop=30, options={"flags": "+ildct+ilme"})
    assert len(built(folder, tmp_path / "whole")[1]) == 4
    damage(path, 40)
    manifest, _ = built(folder, tmp_path / "out")
    reasons = {skip.name: skip.reason for skip in manifest.skipped_clips}
    assert "of its 30 frames cannot be decoded" in reasons["a_0001"]


@pytest.mark.parametrize("second", [0, 1])
def test_a_damaged_field_drops_its_clip(folder, tmp_path, second):
    video = np.random.default_rng(0).integers(40, 90, (40, 64, 64)).astype(np.uint8)
    field_pictures.write(folder / "a.mp4", video, footage.clicks([0.5], 1.7, 48_000))
    damage(folder / "a.mp4", 2 * 25 + second)
    with pytest.raises(ValueError, match="none of its clips.* frames cannot be decoded"):
        built(folder, tmp_path / "out", segment_seconds=4.0)


def test_clips_without_sound_are_dropped(folder, tmp_path):
    sound = footage.clicks([0.1, 1.5], 2.0)  # 1.6 s less than the picture
    pictures = footage.scenes([30] * 3)
    footage.write(folder / "a.mp4", pictures, np.arange(90) / 25, sound, keys=(0, 30, 60))
    manifest, clips = built(folder, tmp_path / "out")
    assert [clip["clip_id"] for clip in clips] == ["a_0000", "a_0001"]
    assert [(s.name, s.reason) for s in manifest.skipped_clips] == [
        ("a_0002", "has sound in 0% of its time only")
    ]
    # The second clip's last 0.4 s are silent.
    assert clips[1]["mel"][-40:].max() == pytest.approx(np.log(1e-5))


def test_a_file_that_breaks_off_gives_what_it_has(folder, tmp_path):
    path = footage.talk(folder / "a.mkv", seconds=6, gop=30)
    manifest, clips = built(folder, tmp_path / "out")
    assert len(clips) == 5 and not manifest.skipped_clips
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    manifest, clips = built(folder, tmp_path / "half")
    assert 1 <= len(clips) <= 3
    skip = manifest.skipped_clips[-1]
    assert skip.name == "a" and "breaks off at" in skip.reason and "of 6.0 s" in skip.reason
