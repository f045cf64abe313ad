"""The mel in the graph against librosa (Table 7), and its alignment to video frames."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from data_pipeline import mel as pipeline
from data_pipeline.mel import align, log_mel, mel_spectrogram
from nwt_tf.layers import mel as layers
from nwt_tf.layers.mel import LOG_FLOOR, MelSpectrogram, align_mel, slaney_filterbank

SAMPLE_RATE = 24000


def sounds():
    """Noise, a sweep up to 11 kHz and a loud tone above a recording's hiss, clicks in silence."""
    rng = np.random.default_rng(0)
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    hiss = 1e-2 * rng.normal(size=len(time))
    clicks = np.zeros_like(time)
    clicks[[3000, 9001]] = 1.0
    return {
        "noise": 0.1 * rng.normal(size=len(time)),
        "sweep": hiss + 0.5 * np.sin(2 * np.pi * 11000 * time**2),
        "tone": hiss + np.sin(2 * np.pi * 440 * time),
        "clicks": clicks,
    }


@pytest.mark.parametrize("name", sounds())
def test_log_mel_equals_librosa_s(name):
    waveform = sounds()[name].astype(np.float32)
    power = librosa.feature.melspectrogram(
        y=waveform,
        sr=SAMPLE_RATE,
        n_fft=1024,
        hop_length=200,
        win_length=800,
        center=True,
        pad_mode="constant",
        power=2.0,
        n_mels=80,
        fmin=0.0,
        fmax=8000.0,
    )
    found = MelSpectrogram()(waveform[None])[0].numpy()
    np.testing.assert_allclose(found, np.log(np.maximum(power.T, LOG_FLOOR)), atol=1e-4)
    np.testing.assert_allclose(found, log_mel(mel_spectrogram(waveform)), atol=1e-4)


def test_filterbank_equals_librosa_s():
    expected = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=1024, n_mels=80, fmin=0.0, fmax=8000.0)
    np.testing.assert_allclose(slaney_filterbank(), expected.T, atol=1e-7)


def test_both_packages_speak_of_the_same_mel():
    np.testing.assert_array_equal(slaney_filterbank().T, pipeline._filters().toarray())
    assert (layers.NUM_MELS, layers.LOG_FLOOR) == (pipeline.NUM_MELS, pipeline.MEL_FLOOR)
    for name in ("SAMPLE_RATE", "N_FFT", "WIN_LENGTH", "HOP_LENGTH", "MEL_RATE", "FMAX"):
        assert getattr(layers, name) == getattr(pipeline, name), name
    assert layers.MELS_PER_FRAME == pipeline.MELS_PER_FRAME


@pytest.mark.parametrize("samples", [1, 199, 200, 4801])
def test_there_is_a_mel_frame_every_200_samples(samples):
    mel = MelSpectrogram()(tf.zeros((2, samples)))
    assert mel.shape == (2, 1 + samples // 200, 80)
    np.testing.assert_allclose(mel, np.log(LOG_FLOOR), rtol=1e-6)  # silence lies on the floor


@pytest.mark.parametrize("fps", [25, 30, 24000 / 1001, 60])
def test_alignment_equals_a_loop_and_the_pipeline_s(fps):
    mel = np.random.default_rng(0).normal(size=(1, 230, 80)).astype(np.float32)
    frames = round(2 * fps)  # past the mel's end at 120 mel frames a second
    expected = []
    for t in range(frames):
        first = int(np.floor(t * 120 / fps + 0.5))
        expected += [mel[0, min(first + i, 229)] for i in range(4)]
    found = align_mel(mel, frames, fps)[0]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found, align(mel[0], frames, fps))


def test_at_30_frames_a_second_every_mel_frame_is_read_once():
    mel = tf.random.stateless_normal((1, 120, 80), (0, 1))
    np.testing.assert_array_equal(align_mel(mel, 30, 30), mel)
