"""Whether long video stays what it was: a video's parts against its beginning."""

import numpy as np

from nwt_tf.evaluation import lipsync
from nwt_tf.evaluation.metrics import code_histogram, flicker, sharpness

PARTS = 10


class _Part:
    """What is gathered over one part of the video."""

    def __init__(self):
        self.frames = 0
        self.sums = {"sharpness": 0.0, "flicker": 0.0}
        self.picture, self.histogram = 0.0, 0
        self.lags = []

    def add(self, codes, video, mel, num_codes, mouth, fps):
        count = len(video)
        self.frames += count
        self.sums["sharpness"] += float(sharpness(video).sum())
        self.sums["flicker"] += count * flicker(video)
        self.picture = self.picture + video.sum(axis=0, dtype=np.float64)
        self.histogram = self.histogram + code_histogram(codes, num_codes)
        if mouth is not None and count > lipsync.MIN_OVERLAP:
            moved = lipsync.local_motion(lipsync.cut_out(lipsync.grey(video), mouth), fps)
            changed = lipsync.local(lipsync.sound_change(mel), fps)
            self.lags.append((count, lipsync.lag_correlations(moved, changed, 0)[0]))

    def figures(self):
        means = {name: total / self.frames for name, total in self.sums.items()}
        synced = [(count, r) for count, r in self.lags if np.isfinite(r)]
        if synced:
            counts, found = zip(*synced, strict=True)
            means["mouth_sound_correlation"] = float(np.average(found, weights=counts))
        return means


def divergence(counts, others):
    """Jensen-Shannon divergence of each head's code shares: int [heads, num_codes] -> bits a head.

    0 for equal shares, 1 for shares without a code in common.
    """
    p, q = (each / each.sum(axis=1, keepdims=True) for each in (counts, others))
    middle = (p + q) / 2

    def entropy(share):
        return -np.sum(share * np.log2(np.maximum(share, 1e-300)), axis=1)

    return float(np.mean(entropy(middle) - (entropy(p) + entropy(q)) / 2))


def measure_drift(chunks, total_frames, fps, num_codes, mouth=None):
    """The parts of a long video against its first part; memory does not grow with its length.

    Args:
        chunks: iterable of (codes int [n, h, w, heads], video uint8 [n, H, W, 3], mel float
            [4 n, 80]), one after another.
        total_frames: of the whole video; it is divided into PARTS, at the borders of chunks.
        fps: frames a second.
        num_codes: codes a head.
        mouth: its box (lipsync.find_mouth), or None.

    Returns:
        {"frames", "video_seconds", "sharpness_start" and "_end", "flicker_start" and "_end", with
        a mouth "mouth_sound_correlation_start" and "_end": of the first and the last part;
        "code_divergence": between their codes, bits a head, see divergence; "picture_shift": mean
        absolute difference of their mean pictures, in levels; "code_divergence_neighbours",
        "picture_shift_neighbours": the same between successive parts, which what is said changes
        too; "sharpness_by_part": all parts'}.

    Raises:
        ValueError: fewer than two parts.
    """
    parts, done = [], 0
    for codes, video, mel in chunks:
        if len(parts) * total_frames <= done * PARTS:
            parts.append(_Part())
        parts[-1].add(codes, video, mel, num_codes, mouth, fps)
        done += len(video)
    if len(parts) < 2:
        raise ValueError(f"{done} frames are too few to drift: take more --minutes.")
    first, last = parts[0].figures(), parts[-1].figures()
    neighbours = list(zip(parts, parts[1:], strict=False))
    figures = {"frames": done, "video_seconds": done / fps}
    for name in first:
        figures |= {f"{name}_start": first[name], f"{name}_end": last.get(name)}
    return figures | {
        "code_divergence": divergence(parts[0].histogram, parts[-1].histogram),
        "code_divergence_neighbours": float(
            np.mean([divergence(a.histogram, b.histogram) for a, b in neighbours])
        ),
        "picture_shift": _shift(parts[0], parts[-1]),
        "picture_shift_neighbours": float(np.mean([_shift(a, b) for a, b in neighbours])),
        "sharpness_by_part": [part.figures()["sharpness"] for part in parts],
    }


def _shift(part, other):
    return float(np.abs(part.picture / part.frames - other.picture / other.frames).mean())
