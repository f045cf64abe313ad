"""Each reason on footage that has it, and none on footage that has not."""

import functools

import cv2
import numpy as np
import pytest

from data_pipeline.suggestions import (
    KINDS,
    PictureThresholds,
    PictureWatcher,
    Reason,
    sound_reasons,
    suggest,
)
from data_pipeline.synthetic import make_clip
from data_pipeline.synthetic_voice import synthesize_voice

FPS = 25
RATE = 24000


@functools.cache
def talking(episode=0, seed=1, seconds=2.4, height=128, width=112):
    """A synthetic clip: uint8 [frames, height, width, 3]; not to be changed in place."""
    clip = make_clip(episode=episode, seed=seed, seconds=seconds, fps=FPS)
    return np.stack(list(clip.frames(height=height, width=width)))


def voice(seed=0, seconds=3.0):
    return synthesize_voice(seconds, seed).waveform


def watch(pictures, fps=FPS):
    watcher = PictureWatcher(fps)
    for picture in pictures:
        watcher.add(picture)
    return watcher.reasons()


def kinds(reasons):
    return [reason.kind for reason in reasons]


def noise(levels, shape, seed=0):
    return np.random.default_rng(seed).normal(0, levels, shape)


@pytest.mark.parametrize("episode", range(12))
def test_nothing_is_wrong_with_the_synthetic_subject(episode):
    clip = make_clip(episode=episode, seed=episode, seconds=2.4)
    pictures = list(clip.frames(height=64, width=56))
    assert suggest(pictures, clip.voice.waveform, FPS) == ()


def test_all_at_once_in_order():
    pictures = talking().copy()
    pictures[20:] = 0
    reasons = suggest(pictures, np.zeros(RATE, np.float32), FPS)
    assert set(kinds(reasons)) <= set(KINDS)
    assert kinds(reasons) == sorted(kinds(reasons), key=KINDS.index)
    assert {"cut", "blank", "no face", "silence"} <= set(kinds(reasons))
    assert str(Reason("cut", "picture jumps at 1.24 s")) == "cut: picture jumps at 1.24 s"


def test_pictures_may_come_one_at_a_time():
    pictures, sound = talking().copy(), voice()
    pictures[31:] = talking(episode=3)[31:]
    assert suggest(iter(pictures), sound, FPS) == suggest(pictures, sound, FPS) != ()
    assert PictureWatcher(FPS).reasons() == ()


@pytest.mark.parametrize("size", [(128, 112), (64, 56), (256, 224), (90, 160)])
def test_cuts_are_found_where_they_are(size):
    pictures = talking(0, 1, 2.4, *size).copy()
    pictures[31:] = talking(3, 2, 2.4, *size)[31:]
    assert Reason("cut", "picture jumps at 1.24 s") in watch(pictures)


def test_a_jump_within_the_same_scene_is_a_cut():
    pictures = np.concatenate([talking(seed=5)[:30], talking(seed=6)[:30]])
    assert watch(pictures) == (Reason("cut", "picture jumps at 1.20 s"),)


def test_cuts_are_found_among_repeated_pictures():
    """25 frames/s shown at 30: every fifth picture comes twice."""
    pictures = talking().copy()
    pictures[30:] = talking(episode=3)[30:]
    shown = pictures[(np.arange(72) / 30 * 25 + 1e-6).astype(int)]
    assert watch(shown, fps=30) == (Reason("cut", "picture jumps at 1.20 s"),)
    clean = talking()[(np.arange(72) / 30 * 25 + 1e-6).astype(int)]
    assert watch(clean, fps=30) == ()


def test_many_cuts_are_counted():
    pictures = np.concatenate([talking(episode=n % 2 * 3)[:12] for n in range(5)])
    assert watch(pictures)[0] == Reason("cut", "picture jumps at 0.48, 0.96 and 2 more s")


def test_flashes_and_fast_motion_are_no_cuts():
    flash = talking().copy()
    flash[30] = 255 - (255 - flash[30]) // 3
    assert "cut" not in kinds(watch(flash))
    wave = talking().copy()
    for frame in range(20, 40):  # a light block that crosses the picture in 0.8 s
        left = (frame - 20) * 6
        wave[frame, 70:, left : left + 40] = 230
    assert "cut" not in kinds(watch(wave))
    pan = np.concatenate([talking(), talking()[:, :, ::-1]], axis=2)
    shaken = [picture[:, n % 7 * 6 : n % 7 * 6 + 112] for n, picture in enumerate(pan)]
    assert "cut" not in kinds(watch(map(np.ascontiguousarray, shaken)))


def test_black_and_blank_stretches():
    pictures = talking().copy()
    pictures[10:20] = 9
    assert Reason("blank", "picture is black from 0.40 to 0.80 s") in watch(pictures)
    pictures = talking().copy()
    pictures[:3] = 128
    assert Reason("blank", "picture is of one colour from 0.00 to 0.12 s") in watch(pictures)
    dark = (talking() * 0.35).astype(np.uint8)
    assert "blank" not in kinds(watch(dark))


def test_frozen_stretches():
    pictures = talking().copy()
    pictures[20:45] = pictures[20]
    assert Reason("frozen", "picture stands still from 0.80 to 1.80 s") in watch(pictures)
    assert watch([talking()[9]] * 50) == (
        Reason("frozen", "picture stands still from 0.00 to 2.00 s"),
    )
    slow = np.repeat(talking()[::5], 5, axis=0)  # 5 frames/s are few, but no standstill
    assert "frozen" not in kinds(watch(slow))


