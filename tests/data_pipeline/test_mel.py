import librosa
import numpy as np
import pytest

from data_pipeline.dataset import align_mel
from data_pipeline.mel import align, log_mel, mel_spectrogram


def noise(samples, seed=0):
    return np.random.default_rng(seed).uniform(-0.7, 0.7, samples).astype(np.float32)


@pytest.mark.parametrize("samples", [1024, 1199, 1200, 24123])
def test_mel_is_table_7_step_by_step(samples):
    sound = noise(samples)
    window = np.zeros(1024)
    window[112:912] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(800) / 800)  # periodic Hann
    padded = np.pad(sound.astype(np.float64), 512)
    frames = [padded[m * 200 : m * 200 + 1024] * window for m in range(1 + samples // 200)]
    power = np.abs(np.fft.rfft(frames)) ** 2  # [mel frames, 513]
    filters = librosa.filters.mel(sr=24000, n_fft=1024, n_mels=80, fmin=0, fmax=8000)
    mel = mel_spectrogram(sound)
    assert mel.shape == (1 + samples // 200, 80) and mel.dtype == np.float32
    np.testing.assert_allclose(mel, power @ filters.T, rtol=1e-4, atol=1e-6)


def test_log_has_a_floor():
    np.testing.assert_allclose(log_mel(np.array([0.0, 1.0])), [np.log(1e-5), 0.0], rtol=1e-6)


@pytest.mark.parametrize("fps", [15, 23.976, 24, 25, 29.97, 30, 48, 60])
def test_alignment_follows_the_rule_in_both_places(fps):
    mel = np.arange(300, dtype=np.float32)[:, None] * np.ones(80, np.float32)
    count = int(300 / 120 * fps) + 3  # the last frames read past the end
    expected = []
    for t in range(count):
        first = int(t * 120 / fps + 0.5)  # halves up
        expected += [min(first + i, 299) for i in range(4)]
    aligned = align(mel, count, fps)
    assert aligned[:, 0].astype(int).tolist() == expected
    np.testing.assert_array_equal(align_mel(mel, count, fps), aligned)


def test_halves_round_up():
    mel = np.arange(50, dtype=np.float32)[:, None] * np.ones(80, np.float32)
    # 48 frames a second: frame 1 is at 2.5 mel frames, frame 3 at 7.5 (NumPy's round gives 2, 8).
    assert align(mel, 4, 48)[::4, 0].tolist() == [0, 3, 5, 8]
    # At 30 every mel frame is read once.
    np.testing.assert_array_equal(align(mel, 12, 30), mel[:48])
