"""Lip-sync measures on cases whose answer is known."""

import numpy as np
import pytest

from data_pipeline.mel import align, log_mel, mel_spectrogram
from data_pipeline.synthetic import make_clip
from nwt_tf.evaluation import lipsync

FPS = 25
MOUTH = (0.56, 0.875, 0.28, 0.75)


@pytest.fixture(scope="module")
def clips():
    """Four clips of the synthetic subject: (uint8 [75, 64, 56, 3], aligned log mel)."""
    found = []
    for seed in range(4):
        clip = make_clip(episode=0, seed=seed)
        video = np.stack(list(clip.frames(height=64, width=56)))
        found.append((video, align(log_mel(mel_spectrogram(clip.voice.waveform)), len(video), FPS)))
    return found


def mouth_of(video):
    return lipsync.cut_out(lipsync.grey(video), MOUTH)


def correlations(videos, mels):
    """Mean correlations at all lags of videos with sounds."""
    found = [
        lipsync.lag_correlations(
            lipsync.local_motion(mouth_of(video), FPS),
            lipsync.local(lipsync.sound_change(mel), FPS),
        )
        for video, mel in zip(videos, mels, strict=True)
    ]
    return np.mean(found, axis=0)


def test_a_true_mouth_goes_with_its_sound_and_with_no_other(clips):
    videos, mels = zip(*clips, strict=True)
    own = correlations(videos, mels)
    assert lipsync.peak_lag(own)[0] == 0 and own[15] > 0.5
    assert correlations(videos, mels[1:] + mels[:1])[15] < own[15] / 2


@pytest.mark.parametrize("shift", [-9, -1, 1, 4, 15])
def test_the_offset_is_found_to_a_frame(clips, shift):
    videos = [np.roll(video, shift, axis=0) for video, _ in clips]
    found = correlations(videos, [mel for _, mel in clips])
    assert lipsync.peak_lag(found)[0] == shift


def test_a_frozen_mouth_has_no_correlation_and_no_peak(clips):
    video, mel = clips[0]
    still = np.repeat(video[:1], len(video), axis=0)
    found = correlations([still], [mel])
    assert not found.any() and lipsync.peak_lag(found) == (None, None)
    assert lipsync.mouth_match(mouth_of(video), mouth_of(still), FPS) == 0.0


def flickering(video, mel):
    """A mouth that only knows how loud it is: the widest and the first frame, mixed."""
    loud = np.exp(mel).sum(-1).reshape(-1, 4).mean(1) ** 0.5
    loud = (loud / loud.max())[:, None, None, None]
    return np.uint8(video[:1] * (1 - loud) + video[np.argmax(loud)] * loud)


def test_the_match_with_the_true_mouth_tells_likeness(clips):
    import cv2

    video, mel = clips[0]
    mouth = mouth_of(video)
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.0) for frame in video])
    assert lipsync.mouth_match(mouth, mouth, FPS) == pytest.approx(1.0)
    near = lipsync.mouth_match(mouth, mouth_of(blurred), FPS)
    late = lipsync.mouth_match(mouth, mouth_of(np.roll(video, 1, axis=0)), FPS)
    other = lipsync.mouth_match(mouth, mouth_of(clips[1][0]), FPS)
    assert near > 0.8 > late > other + 0.2
    assert abs(other) < 0.2


def test_a_mouth_that_flickers_with_loudness_is_told_from_the_true_one(clips):
    matches = [
        lipsync.mouth_match(mouth_of(video), mouth_of(flickering(video, mel)), FPS)
        for video, mel in clips
    ]
    assert np.mean(matches) < 0.7


def test_chatter_while_anybody_speaks_does_not_pass():
    """Sentences of one rhythm: motion in speech, none in pauses, but of no particular sound."""
    draws = np.random.default_rng(0)
    speech = np.convolve(np.repeat([0, 1, 1, 1, 0], 15), np.ones(5) / 5, "same")
    mels, motions = [], []
    for _ in range(40):
        level = speech[:, None, None] * draws.uniform(0.2, 1.0, (75, 1, 1)) + 1e-3
        mels.append(np.float32(np.log(np.tile(level, (1, 4, 80)).reshape(300, 80))))
        motions.append(speech[1:] * draws.uniform(0.2, 1.0, 74))
    plain, local, other = [], [], []
    for motion, mel, stranger in zip(motions, mels, mels[1:] + mels[:1], strict=True):
        plain.append(lipsync.correlation(motion, lipsync.envelope_change(mel)))
        moved = lipsync.local(np.sqrt(motion), FPS)
        for sound, found in ((mel, local), (stranger, other)):
            changed = lipsync.local(lipsync.sound_change(sound), FPS)
            found.append(lipsync.correlation(moved, changed))
    assert np.mean(plain) > 0.3  # is fooled
    assert np.mean(local) < np.mean(plain)
    assert np.mean(other) > 0.8 * np.mean(local)  # of true mouths: less than half


def test_the_mouth_is_found_in_drawn_footage(clips):
    finder = lipsync.MouthMap(FPS)
    for video, mel in clips:
        finder.add(lipsync.grey(video), mel)
    (top, bottom, left, right), peak = finder.find()
    assert peak > 0.5
    assert 0.5 < top < 0.65 < 0.72 < bottom < 0.95
    assert 0.2 < left < 0.45 < 0.55 < right < 0.8


def test_the_mouth_is_found_among_other_motion():
    """Noise everywhere, the strongest in a corner; one patch moves with the sound."""
    draws = np.random.default_rng(1)
    finder = lipsync.MouthMap(FPS)
    for _ in range(6):
        level = draws.uniform(0.01, 1.0, 75) ** 2
        mel = np.float32(np.log(np.repeat(level, 4)[:, None] * np.ones(80)))
        pictures = draws.normal(100, 2, (75, 64, 48)).astype(np.float32)
        pictures[:, :16, :16] += draws.normal(0, 30, (75, 1, 1))
        pictures[:, 40:52, 12:30] += 60 * np.sqrt(level)[:, None, None]
        finder.add(pictures, mel)
    box, peak = finder.find()
    np.testing.assert_allclose(box, (40 / 64, 52 / 64, 12 / 48, 30 / 48), atol=0.09)
    assert peak > 0.5


def test_footage_without_motion_or_frames_is_refused():
    finder = lipsync.MouthMap(FPS)
    mel = np.random.default_rng(0).normal(size=(160, 80)).astype(np.float32)
    finder.add(np.zeros((5, 32, 32), np.float32), mel[:20])
    finder.add(np.zeros((40, 32, 32), np.float32), mel)
    with pytest.raises(ValueError, match="moves with the sound"):
        finder.find()


def test_lags_need_frames_that_overlap():
    series = np.random.default_rng(0).normal(size=12)
    found = lipsync.lag_correlations(series, series, 6)
    assert np.isnan(found[[0, 1, 11, 12]]).all() and np.isfinite(found[2:11]).all()
    assert found[6] == pytest.approx(1.0)


def test_pictures_are_reduced_by_area():
    video = np.zeros((2, 128, 96, 3), np.uint8)
    video[1, ::2] = 200
    reduced = lipsync.grey(video)
    assert reduced.shape == (2, 64, 48)
    np.testing.assert_allclose(reduced[1], 100.0)
    assert lipsync.grey(video[:, :40, :30]).shape == (2, 40, 30)
