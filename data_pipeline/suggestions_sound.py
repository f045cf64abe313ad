"""The sound's part of data_pipeline/suggestions.py: silence, clipping, music."""

import dataclasses

import numpy as np

from data_pipeline.mel import SAMPLE_RATE

_BLOCK = SAMPLE_RATE // 20  # samples that a level is measured over
_WINDOW, _HOP = 2048, 512  # samples, of the spectra: bins of 12 Hz, 47 spectra a second
_BINS = slice(9, 512)  # 105 Hz, above the hum of mains and its first overtone, to 6 kHz
_HELD = 12  # spectra, 0.26 s: longer than speech keeps a partial in one bin


@dataclasses.dataclass(frozen=True)
class SoundThresholds:
    """From where on a measure of the sound becomes a reason."""

    silence_decibels: float = -50.0  # of full scale, root mean square over 50 ms
    silence_seconds: float = 1.5  # longest silence of ordinary speech
    silence_share: float = 0.6  # of the clip
    clipping_level: float = 0.97  # of full scale
    clipping_share: float = 0.002  # of the samples
    music_partials: float = 1.2  # held at a time, in the mean over what is not silent


def sound_faults(sound: np.ndarray, thresholds: SoundThresholds) -> list[tuple[str, str]]:
    """(kind, detail) of what is wrong with a clip's sound, float32 [samples] at 24 kHz."""
    sound = np.asarray(sound, np.float32)
    if not len(sound):
        return [("silence", "it has no sound")]
    return [
        *_silence(sound, thresholds),
        *_clipping(sound, thresholds),
        *_music(sound, thresholds),
    ]


def _silence(sound: np.ndarray, thresholds: SoundThresholds) -> list[tuple[str, str]]:
    blocks = sound[: max(1, len(sound) // _BLOCK) * _BLOCK].reshape(-1, min(_BLOCK, len(sound)))
    power = np.square(blocks).mean(axis=1)
    quiet = power < 10 ** (thresholds.silence_decibels / 10)
    edges = np.flatnonzero(np.diff(np.r_[False, quiet, False])).reshape(-1, 2)
    if not len(edges):
        return []
    if quiet.all():
        return [("silence", f"below {thresholds.silence_decibels:g} dB throughout")]
    start, end = edges[np.argmax(edges[:, 1] - edges[:, 0])] * _BLOCK / SAMPLE_RATE
    if end - start >= thresholds.silence_seconds - 1e-6:
        return [("silence", f"silent from {start:.2f} to {end:.2f} s")]
    if quiet.mean() >= thresholds.silence_share:
        return [("silence", f"{quiet.mean():.0%} of it is silent")]
    return []


def _clipping(sound: np.ndarray, thresholds: SoundThresholds) -> list[tuple[str, str]]:
    """Samples at full scale. What was clipped and then turned down is not found."""
    share = np.mean(np.abs(sound) >= thresholds.clipping_level)
    if share < thresholds.clipping_share:
        return []
    return [("clipping", f"{share:.1%} of its samples are at full scale")]


def _music(sound: np.ndarray, thresholds: SoundThresholds) -> list[tuple[str, str]]:
    """Partials that stay in their frequency bin for a quarter of a second.

    The pitch of speech glides, notes are held. Of GRID's speech 0.0 to 0.2 partials are held at a
    time, of chords 8 to 11, of speech over chords 3 to 7. Drums alone, and singing with much
    vibrato, are not found.
    """
    if len(sound) < _WINDOW + _HELD * _HOP:
        return []
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]
    window = np.hanning(_WINDOW).astype(np.float32)
    spectra = np.abs(np.fft.rfft(frames * window, axis=1))[:, _BINS]
    # The window's mean is a half: a sine of amplitude a has a peak of a * _WINDOW / 4.
    audible = _WINDOW / 4 * 10 ** (thresholds.silence_decibels / 20)
    loudest = spectra.max(axis=1, keepdims=True)
    middle = spectra[:, 1:-1]
    peaks = (middle > spectra[:, :-2]) & (middle > spectra[:, 2:])
    peaks &= middle > np.maximum(0.05 * loudest, audible)
    sums = np.cumsum(np.pad(peaks, ((1, 0), (0, 0))), axis=0, dtype=np.int32)
    held = (sums[_HELD:] - sums[:-_HELD] == _HELD).sum(axis=1)
    heard = loudest[: len(held), 0] > audible
    partials = held[heard].mean() if heard.any() else 0.0
    if partials < thresholds.music_partials:
        return []
    return [("music", f"{partials:.1f} steady tones at a time")]
