"""What sound must be for a video to follow it."""

import numpy as np

from nwt_tf.layers.mel import SAMPLE_RATE

MIN_SECONDS = 0.2
SILENCE = 1e-4  # peak amplitude under which a waveform counts as silent


def check_length(num_samples):
    """Refuses sound of so many samples, at 24 kHz, if it is too short.

    Raises:
        ValueError: it is shorter than MIN_SECONDS.
    """
    seconds = num_samples / SAMPLE_RATE
    if seconds < MIN_SECONDS:
        raise ValueError(f"The sound is {seconds:.3f} s long; at least {MIN_SECONDS} s are needed.")


def samples_of(waveform):
    """float32 [N] of mono sound, float [N] in [-1, 1].

    Raises:
        ValueError: it is not mono, of integers, or not finite.
    """
    waveform = np.asarray(waveform)
    if waveform.ndim != 1:
        raise ValueError(f"The sound must be mono, [N]. Received: shape {waveform.shape}")
    if waveform.dtype.kind != "f":
        raise ValueError(
            f"The sound must be float in [-1, 1]. Received: dtype {waveform.dtype.name}"
        )
    waveform = np.float32(waveform)
    if not np.isfinite(waveform).all():
        raise ValueError("The sound has samples that are not finite.")
    return waveform


def check_audible(waveform):
    """Refuses silence.

    Args:
        waveform: float [N], any N above 0.

    Raises:
        ValueError: no sample is above SILENCE.
    """
    if np.abs(waveform).max() < SILENCE:
        raise ValueError("The sound is silent: there is no speech to follow.")
