"""The synthetic subject: its voice, pictures and footage, and the rule that reads its mouth."""

import dataclasses
import json

import cv2
import librosa
import numpy as np
import pytest
from scipy.linalg import solve_toeplitz

from data_pipeline.media import index_frames, read_audio, read_video
from data_pipeline.synthetic import make_clip, mouth_opening, write_footage
from data_pipeline.synthetic_episode import LOOKS, episode_look
from data_pipeline.synthetic_subject import GESTURES, Style, perform, render
from data_pipeline.synthetic_voice import CONTROL_RATE, VOWELS, sustain_vowel, synthesize_voice

FPS = 25
CLIPS = 2


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    """All designed episodes at the demo's size: (folder, truth)."""
    folder = tmp_path_factory.mktemp("footage")
    truth = write_footage(folder, num_episodes=len(LOOKS), clips_per_episode=CLIPS, seed=77)
    return folder, truth


def correlation(one, other):
    return float(np.corrcoef(one, other)[0, 1])


def loudness(waveform, rate, times, seconds=0.03):
    """Root mean square around each time, in dB."""
    reach = int(seconds * rate / 2)
    padded = np.pad(waveform, reach)
    windows = [padded[int(t * rate) : int(t * rate) + 2 * reach] for t in times]
    return 10 * np.log10(np.mean(np.square(windows), axis=1) + 1e-9)


# The voice


def test_voice_is_determined_by_its_seed():
    one, same, other = (synthesize_voice(1.5, seed) for seed in (3, 3, 4))
    assert np.array_equal(one.waveform, same.waveform)
    assert one.phones == same.phones
    assert correlation(one.opening, other.opening) < 0.9


@pytest.mark.parametrize("seconds", [0.1, 1.0, 2.345])
def test_voice_has_the_length_asked_for(seconds):
    voice = synthesize_voice(seconds, 0)
    assert voice.waveform.shape == (round(seconds * 24000),)
    assert voice.waveform.dtype == np.float32
    assert len(voice.opening) == len(voice.width) == np.ceil(seconds * CONTROL_RATE) + 1
    opening, width = voice.at_frames(FPS)
    assert opening.shape == width.shape == (round(seconds * FPS),)


def test_voice_is_audible_and_pauses():
    voice = synthesize_voice(20.0, 1)
    assert np.isfinite(voice.waveform).all() and np.abs(voice.waveform).max() < 1.0
    levels = loudness(voice.waveform, 24000, np.arange(0.1, 19.9, 0.02))
    assert levels.max() > -18
    pauses = [(start, end) for phone, start, end in voice.phones if phone == "-"]
    assert len(pauses) > 5
    assert 0.1 < np.mean(levels < -55) < 0.6
    inside = [(start + end) / 2 for start, end in pauses]
    assert loudness(voice.waveform, 24000, inside).max() < -45
    assert (
        np.interp(inside, np.arange(len(voice.opening)) / CONTROL_RATE, voice.opening).max() < 0.2
    )


def test_loudness_follows_the_mouth():
    voice = synthesize_voice(12.0, 2)
    times = np.arange(0.1, 11.9, 0.04)
    opening = np.interp(times, np.arange(len(voice.opening)) / CONTROL_RATE, voice.opening)
    amplitude = 10 ** (loudness(voice.waveform, 24000, times) / 20)
    assert correlation(amplitude, opening) > 0.75


def test_the_mouth_never_leads_the_sound_by_much():
    voice = synthesize_voice(2.0, 5)
    first = next(start for phone, start, _ in voice.phones if phone != "-")
    before = voice.opening[: max(1, int((first - 0.1) * CONTROL_RATE))]
    assert before.max() < 0.05


@pytest.mark.parametrize("vowel", VOWELS)
def test_vowels_have_their_formants(vowel):
    voice = sustain_vowel(vowel, 1.0, seed=6)
    sound = librosa.resample(voice.waveform[2400:21600], orig_sr=24000, target_sr=8000)
    sound = np.append(sound[0], sound[1:] - 0.95 * sound[:-1])  # evens out the source's slope
    sound = sound * np.hanning(len(sound))
    likeness = np.correlate(sound, sound, "full")[len(sound) - 1 :]
    poles = np.roots([1.0, *solve_toeplitz(likeness[:10], -likeness[1:11])])  # of all-pole speech
    poles = poles[(poles.imag > 0) & (np.abs(poles) > 0.9)]
    found = np.sort(np.angle(poles)) * 8000 / (2 * np.pi)
    f1, f2 = VOWELS[vowel][:2]
    assert np.abs(found - f1).min() < 90, found
    assert np.abs(found - f2).min() < 160, found


