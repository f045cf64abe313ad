"""Mel spectrograms (Appendix D, step 8, and Table 7) and their alignment to video frames."""

import numpy as np

SAMPLE_RATE = 24000
HOP_LENGTH = 200
MEL_RATE = SAMPLE_RATE // HOP_LENGTH  # 120 mel frames a second
NUM_MELS = 80
MELS_PER_FRAME = 4  # mel frames that a video frame reads: all of them at 30 frames a second
MEL_FLOOR = 1e-5


def mel_spectrogram(waveform: np.ndarray, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Power mel spectrogram of Table 7 (librosa's Slaney filters and norm).

    Args:
        waveform: float32 [samples] in [-1, 1], mono.
        sample_rate: Of the waveform; Table 7 is for 24000.

    Returns:
        float32 [1 + samples // 200, 80], at least 0; frame m is centred on sample 200 m.
    """
    import librosa

    mel = librosa.feature.melspectrogram(
        y=np.asarray(waveform, np.float32),
        sr=sample_rate,
        n_fft=1024,
        hop_length=HOP_LENGTH,
        win_length=800,
        center=True,
        pad_mode="constant",
        power=2.0,
        n_mels=NUM_MELS,
        fmin=0.0,
        fmax=8000.0,
    )
    return np.ascontiguousarray(mel.T, np.float32)


def log_mel(mel: np.ndarray) -> np.ndarray:
    """Natural logarithm with a floor of 1e-5: float32 of the same shape, from -11.5 up."""
    return np.log(np.maximum(mel, MEL_FLOOR)).astype(np.float32)


def align(mel: np.ndarray, num_frames: int, fps: float) -> np.ndarray:
    """Gives every video frame its 4 mel frames.

    Video frame t reads the mel frames from round(t * 120 / fps), halves rounded up; where the mel
    is too short its last frame is repeated.

    Args:
        mel: float32 [mel frames, 80].
        num_frames: Video frames.
        fps: Video frames a second.

    Returns:
        float32 [num_frames * 4, 80].
    """
    first = np.floor(np.arange(num_frames) * (MEL_RATE / fps) + 0.5).astype(np.int64)
    rows = first[:, None] + np.arange(MELS_PER_FRAME)  # [num_frames, 4]
    return mel[np.minimum(rows.reshape(-1), len(mel) - 1)]
