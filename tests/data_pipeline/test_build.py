import dataclasses
import errno
import math
import pickle

import cv2
import numpy as np
import pytest

from configs.footage import FootageConfig, get_config
from data_pipeline import build, cutting
from data_pipeline.build import build_dataset, find_videos
from data_pipeline.dataset import read_clips
from data_pipeline.mel import (
    HOP_LENGTH,
    N_FFT,
    NUM_MELS,
    SAMPLE_RATE,
    WIN_LENGTH,
    log_mel,
    mel_spectrogram,
)
from data_pipeline.overlays import mask_overlays
from data_pipeline.schema import Clip
from data_pipeline.shards import Manifest
from tests.data_pipeline import footage

SMALL = {
    "height": 24,
    "width": 32,
    "fps": 25.0,
    "segment_seconds": 1.2,
    "trim_seconds": 0.0,
    "frame_encoding": "png",
    "validation_fraction": 0.0,
    "test_fraction": 0.0,
    "num_workers": 1,
}


def built(input_dir, output_dir, **changes):
    manifest = build_dataset(input_dir, output_dir, **(SMALL | changes))
    return manifest, list(read_clips(output_dir, "train"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def test_episodes_that_lost_their_only_clip_to_another_split_are_named(folder, tmp_path):
    for number in range(3):
        footage.write(
            *(folder / f"{number}.mp4", footage.scenes([30]), np.arange(30) / 25),
            np.random.default_rng(number).normal(0, 0.1, 30 * footage.RATE // 25),
            keys=(0,),
        )
    manifest, clips = built(folder, tmp_path / "out", validation_fraction=0.1, test_fraction=0.1)
    (trained,) = {clip["record"].episode for clip in clips}
    assert manifest.untrained == [name for name in manifest.episodes if name != trained]
    assert len(manifest.untrained) == 2


def test_no_clip_reaches_across_a_cut(folder, tmp_path):
    lengths = [30, 30, 45, 40]
    sound = np.random.default_rng(0).normal(0, 0.1, 6 * footage.RATE)
    footage.write(
        *(folder / "show.mp4", footage.scenes(lengths), np.arange(145) / 25, sound),
        keys=(0, 30, 60, 105),
    )
    manifest, clips = built(folder, tmp_path / "out")
    assert [clip["clip_id"] for clip in clips] == [f"show_{n:04d}" for n in range(4)]
    assert [len(clip["video"]) for clip in clips] == lengths
    for scene, clip in enumerate(clips):
        assert np.abs(clip["video"].astype(int) - (40 + 30 * scene)).max() <= 3
        assert clip["mel"].shape == (4 * lengths[scene], 80)
    assert manifest.clip_frames("train") == {c["clip_id"]: len(c["video"]) for c in clips}
    assert manifest == Manifest.load(tmp_path / "out")


def onset(values, threshold):
    return int(np.argmax(values > threshold))


VARIABLE = np.concatenate([[0.0], np.cumsum(np.random.default_rng(3).uniform(0.015, 0.07, 100))])


@pytest.mark.parametrize("fps", [25, 30])
@pytest.mark.parametrize("source", ["25", "29.97", "60", "variable", "late sound", "from 5 s"])
def test_a_flash_and_its_click_stay_together(folder, tmp_path, source, fps):
    """In every clip, the flash is on the frame whose mel frames hold the click, or half a frame
    (of the source's or the target's rate) away; the times are those of the file's timeline."""
    steady = {"25": 25, "29.97": 30000 / 1001, "60": 60}
    times = np.arange(4 * 60) / 60 if source in ("late sound", "from 5 s") else VARIABLE
    if source in steady:
        times = np.arange(round(4 * steady[source])) / steady[source]
    keys = [0, int(np.argmax(times >= 1.9))]
    chosen = [np.argmax(times >= 0.5), np.argmax(times >= times[keys[1]] + 0.7)]
    at = times[chosen]
    shift, sound_start = (5.0, 5.0) if source == "from 5 s" else (0.0, 0.0)
    sound = footage.clicks(at, times[-1] + 0.5)
    if source == "late sound":
        sound_start = 0.3
        sound = sound[round(0.3 * footage.RATE) :]
    name = "show.ts" if source == "from 5 s" else "show.mp4"
    pictures = footage.flash(times, at)
    footage.write(folder / name, pictures, times + shift, sound, sound_start, keys=keys)
    _, clips = built(folder, tmp_path / "out", fps=float(fps))
    assert len(clips) == 2
    for clip, start, flash in zip(clips, times[keys], at, strict=True):
        brightness = clip["video"].mean(axis=(1, 2, 3))
        shown = onset(brightness, 120) / fps
        loud = clip["record"].mel.max(axis=1)  # log mel; the click's onset reaches back a window
        heard = np.flatnonzero(loud > loud.max() - 6)
        heard = heard.mean() / 120 - 0.0025  # the middle of a click of 5 ms
        assert shown == pytest.approx(flash - start, abs=0.5 / fps + 1e-3)
        assert heard == pytest.approx(flash - start, abs=0.006)


def test_crop_trim_and_rate(folder, tmp_path):
    times = np.arange(120) / 30
    pictures = np.zeros((120, 60, 80, 3), np.uint8)
    pictures[:, 7:31, 9:41] = 100 + np.arange(120, dtype=np.uint8)[:, None, None, None]
    sound = np.random.default_rng(0).normal(0, 0.1, 4 * footage.RATE)
    footage.write(folder / "a.mp4", pictures, times, sound)
    manifest, (clip,) = built(
        folder, tmp_path / "out", crop=(7, 31, 9, 41), segment_seconds=10.0, trim_seconds=0.5
    )
    assert clip["video"].shape == (75, 24, 32, 3)  # 4 s less 0.5 s at both ends, at 25 a second
    levels = clip["video"].mean(axis=(1, 2, 3)) - 100
    expected = (0.5 + (np.arange(75) + 0.5) / 25) * 30
    assert np.abs(levels - np.floor(expected - 1e-3)).max() < 4
    assert clip["mel"].shape == (300, 80)
    assert manifest.config["crop"] == [7, 31, 9, 41] and manifest.config["trim_seconds"] == 0.5


def test_mel_is_that_of_the_clips_own_sound(folder, tmp_path):
    from data_pipeline.media import read_audio

    footage.talk(folder / "a.mp4", gop=30)
    _, clips = built(folder, tmp_path / "out")
    sound = np.pad(read_audio(folder / "a.mp4"), (0, 24000))
    assert len(clips) == 2
    for number, clip in enumerate(clips):
        samples = sound[number * 28800 :][: 28800 if number == 0 else 43200]
        mel = log_mel(mel_spectrogram(samples[: clip["record"].num_frames * 960]))
        np.testing.assert_allclose(clip["record"].mel, mel, atol=1e-5)


def test_episodes_are_stems_or_subfolders(folder):
    for name in ("b.mp4", "a.mpg", "Show 1/x.MP4", "Show 1/y.mkv", "deep/er/z.ts", "a.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    for name in ("notes.txt", ".hidden.mp4", ".parts/c.mp4"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"")
    assert [(str(p.relative_to(folder)), n, e) for p, n, e in find_videos(folder)] == [
        ("Show 1/x.MP4", "Show 1/x", "Show 1"),
        ("Show 1/y.mkv", "Show 1/y", "Show 1"),
        ("a.mp4", "a.mp4", "a"),  # two files of one stem need the suffix in their clips' ids
        ("a.mpg", "a.mpg", "a"),
        ("b.mp4", "b", "b"),
        ("deep/er/z.ts", "deep/er/z", "deep/er"),
    ]


def contents(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_bytes_do_not_depend_on_the_number_of_workers(folder, tmp_path):
    for number in range(3):
        footage.talk(folder / f"e{number}.mp4", seconds=2.6 + number, gop=30)
    for workers in (1, 2):
        build_dataset(
            folder,
            tmp_path / str(workers),
            **(SMALL | {"num_workers": workers, "shard_megabytes": 0.05, "test_fraction": 0.3}),
        )
    one, two = contents(tmp_path / "1"), contents(tmp_path / "2")
    assert one == two
    assert {"train-00000.tfrecord", "train-00001.tfrecord", "test-00000.tfrecord"} < set(one)


def test_folders(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        built(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(ValueError, match="in: holds no videos"):
        built(folder, tmp_path / "out")
    path = footage.talk(folder / "a.mp4", gop=30)
    with pytest.raises(NotADirectoryError, match="--input_dir takes a folder"):
        built(path, tmp_path / "out")
    with pytest.raises(NotADirectoryError, match="--output_dir takes a folder"):
        built(folder, path)
    assert not (tmp_path / "out").exists()
    built(folder, tmp_path / "out")
    (tmp_path / "out" / "mine.txt").write_text("stays")
    before = contents(tmp_path / "out")
    with pytest.raises(FileExistsError, match="already holds a dataset; --overwrite"):
        built(folder, tmp_path / "out", height=20)
    assert contents(tmp_path / "out") == before
    (tmp_path / "out" / "train-00007.tfrecord").write_bytes(b"left by an interrupted build")
    (tmp_path / "out" / "contact_sheet.png").write_bytes(b"of the dataset that is replaced")
    manifest, _ = built(folder, tmp_path / "out", height=20, overwrite=True)
    assert manifest.config["height"] == 20
    assert set(contents(tmp_path / "out")) == set(before)


def test_a_dataset_stays_where_its_replacement_fails(folder, tmp_path, monkeypatch):
    footage.talk(folder / "a.mp4", gop=30)
    out = tmp_path / "out"
    built(folder, out)
    before = contents(out)

    def fails(*arguments, **options):
        raise ValueError("frames cannot be decoded")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(cutting, "cut_job", fails)
        with pytest.raises(ValueError, match="none of its clips can be used"):
            built(folder, out, height=20, overwrite=True)
    with pytest.raises(ValueError, match="unknown episode nobody"):
        built(folder, out, validation_episodes=("nobody",), overwrite=True)
    with pytest.raises(ValueError, match="none of its videos can be used"):
        built(folder, out, min_seconds=20.0, overwrite=True)
    assert contents(out) == before


@pytest.mark.parametrize(
    "change, message",
    [
        ({"fps": 0.0}, "fps must be positive"),
        ({"height": -1}, "height must be positive"),
        ({"segment_seconds": math.nan}, "segment_seconds must be positive and finite"),
        ({"min_seconds": -1.0}, "min_seconds must be at least 0"),
        ({"height": 100_000}, "height must be positive and at most 8192. Received: 100000"),
        ({"fps": 1e9}, "fps must be positive and at most 1000"),
        ({"max_seconds": 1e-9}, "max_seconds must be at least 1: min_seconds, and a frame"),
        ({"max_seconds": 0.03, "min_seconds": 0.0}, "max_seconds must be at least 0.04"),
        ({"crop": (1, 2)}, "crop must be"),
        ({"crop": (1.5, 0, 0, 0)}, r"whole numbers of pixels.*Received: \(1.5, 0, 0, 0\)"),
        ({"crop": ("a", "b", "c", "d")}, "crop must be"),
        ({"crop": (-1, 0, 0, 0)}, "crop must be"),
        ({"validation_fraction": math.nan}, "must be at least 0 and less than 1.*: nan, 0.0"),
        ({"shard_megabytes": math.inf}, "shard_megabytes must be positive and finite. .*: inf"),
        ({"shard_megabytes": math.nan}, "shard_megabytes must be positive"),
        ({"shard_megabytes": -5.0}, "shard_megabytes must be positive"),
        ({"crop": (0, 400, 0, 0)}, "does not fit in a picture of 48 rows and 64 columns"),
        ({"trim_seconds": 1.5}, "trim_seconds must be"),
        ({"frame_encoding": "gif"}, "frame_encoding must be jpeg, png or raw. Received: gif"),
        ({"jpeg_quality": 0}, "jpeg_quality must be 1 to 100"),
        ({"num_workers": 0}, "num_workers must be at least 1"),
        ({"test_episodes": ("b",)}, "unknown episode b; there are: a"),
    ],
)
def test_settings_out_of_range(folder, tmp_path, change, message):
    footage.talk(folder / "a.mp4", seconds=1.2)
    with pytest.raises(ValueError, match=message):
        built(folder, tmp_path / "new" / "out", **change)
    assert list(tmp_path.iterdir()) == [folder]


def test_numbers_are_refused_before_any_work(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "cut_footage", None)
    footage.talk(folder / "a.mp4", seconds=1.2)
    for change in ({"shard_megabytes": math.inf}, {"test_fraction": math.nan}, {"fps": 1e9}):
        with pytest.raises(ValueError, match=next(iter(change))):
            built(folder, tmp_path / "out", **change)


def test_a_full_disk_leaves_no_half_dataset(folder, tmp_path, monkeypatch):
    for number in range(2):
        # Of two lengths: the same file twice would be left out.
        footage.talk(folder / f"e{number}.mp4", seconds=3.0 + 0.04 * number, gop=30)
    with monkeypatch.context() as patch:
        dumps = []

        def full(clip, file, protocol):
            if isinstance(clip, Clip):
                if len(dumps) == 2:
                    raise OSError(errno.ENOSPC, "No space left on device")
                dumps.append(clip)
            file.write(pickle.dumps(clip))

        patch.setattr(cutting.pickle, "dump", lambda *a: full(*a, *[None] * (3 - len(a))))
        with pytest.raises(OSError, match="No space left") as caught:
            built(folder, tmp_path / "out", shard_megabytes=1e-6)
    assert caught.value.filename.endswith(".clips")
    out = tmp_path / "out"
    shards = ["train-00000.tfrecord", "train-00001.tfrecord"]
    assert sorted(path.name for path in out.iterdir()) == [".parts", *shards]
    assert not [path for path in (out / ".parts").iterdir() if path.suffix == ".tmp"]
    manifest, _ = built(folder, out, shard_megabytes=1e-6)  # there is room again
    assert len(manifest.clip_frames("train")) == 4 and not (out / ".parts").exists()


def test_configs_hold_appendix_d_and_the_footage_at_hand():
    paper = get_config()
    assert (paper.height, paper.width, paper.fps) == (256, 224, 30.0)
    assert (paper.segment_seconds, paper.trim_seconds, paper.trim_longer_than) == (4.0, 0.25, 2.0)
    assert (paper.validation_fraction, paper.test_fraction) == (0.05, 0.05)
    assert get_config("grid_s1").test_episodes == ("s1_20", "s1_21")
    lwt = get_config("lwt")
    assert lwt.mask_overlays and lwt.crop == (720 - 712, 720, 507, 1130)
    assert dataclasses.asdict(lwt.overlays) == mask_overlays.__kwdefaults__
    assert dataclasses.asdict(lwt) == dataclasses.asdict(paper) | {
        "crop": lwt.crop,
        "mask_overlays": True,
    }
    assert (SAMPLE_RATE, NUM_MELS, N_FFT, HOP_LENGTH, WIN_LENGTH) == (24000, 80, 1024, 200, 800)
    with pytest.raises(ValueError, match="no variant nope; there are: default, lwt, grid_s1, demo"):
        get_config("nope")
    # The function's own defaults are the default configuration.
    arguments = {f.name for f in dataclasses.fields(FootageConfig)} - {"overlays"}
    defaults = build_dataset.__kwdefaults__
    fields = dataclasses.asdict(paper)
    assert all(defaults[name] == fields[name] for name in arguments)


def test_png_frames_are_what_the_footage_shows(folder, tmp_path):
    from data_pipeline.media import read_video

    footage.talk(folder / "a.mp4", seconds=1.2)
    _, (clip,) = built(folder, tmp_path / "out", height=48, width=64)
    stored = cv2.imdecode(np.frombuffer(clip["record"].frames[3], np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(stored[..., ::-1], clip["video"][3])
    assert np.abs(clip["video"].astype(int) - read_video(folder / "a.mp4")).max() <= 4
    assert clip["record"].frames[3][:4] == b"\x89PNG"


def test_jpeg_and_png_hold_the_same_pictures(folder, tmp_path):
    """They take different ways: JPEG from planes, PNG from RGB."""
    pictures = footage.talk(tmp_path / "grey.mp4", seconds=1.2)
    times = np.arange(30) / 25
    colours = np.zeros((30, 48, 64, 3), np.uint8)
    colours[:] = np.linspace([180, 60, 40], [60, 90, 170], 64)
    footage.write(folder / "a.mp4", colours, times, footage.clicks([0.5], 1.2))
    pictures.rename(folder / "b.mp4")
    _, png = built(folder, tmp_path / "png")
    _, jpeg = built(folder, tmp_path / "jpeg", frame_encoding="jpeg", jpeg_quality=100)
    assert len(png) == len(jpeg) == 2
    for a, b in zip(png, jpeg, strict=True):
        assert b["record"].frames[0][:2] == b"\xff\xd8"
        assert np.abs(a["video"].astype(int) - b["video"]).max() <= 8
        assert np.abs(a["video"].astype(int) - b["video"]).mean() <= 1.5