def test_a_still_picture_with_noise():
    still = np.clip(talking()[9] + noise(3, (60, 128, 112, 3)), 0, 255).astype(np.uint8)
    assert watch(still) == (Reason("still", "100% of it shows no motion"),)
    moving = np.clip(talking() + noise(3, talking().shape), 0, 255).astype(np.uint8)
    assert watch(moving) == ()


def test_no_face():
    rough = cv2.GaussianBlur(noise(60, (128, 112, 3)) + 128, (0, 0), 5)
    ramp = np.clip(rough + np.arange(112)[:, None], 0, 255)
    moved = [np.roll(ramp, 2 * n, axis=1).astype(np.uint8) for n in range(50)]
    assert Reason("no face", "none is found in it") in watch(moved)
    left = talking().copy()
    left[28:] = np.stack(moved[:32])
    assert any(r.kind == "no face" and r.detail.startswith("none is found at") for r in watch(left))
    turned = talking().copy()
    turned[:24] = np.stack(moved[:24])
    assert "no face" not in kinds(watch(turned))  # two of three looks find one


def test_several_faces():
    pair = np.concatenate([talking(0, seconds=1.6), talking(3, seconds=1.6)], axis=2)
    reasons = [reason for reason in watch(pair) if reason.kind == "several faces"]
    assert len(reasons) == 1 and reasons[0].detail.startswith("2 at ")


@pytest.mark.parametrize("place", [(0.05, 0.1), (0.3, 0.95)])
@pytest.mark.parametrize("height", [128, 256])
def test_captions(place, height):
    width = height * 7 // 8
    shown = []
    for picture in talking(0, 1, 2.4, height, width):
        large = cv2.resize(picture, (width * 640 // height, 640), interpolation=cv2.INTER_CUBIC)
        corner = (round(place[0] * large.shape[1]), round(place[1] * 640))
        font = cv2.FONT_HERSHEY_DUPLEX
        cv2.putText(large, "Breaking news", corner, font, 1.2, (0, 0, 0), 7, cv2.LINE_AA)
        cv2.putText(large, "Breaking news", corner, font, 1.2, (255, 255, 255), 2, cv2.LINE_AA)
        shown.append(cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA))
    assert kinds(watch(shown)) == ["text"]
    brief = list(talking(0, 1, 2.4, height, width))
    brief[20:50] = shown[20:50]
    assert "text" in kinds(watch(brief))


def test_the_same_picture_again_costs_nothing():
    one, watcher = talking()[0], PictureWatcher(FPS)
    for _ in range(6):
        watcher.add(one)
    assert all(coarse is watcher._coarse[0] for coarse in watcher._coarse)


def test_thresholds_are_arguments():
    pictures = np.concatenate([talking(seed=5)[:30], talking(seed=6)[:30]])
    watcher = PictureWatcher(FPS, PictureThresholds(cut_levels=200.0))
    for picture in pictures:
        watcher.add(picture)
    assert watcher.reasons() == ()


def test_silence():
    sound = voice()
    assert sound_reasons(sound) == ()
    assert sound_reasons(0 * sound) == (Reason("silence", "below -50 dB throughout"),)
    sound[RATE // 2 : 5 * RATE // 2] = 0
    (reason,) = sound_reasons(sound)
    assert reason.kind == "silence"
    start, end = (float(word) for word in reason.detail.split() if word[0].isdigit())
    assert start <= 0.5 and end >= 2.5
    parts = voice(seconds=4.0)
    parts.reshape(-1, RATE)[:, RATE // 4 :] = 0  # silences of less than a second, but many
    assert "of it is silent" in sound_reasons(parts)[0].detail
    assert sound_reasons(np.zeros(0, np.float32)) == (Reason("silence", "it has no sound"),)
    assert kinds(sound_reasons(np.zeros(100, np.float32))) == ["silence"]


def test_clipping():
    sound = voice() / np.abs(voice()).max()
    assert sound_reasons(0.9 * sound) == ()
    (reason,) = sound_reasons(np.clip(4 * sound, -1, 1))
    assert reason.kind == "clipping" and reason.detail.endswith(
        "% of its samples are at full scale"
    )


def chords(seed=0, seconds=3.0):
    """Triads of five partials each, a new one every half second."""
    rng, time = np.random.default_rng(seed), np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros(len(time))
    for start in np.arange(0, seconds, 0.5):
        root = 220 * 2 ** (rng.integers(0, 12) / 12)
        now = (time >= start) & (time < start + 0.5)
        for tone in (0, 4, 7):
            for partial in range(1, 6):
                phase = 2 * np.pi * root * 2 ** (tone / 12) * partial * time[now]
                sound[now] += np.sin(phase) / partial**1.5 * np.exp(start - time[now])
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


@pytest.mark.parametrize("seed", range(6))
def test_music(seed):
    assert kinds(sound_reasons(chords(seed))) == ["music"]
    assert kinds(sound_reasons(0.5 * voice(seed) + chords(seed))) == ["music"]
    assert sound_reasons(voice(seed)) == ()
    assert sound_reasons(noise(0.1, 3 * RATE, seed).astype(np.float32)) == ()
    hum = 0.1 * np.sin(2 * np.pi * 50 * np.arange(3 * RATE) / RATE)
    assert "music" not in kinds(sound_reasons((0.5 * voice(seed) + hum).astype(np.float32)))
