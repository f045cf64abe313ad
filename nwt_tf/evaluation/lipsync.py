"""Lip-sync without a trained judge: how the mouth moves, against the sound and the true mouth.

Motion is the mean absolute difference of successive frames in the mouth's region, in grey levels of
a picture reduced to 64 rows. It is compared with the sound in two ways:

- with the change of its envelope, `envelope_change`. Speech and pauses alone make this high: where
  all sentences are built alike, another sentence's sound correlates nearly as well;
- locally, with `sound_change`: both less their own moving average of a quarter of a second, so that
  only what happens within syllables counts. Another sentence's sound then gives about 0.

A mouth that opens and shuts with the loudness, whatever is said, can pass both; `mouth_match`
compares the mouth's pictures with those of the true clip.
"""

import numpy as np
from scipy import ndimage

from nwt_tf.layers.mel import MELS_PER_FRAME, NUM_MELS

MAX_LAG = 15  # frames
MIN_OVERLAP = 8  # frames that a correlation needs
ROWS = 64
TREND_SECONDS = 0.24  # standard deviation of the moving average that `local` takes away
_STILL = 1e-9  # standard deviation under which a series counts as constant
_MAP_ROWS = 32
_REGION_SHARE = 2 / 3  # of the map's peak, at which the mouth's region ends


def grey(video):
    """Grey levels reduced to at most ROWS rows by area: uint8 [T, H, W, 3] -> float32 [T, h, w].

    The mean of the three channels; smaller pictures keep their size.
    """
    import cv2

    height, width = video.shape[1:3]
    rows = min(ROWS, height)
    size = (max(1, round(rows * width / height)), rows)
    frames = [cv2.resize(np.float32(f.mean(-1)), size, interpolation=cv2.INTER_AREA) for f in video]
    return np.stack(frames)


def cut_out(pictures, box):
    """The part of pictures [T, h, w] within a box: (top, bottom, left, right) as shares of them."""
    height, width = pictures.shape[1:3]
    top, bottom, left, right = np.round(np.multiply(box, (height, height, width, width)))
    bottom, right = max(bottom, top + 1), max(right, left + 1)
    return pictures[:, int(top) : int(bottom), int(left) : int(right)]


def motion(pictures):
    """Mean absolute difference of successive pictures: [T, h, w] -> [T - 1], in grey levels."""
    return np.abs(np.diff(pictures, axis=0)).mean(axis=(1, 2))


def envelope_change(mel):
    """How much the sound's envelope (root mean square) changes from frame to frame.

    Args:
        mel: float [4 T, 80], aligned log mel.

    Returns:
        float [T - 1], at least 0.
    """
    return np.abs(np.diff(np.sqrt(_power(mel).sum(-1))))


def sound_change(mel):
    """How much the sound changes from frame to frame, over all its mel bands.

    Args:
        mel: float [4 T, 80], aligned log mel.

    Returns:
        float [T - 1]: the square root, which evens out loud and soft, of the summed absolute
        changes of the bands' amplitudes.
    """
    return np.sqrt(np.abs(np.diff(np.sqrt(_power(mel)), axis=0)).sum(-1))


def _power(mel):
    return np.exp(np.asarray(mel, np.float64)).reshape(-1, MELS_PER_FRAME, NUM_MELS).mean(axis=1)


def local(series, fps):
    """A series [T, ...] less its Gaussian moving average over time (TREND_SECONDS)."""
    series = np.asarray(series, np.float64)
    return series - ndimage.gaussian_filter1d(series, TREND_SECONDS * fps, axis=0, mode="nearest")


def correlation(a, b):
    """Pearson's r along the first axis; 0 where a side does not change."""
    a, b = np.float64(a - a.mean(axis=0)), np.float64(b - b.mean(axis=0))
    moves = np.minimum(a.std(axis=0), b.std(axis=0)) > _STILL
    size = np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
    return np.where(moves, (a * b).sum(axis=0) / np.where(moves, size, 1.0), 0.0)


def lag_correlations(moved, changed, max_lag=MAX_LAG):
    """Correlations of motion and sound at each lag, each over all frames that overlap.

    Args:
        moved, changed: [N], of one clip.
        max_lag: in frames.

    Returns:
        float64 [2 max_lag + 1], for lags -max_lag to max_lag; at a positive lag the picture comes
        later than its sound. NaN at lags that leave fewer than MIN_OVERLAP frames.
    """
    length = min(len(moved), len(changed))
    moved, changed = moved[:length], changed[:length]
    found = np.full(2 * max_lag + 1, np.nan)
    for lag in range(-max_lag, max_lag + 1):
        overlap = length - abs(lag)
        if overlap >= MIN_OVERLAP:
            late, early = moved[max(lag, 0) :], changed[max(-lag, 0) :]
            found[lag + max_lag] = correlation(late[:overlap], early[:overlap])
    return found


def peak_lag(correlations):
    """The lag of the largest mean correlation: [2 L + 1] -> (lag in frames, correlation).

    (None, None) where none is above 0.
    """
    if not np.any(correlations > 0):
        return None, None
    best = int(np.nanargmax(correlations))
    return best - len(correlations) // 2, float(correlations[best])


def local_motion(pictures, fps):
    """The mouth's motion as it is compared with sound_change: [T, h, w] -> float64 [T - 1]."""
    return local(np.sqrt(motion(pictures)), fps)


def mouth_match(truth, other, fps):
    """How closely a mouth does what the true one does: r of the local changes of all its pixels.

    A shift by one frame (of 25 a second) costs about a third, by two frames two thirds.

    Args:
        truth, other: [T, h, w], pictures of the mouth.
        fps: frames a second.

    Returns:
        float in [-1, 1]; 0 for a still picture.
    """
    return float(correlation(local(truth, fps).ravel(), local(other, fps).ravel()))


class MouthMap:
    """Where pictures move with the sound in true footage, which is the mouth.

    For every place of a picture of 32 rows, local motion is correlated with sound_change; averaged
    over clips this peaks at the mouth. The mouth's region is the box about the part around the peak
    that has two thirds of it.

    Args:
        fps: frames a second.
    """

    def __init__(self, fps):
        self._fps, self._total, self._count = fps, 0.0, 0

    def add(self, pictures, mel):
        """Adds a clip: grey pictures [T, h, w] and aligned log mel [4 T, 80]; tiny ones do not."""
        import cv2

        if len(pictures) <= MIN_OVERLAP:
            return
        height, width = pictures.shape[1:3]
        rows = min(_MAP_ROWS, height)
        size = (max(1, round(rows * width / height)), rows)
        small = np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in pictures])
        moved = ndimage.gaussian_filter(np.abs(np.diff(small, axis=0)), (0, 1, 1))
        changed = local(sound_change(mel), self._fps)[:, None, None]
        self._total = self._total + correlation(local(np.sqrt(moved), self._fps), changed)
        self._count += 1

    def find(self):
        """The mouth.

        Returns:
            (box as shares of the picture: (top, bottom, left, right); the correlation at its peak).

        Raises:
            ValueError: no clip of more than MIN_OVERLAP frames, or nothing moves with the sound.
        """
        peak = np.max(self._total) / self._count if self._count else 0.0
        if peak <= 0.0:
            raise ValueError("No part of the pictures moves with the sound: say where the mouth is")
        parts, _ = ndimage.label(self._total > _REGION_SHARE * np.max(self._total))
        part = parts.flat[np.argmax(self._total)]
        rows, columns = ndimage.find_objects(parts)[part - 1]
        height, width = self._total.shape
        box = (rows.start / height, rows.stop / height, columns.start / width, columns.stop / width)
        return box, float(peak)
