"""The mel spectrogram of Table 7 inside the graph, equal to librosa's.

data_pipeline/mel.py is the same without TensorFlow; the two packages may not import one another, so
that a test holds them together (tests/layers/test_mel.py).
"""

import keras
import numpy as np
import tensorflow as tf

SAMPLE_RATE = 24000  # Hz
HOP_LENGTH = 200  # samples: 120 mel frames a second
WIN_LENGTH = 800
N_FFT = 1024
NUM_MELS = 80
FMAX = 8000.0
LOG_FLOOR = 1e-5  # power below which log-mel is cut off
MEL_RATE = SAMPLE_RATE // HOP_LENGTH
MELS_PER_FRAME = 4  # mel frames that one video frame reads


def slaney_filterbank():
    """librosa's default (Slaney, area-normalised) filters: float32 [N_FFT / 2 + 1, NUM_MELS]."""
    step = np.log(6.4) / 27.0  # Slaney's scale: linear to 1 kHz, then 27 mels to 6.4 kHz
    mels = np.linspace(0.0, 15.0 + np.log(FMAX / 1000.0) / step, NUM_MELS + 2)
    edges = np.where(mels < 15.0, mels * 200.0 / 3, 1000.0 * np.exp(step * (mels - 15.0)))
    bins = np.linspace(0.0, SAMPLE_RATE / 2, N_FFT // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * 2.0 / (edges[2:] - edges[:-2])).astype(np.float32)


class MelSpectrogram(keras.layers.Layer):
    """Waveform -> log mel spectrogram (Table 7: Hann 800 in FFT 1024, hop 200, centred, power 2).

    Input: float [B, N], 24 kHz mono in [-1, 1]. Output: float32 [B, 1 + N // 200, 80], the natural
    logarithm of the power, floored at 1e-5; the table has neither logarithm nor floor, both are
    Tacotron 2's way, which the paper cites.
    """

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WIN_LENGTH) / WIN_LENGTH)
        side = (N_FFT - WIN_LENGTH) // 2
        self._window = np.pad(window, (side, side)).astype(np.float32)
        self._filters = slaney_filterbank()
        self.built = True

    def power(self, waveform):
        """The mel power spectrogram itself, before the logarithm."""
        padded = tf.pad(waveform, [(0, 0), (N_FFT // 2, N_FFT // 2)])
        return self._power_of_frames(tf.signal.frame(padded, N_FFT, HOP_LENGTH))

    def _power_of_frames(self, frames):
        return tf.square(tf.abs(tf.signal.rfft(frames * self._window))) @ self._filters

    def of_frames(self, frames):
        """Log-mel of frames that are cut already: float [B, M, N_FFT] -> float32 [B, M, 80]."""
        return tf.math.log(tf.maximum(self._power_of_frames(frames), LOG_FLOOR))

    def call(self, waveform):
        return tf.math.log(tf.maximum(self.power(waveform), LOG_FLOOR))


def first_mel(frames, fps):
    """The first mel frame that video frames t read, round(t * 120 / fps): int -> int64."""
    return tf.cast(tf.floor(tf.cast(frames, tf.float64) * (MEL_RATE / fps) + 0.5), tf.int64)


def align_mel(mel, num_frames, fps):
    """The mel frames that each video frame reads: 4 from round(t * 120 / fps).

    Args:
        mel: float [B, M, 80] at 120 frames a second.
        num_frames: T, video frames.
        fps: video frames a second.

    Returns:
        float [B, 4 T, 80]; reads past the end repeat the last mel frame.
    """
    first = tf.cast(first_mel(tf.range(num_frames), fps), tf.int32)
    reads = first[:, None] + tf.range(MELS_PER_FRAME)  # [T, 4]
    reads = tf.minimum(tf.reshape(reads, [-1]), tf.shape(mel)[1] - 1)
    return tf.gather(mel, reads, axis=1)
