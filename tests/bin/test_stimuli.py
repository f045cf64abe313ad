"""The clips of a listening test: what is altered, to the sample and row, and what is refused."""

import os
import wave

import numpy as np
import pytest

from data_pipeline.media import probe, read_audio, read_video, write_mp4
from nwt_tf.bin.surveys import stimuli
from nwt_tf.evaluation.mos.survey import Stimulus

RATE = stimuli.SAMPLE_RATE
FPS = 25


def pictures(count=10, height=48, width=32):
    """Rows of their own grey, a little brighter in each frame."""
    rows = np.linspace(40, 180, height).astype(np.uint8)
    frame = np.repeat(np.repeat(rows[:, None, None], width, 1), 3, 2)
    return [frame + np.uint8(2 * number) for number in range(count)]


def clicks(seconds, at):
    """Silence with one short loud noise."""
    sound = np.zeros(round(seconds * RATE), np.float32)
    start = round(at * RATE)
    burst = np.random.default_rng(0).uniform(-0.9, 0.9, 480).astype(np.float32)
    sound[start : start + 480] = burst
    return sound


def loudest(sound):
    """Seconds of the middle of the loudest hundredth of a second."""
    power = np.convolve(sound.astype(np.float64) ** 2, np.ones(480), "same")
    return int(np.argmax(power)) / RATE - 240 / RATE


def write_wav(path, sound):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound * 32767).astype("<i2").tobytes())


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    write_mp4(path, pictures(), FPS, clicks(0.4, 0.2), RATE)
    return path


def made(clip, voice=None, **facts):
    role = "trap" if voice else "setup"
    path = clip.with_name("made.mp4")
    stimulus = Stimulus("made.mp4", role, "full", "truth", "clip", **facts)
    stimuli.write_stimulus(clip, path, stimulus, voice)
    return path


def test_an_unchanged_clip_keeps_picture_and_sound(clip):
    path = made(clip)
    info = probe(path)
    assert (info.height, info.width, info.fps) == (48, 32, FPS)
    difference = np.abs(read_video(path).astype(int) - read_video(clip).astype(int))
    assert difference.shape[0] == 10 and difference.mean() < 1.5
    assert loudest(read_audio(path, RATE)) == pytest.approx(0.2, abs=0.005)


def test_the_file_does_not_tell_who_made_it(clip):
    content = made(clip).read_bytes()
    assert b"nwt_tf" not in content and b"truth" not in content


@pytest.mark.parametrize("shift", [0.1, -0.1, 0.02])
def test_a_shift_moves_the_sound_alone(clip, shift):
    path = made(clip, shift=shift)
    sound = read_audio(path, RATE)
    assert loudest(sound) == pytest.approx(0.2 + shift, abs=0.005)
    assert len(sound) / RATE == pytest.approx(0.4, abs=0.03)
    assert len(read_video(path)) == 10


def test_delays_to_the_sample():
    sound = np.arange(1, 6, dtype=np.float32)
    one = 1 / RATE
    assert stimuli.delayed(sound, 0, 5).tolist() == [1, 2, 3, 4, 5]
    assert stimuli.delayed(sound, 2 * one, 5).tolist() == [0, 0, 1, 2, 3]
    assert stimuli.delayed(sound, -2 * one, 5).tolist() == [3, 4, 5, 0, 0]
    assert stimuli.delayed(sound, 9 * one, 5).tolist() == [0] * 5
    assert stimuli.delayed(sound, -9 * one, 5).tolist() == [0] * 5
    assert stimuli.delayed(sound, 2 * one, 9).tolist() == [0, 0, 1, 2, 3, 4, 5, 0, 0]


@pytest.mark.parametrize(("keep", "rows"), [(0.5, 24), (0.75, 36), (0.01, 2)])
def test_the_lower_part_is_removed(clip, keep, rows):
    frames, whole = read_video(made(clip, keep=keep)), read_video(clip)
    assert frames.shape == (10, rows, 32, 3)
    assert np.abs(frames.astype(int) - whole[:, :rows].astype(int)).mean() < 2


def test_odd_heights_lose_the_lower_part_too(tmp_path):
    path = tmp_path / "odd.mp4"
    write_mp4(path, pictures(height=50), FPS, clicks(0.4, 0.2), RATE)
    assert read_video(made(path, keep=0.5)).shape[1] == 24


def test_noise_is_on_the_picture_alone(clip):
    plain, noisy = read_video(made(clip)).astype(float), read_video(made(clip, noise=32.0))
    assert 10 < (noisy - plain).std() < 40
    assert abs((noisy - plain).mean()) < 3
    assert loudest(read_audio(clip.with_name("made.mp4"), RATE)) == pytest.approx(0.2, abs=0.005)
    frames = list(stimuli.noisy(iter(pictures(2)), 32.0))
    assert np.std(frames[0].astype(float) - pictures(2)[0]) == pytest.approx(32, rel=0.05)
    assert (frames[0] != frames[1]).mean() > 0.9


