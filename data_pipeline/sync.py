"""Whether sound and picture belong together: the mouth's motion against the sound's change."""

import itertools
import os
from collections.abc import Iterable, Sequence

import numpy as np

from data_pipeline.mel import MELS_PER_FRAME

MOUTH = (0.5, 1.0, 0.2, 0.8)  # top, bottom, left, right, as parts of a picture of a face


def lag_correlations(
    clips: Iterable[tuple[np.ndarray, np.ndarray]],
    max_lag: int = 8,
    box: Sequence[float] = MOUTH,
) -> np.ndarray:
    """Correlates how much the mouth moves with how much the sound changes, at each lag.

    Args:
        clips: (uint8 [T, height, width, 3], float32 [4 T, 80] aligned log mel), T > 2 max_lag.
        max_lag: In frames.
        box: Part of the picture to look at.

    Returns:
        float64 [2 max_lag + 1], Pearson correlations averaged over the clips, for lags -max_lag to
        max_lag; at a positive lag the picture comes later than its sound.

    Raises:
        ValueError: No clips long enough, in which both picture and sound change.
    """
    sums, used = np.zeros(2 * max_lag + 1), 0
    for video, mel in clips:
        height, width = video.shape[1:3]
        top, bottom, left, right = np.multiply(box, (height, height, width, width)).astype(int)
        gray = video[:, top:bottom, left:right].mean(-1, dtype=np.float32)
        motion = np.abs(np.diff(gray, axis=0)).mean((1, 2))  # [T - 1]
        # The first of a frame's mel frames, which is centred on the time of its picture.
        sound = mel[::MELS_PER_FRAME].mean(1)
        change = np.abs(np.diff(sound))  # [T - 1]
        inner = slice(max_lag, len(change) - max_lag)
        if len(change) <= 2 * max_lag + 2:
            continue
        moved = [motion[max_lag + lag : len(motion) - max_lag + lag] for lag in _lags(max_lag)]
        if min(map(np.std, moved)) == 0 or change[inner].std() == 0:
            continue
        sums += [np.corrcoef(change[inner], m)[0, 1] for m in moved]
        used += 1
    if not used:
        raise ValueError(f"no clip has more than {2 * max_lag + 2} frames with motion and sound")
    return sums / used


def _lags(max_lag: int) -> range:
    return range(-max_lag, max_lag + 1)


def dataset_lag(
    data_dir: str | os.PathLike, split: str = "train", max_clips: int = 200, max_lag: int = 8
) -> tuple[int, float]:
    """The lag in frames at which the first clips of a split correlate best, and how much.

    Raises:
        FileNotFoundError, ValueError: No such dataset, one of codes alone, or nothing to correlate.
    """
    from data_pipeline.dataset import read_clips

    def pairs():
        for clip in itertools.islice(read_clips(data_dir, split), max_clips):
            if "video" not in clip:
                raise ValueError(f"{data_dir}: holds codes, no frames: name the footage's.")
            yield clip["video"], clip["mel"]

    found = lag_correlations(pairs(), max_lag)
    best = int(np.argmax(found))
    return best - max_lag, float(found[best])
