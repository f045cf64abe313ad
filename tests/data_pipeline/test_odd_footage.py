"""Footage that would be taken for something else: odd names, joined files, files that change."""

import os
import subprocess
import sys

import av
import numpy as np
import pytest

from data_pipeline import cutting
from data_pipeline.media import FrameIndex, index_frames, write_mp4
from data_pipeline.segment import split_at_key_frames
from data_pipeline.shards import new_dataset
from data_pipeline.videos import _refuse, find_videos
from tests.data_pipeline import field_pictures, footage
from tests.data_pipeline.test_build import built


def test_a_name_with_a_colon_is_no_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_mp4("10:30:00.mp4", np.zeros((4, 16, 16, 3), np.uint8), 25.0)
    assert len(index_frames("10:30:00.mp4").times) == 4


def test_names_are_unique_whatever_the_suffixes(tmp_path):
    for name in ("a.mp4", "a.mkv", "a.mp4.mov", "b.mp4"):
        (tmp_path / name).touch()
    assert [video.name for video in find_videos(tmp_path)] == ["a.mkv", "a.mp4", "a.mp4.mov", "b"]


def test_links_to_nothing_and_folders_that_cannot_be_read_are_not_passed_over(tmp_path):
    (tmp_path / "monday.mp4").symlink_to(tmp_path / "unmounted.mp4")
    footage.talk(tmp_path / "tuesday.mp4", seconds=2.4, gop=30)
    manifest, _ = built(tmp_path, tmp_path / "out")
    assert [(skip.name, skip.reason) for skip in manifest.skipped_files] == [
        ("monday.mp4", "no such file")
    ]
    with pytest.raises(PermissionError, match="sub: cannot be read .Permission denied.; make it"):
        _refuse(PermissionError(13, "Permission denied", "sub"))


def test_files_joined_byte_by_byte_are_refused(tmp_path):
    parts = [footage.talk(tmp_path / f"{name}.ts", seconds=s) for name, s in (("a", 3), ("b", 4))]
    (tmp_path / "ab.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        index_frames(part)
    with pytest.raises(ValueError, match=r"ab.ts: its timestamps jump back after \d\.\d s, as in"):
        index_frames(tmp_path / "ab.ts")


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4"])
def test_two_fields_are_a_frame(tmp_path, suffix):
    video, path = np.full((60, 64, 64), 40, np.uint8), tmp_path / f"a.{suffix}"
    video[37] = 220
    field_pictures.write(path, video, footage.clicks([37 / 25], 2.5, 48_000))
    index = index_frames(path)
    np.testing.assert_allclose(np.diff(index.times), 1 / 25, atol=1e-3)
    assert len(index.times) == 60 and index.entries is not None
    manifest, (clip,) = built(tmp_path, tmp_path / "out", segment_seconds=4.0, height=64, width=64)
    assert not manifest.skipped_clips
    assert np.flatnonzero(clip["video"].mean(axis=(1, 2, 3)) > 100).tolist() == [37]
    assert abs(np.argmax(clip["mel"].max(axis=1)) / 4 - 37) <= 1


def test_a_picture_that_is_held_ends_its_segment():
    times = np.concatenate([np.arange(50) / 25, 100 + np.arange(50) / 25])
    segments = split_at_key_frames(FrameIndex(times, times[:1]), 4.0, max_seconds=30.0)
    np.testing.assert_allclose(segments, [(0.0, 2.0), (100.0, 102.0)], atol=1e-6)


def test_a_held_picture_is_told(tmp_path):
    times = np.concatenate([np.arange(50) / 25, 40 + np.arange(50) / 25])
    footage.write(
        tmp_path / "held.mkv", footage.scenes([100]), times, np.zeros(42 * footage.RATE), keys=(0,)
    )
    manifest, clips = built(tmp_path, tmp_path / "out")
    assert max(clip["record"].num_frames for clip in clips) <= 51
    assert [skip.reason for skip in manifest.skipped_clips][:1] == [
        "its picture stands still from 2.0 s to 40.0 s"
    ]


def test_a_cut_end_is_told_however_short(tmp_path):
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (75, 32, 32, 3)).astype(np.uint8)
    whole = tmp_path / "whole.mp4"
    write_mp4(whole, noise, 25.0, 0.1 * np.sin(np.arange(3 * 24000) / 9), gop_frames=25)
    (tmp_path / "in/cut.mp4").write_bytes(whole.read_bytes()[:-50])
    manifest, _ = built(tmp_path / "in", tmp_path / "out")
    (told,) = [skip.reason for skip in manifest.skipped_clips if skip.name == "cut"]
    assert told.startswith("is cut off (its index names ")


def test_a_file_that_changes_while_it_is_read_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        footage.talk(tmp_path / f"in/{name}.mp4", seconds=2.4 + (name == "b"), gop=30)
    cut = cutting.cut_job

    def changes(job, *arguments, **options):
        yield from cut(job, *arguments, **options)
        if job.path.endswith("a.mp4"):
            os.utime(job.path, ns=(1, 1))

    monkeypatch.setattr(cutting, "cut_job", changes)
    manifest, clips = built(tmp_path / "in", tmp_path / "out")
    assert {clip["record"].episode for clip in clips} == {"b"}
    assert [(skip.name, skip.reason) for skip in manifest.skipped_files] == [
        ("a.mp4", "was changed while it was read; build once more")
    ]


def test_a_picture_of_somebody_s_own_stays_in_the_output_folder(tmp_path):
    (tmp_path / "contact_sheet.png").write_bytes(b"mine")
    with new_dataset(tmp_path):
        pass
    assert (tmp_path / "contact_sheet.png").read_bytes() == b"mine"


def test_channels_in_an_order_of_the_file_s_own(tmp_path):
    """In a process of its own: PyAV 18 ends it where the order is freed."""
    path = tmp_path / "sound.caf"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=48000, layout="7.1")
        tone = np.tile(np.int16(9000 * np.sin(np.arange(48000) / 20)), (8, 1))
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(tone.T.reshape(1, -1)), format="s16", layout="7.1"
        )
        frame.sample_rate, frame.pts = 48000, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    script = (
        "import sys; from data_pipeline.media import read_audio; "
        "print(*[len(read_audio(sys.argv[1])) for _ in range(3)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, path],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
    )
    assert done.stdout.split() == ["24000"] * 3, done.stderr