def test_mouth_shapes_differ_by_vowel():
    shapes = {v: (s.opening[100], s.width[100]) for v in VOWELS for s in [sustain_vowel(v, 1.0, 0)]}
    assert shapes["a"][0] > 0.9 > shapes["o"][0] > shapes["i"][0] > 0.2
    assert shapes["u"][1] < -0.9 and shapes["i"][1] > 0.9


@pytest.mark.parametrize("arguments", [(0.0, 1), (-1.0, 1), (1.0, 1, 8000), (1.0, 1, 22050)])
def test_voice_refuses(arguments):
    with pytest.raises(ValueError, match="Received"):
        synthesize_voice(*arguments)


# The subject


def test_styles_and_gestures_do_not_come_from_the_sound():
    styles = [Style.sample(seed) for seed in range(60)]
    assert styles[7] == Style.sample(7)
    assert {style.gesture for style in styles} == set(GESTURES)
    voice = synthesize_voice(2.0, 1)
    calm, leaning = (perform(voice, style=Style(lean=lean), seed=1, fps=FPS) for lean in (0.0, 5.0))
    assert np.array_equal(calm.opening, leaning.opening)
    np.testing.assert_allclose(leaning.head[:, 2] - calm.head[:, 2], 5.0, atol=1e-5)


def test_blinks_come_every_few_seconds():
    voice = synthesize_voice(60.0, 1)
    shut = perform(voice, style=Style(), seed=1, fps=FPS).blink > 0.9
    blinks = np.count_nonzero(np.diff(shut.astype(int)) == 1)
    assert 12 <= blinks <= 34
    assert shut.mean() < 0.15


def test_pictures_are_determined_by_their_seed():
    clips = [make_clip(episode=1, seed=seed, seconds=0.4) for seed in (1, 1, 2)]
    one, same, other = (np.stack(list(clip.frames(height=64, width=56))) for clip in clips)
    assert one.shape == (10, 64, 56, 3) and one.dtype == np.uint8
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("height, width", [(64, 56), (96, 96), (128, 112), (256, 224)])
def test_a_wide_mouth_is_a_tenth_of_the_picture(height, width):
    voice = synthesize_voice(0.2, 0)
    pose = perform(voice, style=Style(), seed=0, fps=FPS)
    for index in range(len(LOOKS)):
        shut, wide = (
            render(
                type(pose)(**{**vars(pose), "opening": np.full_like(pose.opening, opening)}),
                episode=episode_look(index), style=Style(), height=height, width=width,
            )[0].astype(int)
            for opening in (0.0, 1.0)
        )  # fmt: skip
        changed = np.abs(wide - shut).max(axis=-1) > 60
        rows = np.flatnonzero(changed.any(axis=1))
        assert rows.max() - rows.min() + 1 >= 0.1 * height
        assert 0.35 * width < np.flatnonzero(changed.any(axis=0)).mean() < 0.65 * width


def test_episodes_differ_in_colours_and_framing():
    pictures = []
    for index in range(len(LOOKS) + 2):
        clip = make_clip(episode=index, seed=5, seconds=0.04)
        pictures.append(next(clip.frames(height=64, width=56)).astype(float))
    for one in range(len(pictures)):
        for other in range(one):
            assert np.abs(pictures[one] - pictures[other]).mean() > 12
            look, second = episode_look(one), episode_look(other)
            assert (look.zoom, look.offset) != (second.zoom, second.offset)
    assert episode_look(9) == episode_look(9)
    with pytest.raises(ValueError, match="-1"):
        episode_look(-1)


def test_warmth_tints_and_a_gesture_shows_a_hand():
    performance = perform(synthesize_voice(0.2, 0), style=Style(), seed=0, fps=FPS)

    def picture(**style):
        frames = render(
            performance, episode=episode_look(0), style=Style(**style), height=64, width=56
        )
        return frames[0].astype(float)

    cool, warm = picture(warmth=-1.0).mean((0, 1)), picture(warmth=1.0).mean((0, 1))
    assert warm[0] > cool[0] and warm[2] < cool[2] - 10
    hand = np.abs(picture(gesture="left") - picture()).max(axis=-1) > 40
    assert hand[40:, :20].sum() > 60 and not hand[:, 28:].any()


def test_tint_bounds_the_warmth_and_nothing_else():
    whole, half = (make_clip(episode=0, seed=4, seconds=0.2, tint=tint).style for tint in (1, 0.5))
    assert half == dataclasses.replace(whole, warmth=half.warmth)
    assert half.warmth == pytest.approx(whole.warmth / 2, abs=1e-3) and half.warmth != 0