def test_a_trap_has_the_voice_and_a_picture_until_it_ends(clip, tmp_path):
    write_wav(tmp_path / "2.wav", clicks(1.0, 0.9))
    path = made(clip, voice=tmp_path / "2.wav", score=2)
    sound, frames = read_audio(path, RATE), read_video(path)
    assert loudest(sound) == pytest.approx(0.9, abs=0.005)
    assert np.abs(sound[: round(0.85 * RATE)]).max() < 0.05  # nothing of the clip's own sound
    assert len(frames) == 25
    assert np.abs(frames[10].astype(int) - frames[0].astype(int)).mean() < 2  # it starts again


def test_a_trap_whose_voice_is_short_keeps_the_clips_length(clip, tmp_path):
    write_wav(tmp_path / "2.wav", clicks(0.2, 0.1))
    assert len(read_video(made(clip, voice=tmp_path / "2.wav", score=2))) == 10


def test_clips_without_sound_are_refused(tmp_path):
    path = tmp_path / "silent.mp4"
    write_mp4(path, pictures(), FPS)
    with pytest.raises(ValueError, match="silent.mp4: has no audio stream"):
        made(path)
    assert not (tmp_path / "made.mp4").exists()


def test_finding_clips(tmp_path):
    for name in ("a/e1/x.mp4", "a/e2/y.MKV", "a/e2/.hidden.mp4", "a/notes.txt", "b/x_01.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    found = stimuli.find_clips(tmp_path)
    assert {system: sorted(clips) for system, clips in found.items()} == {
        "a": ["e1/x", "e2/y"],
        "b": ["x_01"],
    }
    (tmp_path / "a/e1/x.mov").write_bytes(b"x")
    with pytest.raises(ValueError, match="the clip e1/x is there twice"):
        stimuli.find_clips(tmp_path)
    with pytest.raises(ValueError, match="holds 0 folders with videos"):
        stimuli.find_clips(tmp_path / "empty")
    with pytest.raises(FileNotFoundError):
        stimuli.find_clips(tmp_path / "none")


def fake_espeak(folder, script):
    """A program of that name that does as espeak-ng does, and keeps what it was given."""
    program = folder / "espeak-ng"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_espeak_speaks_every_score(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    fake_espeak(tmp_path / "bin", 'printf "%s" "$7" > "$6"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    voices = stimuli.trap_voices(None, "English", tmp_path)
    assert sorted(voices) == [1, 2, 3, 4, 5]
    for score, word in zip(voices, ("one", "two", "three", "four", "five"), strict=True):
        text = voices[score].read_text()
        assert text.count(f"score {word}") == 2 and "do not rate" in text
    with pytest.raises(ValueError, match="record it in theirs"):
        stimuli.trap_voices(None, "German", tmp_path)
    fake_espeak(tmp_path / "bin", "echo no voices >&2; exit 1")
    with pytest.raises(OSError, match="espeak-ng failed .no voices"):
        stimuli.trap_voices(None, "English", tmp_path / "elsewhere")


def test_without_espeak_a_folder_is_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="install espeak-ng .* give --trap_speech=FOLDER"):
        stimuli.trap_voices(None, "English", tmp_path)
    with pytest.raises(ValueError, match="holds none of 1.wav to 5.wav"):
        stimuli.trap_voices(str(tmp_path), "English", tmp_path)
    (tmp_path / "4.wav").write_bytes(b"x")
    assert stimuli.trap_voices(str(tmp_path), "German", tmp_path) == {4: tmp_path / "4.wav"}


def test_writing_all_goes_on_where_it_stopped(clip, tmp_path):
    folder = tmp_path / "clips"
    write_wav(tmp_path / "2.wav", clicks(0.2, 0.1))
    names = [f"{n:020x}.mp4" for n in range(3)]
    shown = [Stimulus(name, "sample", "full", "a", "clip") for name in names[:2]]
    shown.append(Stimulus(names[2], "trap", "full", "a", "clip", score=2))
    arguments = ({"a": {"clip": clip}}, {2: tmp_path / "2.wav"}, folder, 1)
    assert stimuli.write_stimuli(shown, *arguments) == 3
    kept = (folder / names[0]).stat().st_mtime_ns
    (folder / names[1]).unlink()
    (folder / "00000000000000000fff.mp4").write_bytes(b"of an earlier build")
    (folder / "readme.txt").write_bytes(b"somebody's")
    assert stimuli.write_stimuli(shown, *arguments) == 2  # the missing one, and the trap's voice
    assert (folder / names[0]).stat().st_mtime_ns == kept
    assert sorted(path.name for path in folder.iterdir()) == [*names, "readme.txt"]
