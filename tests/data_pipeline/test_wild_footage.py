"""Footage as it is met in the wild, each kind made here: picture and sound must stay together."""

from fractions import Fraction

import numpy as np
import pytest

from data_pipeline import clips as clips_module
from data_pipeline import media
from data_pipeline.build import build_dataset
from data_pipeline.clip_settings import ClipSettings
from data_pipeline.dataset import read_clips
from data_pipeline.schema import decode_frame
from tests.data_pipeline import footage

SETTINGS = {
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
SECONDS = 3.2
VARIABLE = np.cumsum(np.random.default_rng(3).uniform(0.015, 0.07, 80)) - 0.015


def built(folder, **changes):
    manifest = build_dataset(folder, folder.parent / "out", **(SETTINGS | changes))
    assert not manifest.skipped_files
    return manifest, list(read_clips(folder.parent / "out", "train"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def make(path, times=None, rate=48000, channels=1, start=0.0, sound_from=0.0, **options):
    """Footage of two segments, each with a flash and a click at the same time; returns when they
    are after the segments' starts."""
    times = np.arange(round(SECONDS * 25)) / 25 if times is None else times
    keys = [0, int(np.argmax(times >= 1.6))]
    at = times[[np.argmax(times >= 0.5), np.argmax(times >= times[keys[1]] + 0.7)]]
    sound = footage.clicks(at, times[-1] + 0.3, rate)[round(sound_from * rate) :]
    if channels > 1:
        sound = np.stack([sound] * channels, axis=-1)
    footage.write(
        *(path, footage.flash(times, at), times + start, sound, start + sound_from, rate),
        keys=keys,
        **options,
    )
    return at - times[keys]


def together(found, expected, fps=25.0, tolerance=0.006):
    """Every clip shows its flash and its click when they are expected."""
    assert len(found) == len(expected)
    for clip, at in zip(found, expected, strict=True):
        brightness = clip["video"].mean(axis=(1, 2, 3))
        shown = np.argmax(brightness > 120) / fps
        loud = clip["record"].mel.max(axis=1)
        heard = np.flatnonzero(loud > loud.max() - 6).mean() / 120 - 0.0025
        assert brightness.max() > 200 and brightness.min() < 40
        assert shown == pytest.approx(at, abs=0.5 / fps + 1e-3)
        assert heard == pytest.approx(at, abs=tolerance)


QUIET = {"x265-params": "log-level=none:keyint=10000:scenecut=0"}
FORMATS = {
    "H.264": ("a.mp4", {}),
    "HEVC": ("a.mp4", {"codec": "libx265", "options": QUIET}),
    "VP9, Opus": ("a.webm", {"codec": "libvpx-vp9", "sound_codec": "libopus"}),
    "MPEG-1, layer 2": (
        *("a.mpg",),
        {"codec": "mpeg1video", "sound_codec": "mp2", "channels": 2, "rate": 44100},
    ),
    "MPEG-2 in a transport stream": ("a.ts", {"codec": "mpeg2video", "sound_codec": "mp2"}),
    "MPEG-2 in MXF": ("a.mxf", {"codec": "mpeg2video", "sound_codec": "pcm_s16le"}),
    "yuv444": ("a.mkv", {"pix_fmt": "yuv444p", "sound_codec": "flac"}),
    "10 bit": ("a.mkv", {"pix_fmt": "yuv420p10le", "sound_codec": "flac"}),
    "8 kHz": ("a.mkv", {"rate": 8000, "sound_codec": "pcm_s16le"}),
    "44.1 kHz stereo": ("a.mp4", {"rate": 44100, "channels": 2}),
    "96 kHz 5.1": ("a.mkv", {"rate": 96000, "channels": 6, "sound_codec": "flac"}),
    "AC-3 5.1": ("a.mkv", {"channels": 6, "sound_codec": "ac3"}),
    "negative times, an edit list": (
        *("a.mp4",),
        {"start": -0.2, "muxer": {"avoid_negative_ts": "disabled"}},
    ),
    "late start, an empty edit": ("a.mp4", {"start": 1.0}),
    "sound that starts late": ("a.mp4", {"sound_from": 0.3}),
    "spaces and Unicode": ("Ein Video, größer 🎬.mp4", {}),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_kind_of_file(folder, kind):
    name, options = FORMATS[kind]
    expected = make(folder / name, **options)
    if kind == "negative times, an edit list":  # what is before zero is not shown
        expected = expected - [0.2, 0.0]
    # Only mp4 tells the encoder's delay: elsewhere up to a block of sound is late, as in players.
    tolerance = 0.006 if name.endswith("mp4") else 0.03
    together(built(folder)[1], expected, tolerance=tolerance)


@pytest.mark.parametrize("rate", [22.13, 24000 / 1001, 25, 30000 / 1001, 30, 60, "variable"])
@pytest.mark.parametrize("fps", [25.0, 30.0])
def test_every_rate(folder, rate, fps):
    times = VARIABLE if rate == "variable" else np.arange(round(SECONDS * rate)) / rate
    expected = make(folder / "a.mp4", times)
    together(built(folder, fps=fps)[1], expected, fps=fps)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotated_pictures_stand_upright_before_the_crop(folder, rotation):
    upright = np.full((60, 80, 3), 40, np.uint8)
    upright[:20, 30:] = 220  # the right part of the top
    stored = np.rot90(upright, {90: 3, 180: 2, -90: 1}[rotation])
    pictures = np.broadcast_to(stored, (40, *stored.shape))
    footage.write(
        *(folder / "a.mp4", pictures, np.arange(40) / 25, footage.clicks([0.5], 1.6)),
        rotation=rotation,
    )
    info = media.probe(folder / "a.mp4")
    assert (info.height, info.width) == (60, 80)
    _, (clip,) = built(folder, crop=(0, 40, 20, 80), segment_seconds=9.0, height=8, width=12)
    assert np.abs(clip["video"][3, :4, 3:].astype(int) - 220).max() < 12
    assert np.abs(clip["video"][3, 5:].astype(int) - 40).max() < 12
    assert np.abs(clip["video"][3, :, :1].astype(int) - 40).max() < 12


def test_odd_sizes(folder):
    pictures = np.full((40, 49, 65, 3), 90, np.uint8)
    footage.write(
        *(folder / "a.mkv", pictures, np.arange(40) / 25, footage.clicks([0.5], 1.6)),
        codec="ffv1",
        options={"g": "1"},
    )
    _, (clip,) = built(folder, height=31, width=27, segment_seconds=9.0)
    assert clip["video"].shape == (40, 31, 27, 3)
    crop = {"crop": (1, 0, 3, 64), "segment_seconds": 9.0}
    _, (clip,) = built(folder, **crop, height=31, width=27, overwrite=True)
    assert np.abs(clip["video"].astype(int) - 90).max() <= 3


def test_clips_without_sound_are_named(folder):
    times = np.arange(90) / 25
    sound = footage.clicks([0.1], 0.8)  # from 1.6 s to 2.4 s
    pictures = footage.scenes([30] * 3)
    footage.write(folder / "a.mkv", pictures, times, sound, 1.6, keys=(0, 30, 60))
    manifest, (clip,) = built(folder)
    assert clip["clip_id"] == "a_0001"  # two thirds of it have sound
    assert [skip.name for skip in manifest.skipped_clips] == ["a_0000", "a_0002"]
    assert "has sound in 0% of its time only" in manifest.skipped_clips[0].reason
    with pytest.raises(ValueError, match="--strict: a_0000 cannot be used: has sound in"):
        built(folder, strict=True, overwrite=True)


JOBS = [
    "H.264",
    "open GOPs",
    "HEVC",
    "VP9, Opus",
    "MPEG-1, layer 2",
    "MPEG-2 in a transport stream",
]


@pytest.mark.parametrize("kind", JOBS)
def test_jobs_that_begin_within_a_file_give_what_one_decode_gives(folder, monkeypatch, kind):
    name, options = FORMATS.get(kind, ("a.mp4", {"options": {"x264-params": "open-gop=1"}}))
    options = dict(options)
    rate, channels = options.pop("rate", 48000), options.pop("channels", 1)
    noise = np.random.default_rng(1).normal(0, 0.05, (round(6.4 * rate), channels))
    ramp = np.arange(48)[:, None] * 2 + np.arange(64)[None, :]
    pictures = np.stack([(ramp + 3 * n) % 200 for n in range(150)]).astype(np.uint8)
    pictures = np.repeat(pictures[..., None], 3, axis=-1)
    keys = range(0, 150, 30)
    times = np.arange(150) / 25
    footage.write(folder / name, pictures, times, noise, rate=rate, keys=keys, **options)
    _, whole = built(folder)
    monkeypatch.setattr(clips_module, "_JOB_SECONDS", 1.0)
    settings = {f: SETTINGS[f] for f in ClipSettings.__dataclass_fields__ if f in SETTINGS}
    settings |= {"crop": (0, 0, 0, 0), "trim_longer_than": 2.0, "min_seconds": 1.0}
    settings = ClipSettings(**settings, jpeg_quality=95)
    plan = clips_module.plan_file(folder / name, "a", "a", settings)
    assert len(plan.jobs) == 5 and len({job.entry for job in plan.jobs}) == 5
    manifest, pieces = built(folder, overwrite=True)
    assert len(pieces) == len(whole) == 5 and not manifest.skipped_clips
    for a, b in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(a["video"], b["video"])
        np.testing.assert_array_equal(a["record"].mel, b["record"].mel)


def test_footage_without_key_frames_is_divided(folder):
    footage.talk(folder / "a.mp4", seconds=5.0)
    _, found = built(folder, max_seconds=2.0)
    assert [len(clip["video"]) for clip in found] == [42, 41, 42]
    _, (whole,) = built(folder, overwrite=True)
    joined = np.concatenate([clip["video"] for clip in found])
    np.testing.assert_array_equal(joined, whole["video"])


def drift(path, minutes):
    """How late each clip's click comes after its flash, and the trend of it over all, in seconds.

    Footage at 30000/1001 frames a second and 44.1 kHz: both have periods that no clock of whole
    milliseconds holds.
    """
    rate = Fraction(30000, 1001)
    times = np.arange(int(minutes * 60 * rate)) / float(rate)
    flashes = np.arange(60, len(times), 150)  # one for each segment
    at = times[flashes]
    lit = np.isin(np.arange(len(times)) - 60, np.arange(0, len(times), 150))
    footage.write(
        *(path, footage.Flashes(lit), times, footage.clicks(at, times[-1], 44100)),
        rate=44100,
        keys=range(0, len(times), 150),
        options={"preset": "ultrafast"},
    )
    settings = ClipSettings(
        **{"height": 16, "width": 16, "fps": 30.0, "crop": (0, 0, 0, 0), "segment_seconds": 4.0},
        **{"trim_seconds": 0.0, "trim_longer_than": 2.0, "min_seconds": 0.5},
        **{"frame_encoding": "png", "jpeg_quality": 95},
    )
    plan = clips_module.plan_file(path, "a", "a", settings)
    starts = {window.clip_id: window.start for window in plan.windows}
    late = []
    for clip in clips_module.cut_file(plan, settings):
        bright = [decode_frame(frame).numpy().mean() > 120 for frame in clip.frames]
        if not any(bright):
            continue
        loud = clip.mel.max(axis=1)
        heard = np.flatnonzero(loud > loud.max() - 6).mean() / 120 - 0.0025
        late.append((starts[clip.clip_id], heard - np.argmax(bright) / 30))
    assert len(late) >= len(at) - 1 > 10
    seconds, late = np.array(late).T
    return late, np.polyfit(seconds, late, 1)[0] * minutes * 60


def test_sound_does_not_drift(tmp_path):
    late, gained = drift(tmp_path / "a.mp4", 1.5)
    assert np.abs(late).max() < 1 / 30 and abs(gained) < 0.5 / 30


@pytest.mark.soak
def test_sound_does_not_drift_in_an_hour(tmp_path):
    late, gained = drift(tmp_path / "a.mp4", 60)
    assert np.abs(late).max() < 1 / 30 and abs(gained) < 0.5 / 30