# The footage


def test_files_are_h264_and_aac_with_a_key_frame_at_each_clip(footage):
    import av

    folder, truth = footage
    for episode in truth["episodes"]:
        path = folder / f"{episode['name']}.mp4"
        with av.open(str(path)) as container:
            assert container.streams.video[0].codec_context.name == "h264"
            assert container.streams.audio[0].codec_context.name == "aac"
        index = index_frames(path)
        np.testing.assert_allclose(
            index.key_times, [c["start"] for c in episode["clips"]], atol=1e-6
        )
        assert len(index.times) == CLIPS * 75


def test_sound_lies_where_its_clip_is(footage):
    folder, truth = footage
    sound = read_audio(folder / "episode_02.mp4")
    for clip in truth["episodes"][2]["clips"]:
        original = synthesize_voice(truth["clip_seconds"], clip["seed"]).waveform
        start = round(clip["start"] * 24000)
        assert correlation(sound[start : start + len(original)], original) > 0.97


def test_truth_is_complete_and_footage_repeats_by_seed(footage, tmp_path):
    folder, truth = footage
    assert json.loads((folder / "truth.json").read_text()) == json.loads(json.dumps(truth))
    clip = truth["episodes"][1]["clips"][0]
    fields = ("opening", "width", "blink", "brow", "head", "gaze", "hand")
    assert all(len(clip[field]) == 75 for field in fields)
    assert set(clip) == {*fields, "start", "seed", "style"}
    again = write_footage(tmp_path, num_episodes=1, clips_per_episode=1, seed=77)
    other = write_footage(tmp_path, num_episodes=1, clips_per_episode=1, seed=78)
    assert again["episodes"][0]["clips"][0] == truth["episodes"][0]["clips"][0]
    assert other["episodes"][0]["clips"][0]["opening"] != clip["opening"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["episode_00.mp4", "truth.json"]


@pytest.mark.parametrize(
    "arguments",
    [{"height": 63}, {"width": 30}, {"clip_seconds": 0.99}, {"num_episodes": 0}, {"tint": 1.1}],
)
def test_footage_refuses(arguments, tmp_path):
    with pytest.raises(ValueError):
        write_footage(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


# The rule that reads the mouth


def opening_of(truth, index):
    return np.concatenate([clip["opening"] for clip in truth["episodes"][index]["clips"]])


@pytest.mark.parametrize("index", range(len(LOOKS)))
def test_rule_reads_the_mouth_of_every_episode(footage, index):
    folder, truth = footage
    frames = read_video(folder / f"episode_{index:02d}.mp4")  # 64x56, after H.264
    opening = opening_of(truth, index)
    read = mouth_opening(frames)
    assert read.shape == opening.shape and read.dtype == np.float32
    assert correlation(read, opening) >= 0.95
    assert -0.15 < read.min() < 0.15 and 0.5 < read.max() < 1.3
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.0) for frame in frames])
    assert correlation(mouth_opening(blurred), opening) >= 0.9


def test_rule_reads_larger_pictures():
    clip = make_clip(episode=3, seed=9)
    frames = np.stack(list(clip.frames(height=128, width=112)))
    assert correlation(mouth_opening(frames), clip.performance.opening) >= 0.95


def test_rule_reads_nothing_from_a_frozen_mouth():
    clip = make_clip(episode=2, seed=10)
    still = np.full_like(clip.performance.opening, 0.3)
    frozen = clip.performance.__class__(**{**vars(clip.performance), "opening": still})
    frames = render(frozen, episode=clip.episode, style=clip.style, height=64, width=56)
    read = mouth_opening(frames)
    assert read.std() < 0.25 * mouth_opening(np.stack(list(clip.frames(height=64, width=56)))).std()
    assert abs(correlation(read, clip.performance.opening)) < 0.5


def test_correlation_peaks_where_the_track_is_shifted(footage):
    folder, truth = footage
    read = mouth_opening(read_video(folder / "episode_04.mp4")[:75])
    opening = np.array(truth["episodes"][4]["clips"][0]["opening"])
    for shift in (-3, 0, 2):
        shifted = np.roll(read, shift)
        scores = {lag: correlation(np.roll(opening, lag), shifted) for lag in range(-6, 7)}
        assert max(scores, key=scores.get) == shift


@pytest.mark.parametrize("shape, dtype", [((64, 56, 3), "uint8"), ((2, 64, 56, 3), "float32")])
def test_rule_refuses(shape, dtype):
    with pytest.raises(ValueError, match="uint8"):
        mouth_opening(np.zeros(shape, dtype))
