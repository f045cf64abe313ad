"""Mel spectrograms (Appendix D, step 8, and Table 7) and their alignment to video frames.

nwt_tf/layers/mel.py is the same inside a graph; tests/layers/test_mel.py holds the two together.
"""

import functools

import numpy as np

SAMPLE_RATE = 24000
N_FFT = 1024
WIN_LENGTH = 800
HOP_LENGTH = 200
MEL_RATE = SAMPLE_RATE // HOP_LENGTH  # 120 mel frames a second
NUM_MELS = 80
FMAX = 8000.0  # Hz
MELS_PER_FRAME = 4  # mel frames that a video frame reads: all of them at 30 frames a second
MEL_FLOOR = 1e-5
_BLOCK = 1024  # mel frames at a time


@functools.cache
def _filters():
    """librosa's default mel filters (Slaney's scale, unit area): sparse float32 [80, 513].

    Written out because importing librosa costs every worker process seconds; sparse because a
    dense product wakes BLAS threads, which take the cores from the other workers.
    """
    from scipy import sparse

    step = np.log(6.4) / 27.0  # linear to 1 kHz, from there 27 mels to 6.4 kHz
    mels = np.linspace(0.0, 15.0 + np.log(FMAX / 1000.0) / step, NUM_MELS + 2)
    edges = np.where(mels < 15.0, mels * 200.0 / 3, 1000.0 * np.exp(step * (mels - 15.0)))
    bins = np.linspace(0.0, SAMPLE_RATE / 2, N_FFT // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return sparse.csr_array((triangles * 2.0 / (edges[2:] - edges[:-2])).T, dtype=np.float32)


def mel_spectrogram(waveform: np.ndarray) -> np.ndarray:
    """Power mel spectrogram of Table 7, equal to librosa's to rounding.

    Args:
        waveform: float32 [samples] in [-1, 1], mono, 24 kHz.

    Returns:
        float32 [1 + samples // 200, 80], at least 0; frame m is centred on sample 200 m.
    """
    from scipy import fft

    window = np.zeros(N_FFT, np.float32)
    side = (N_FFT - WIN_LENGTH) // 2
    window[side:-side] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WIN_LENGTH) / WIN_LENGTH)
    padded = np.pad(np.asarray(waveform, np.float32), N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH]
    mel = np.empty((len(frames), NUM_MELS), np.float32)
    for start in range(0, len(frames), _BLOCK):  # bounded memory, whatever the length
        spectrum = fft.rfft(frames[start : start + _BLOCK] * window)  # [mel frames, 513]
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        mel[start : start + _BLOCK] = (_filters() @ power.T).T
    return mel


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
