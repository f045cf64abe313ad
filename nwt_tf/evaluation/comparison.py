"""Systems side by side on the same true clips: the truth, reconstructions, generations, floors."""

import dataclasses
from collections.abc import Callable

import numpy as np

from nwt_tf.evaluation import lipsync
from nwt_tf.evaluation.frechet import Gaussian, RandomFeatures
from nwt_tf.evaluation.metrics import flicker, frame_ssim, sharpness


@dataclasses.dataclass(frozen=True)
class TrueClip:
    """A clip of true footage, as systems are held against it.

    Attributes:
        video: uint8 [T, H, W, 3].
        mel: float32 [4 T, 80], aligned log mel of its sound.
        other_mels: the same of other clips, of any length.
        opening: float [T], how far the mouth is open, where that is known exactly.
    """

    video: np.ndarray
    mel: np.ndarray
    other_mels: tuple = ()
    opening: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Ruler:
    """What all systems are measured with.

    Attributes:
        mouth: box of the mouth, shares of the picture: (top, bottom, left, right).
        fps: frames a second.
        read_opening: uint8 [T, H, W, 3] -> float [T], for footage whose true opening is known.
        features: of the Frechet distance.
    """

    mouth: tuple[float, float, float, float]
    fps: float
    read_opening: Callable | None = None
    features: RandomFeatures = dataclasses.field(default_factory=RandomFeatures)


class System:
    """The figures of one system, gathered clip by clip; no video is kept.

    Args:
        ruler: Ruler.
        is_truth: whether it is the footage itself, which is not compared with itself.
    """

    def __init__(self, ruler, is_truth=False):
        self.ruler, self.is_truth = ruler, is_truth
        self.clips = 0
        self.features = Gaussian()
        self._values = {}
        self._lags = {"own": [], "other": [], "own_envelope": [], "other_envelope": []}

    def add(self, clip, video):
        """Adds a video that stands for a TrueClip: uint8 [T, H, W, 3]; what is longer is cut."""
        ruler, length = self.ruler, min(len(video), len(clip.video))
        video, truth = video[:length], clip.video[:length]
        pictures = lipsync.grey(video)
        mouth = lipsync.cut_out(pictures, ruler.mouth)
        self.clips += 1
        self.features.add(ruler.features(video))
        self._put("sharpness", sharpness(video).mean())
        self._put("flicker", flicker(video))
        if length > 1:
            inside, everywhere = lipsync.motion(mouth).mean(), lipsync.motion(pictures).mean()
            share = mouth[0].size / pictures[0].size
            self._put("motion_elsewhere", (everywhere - share * inside) / max(1 - share, 1e-9))
        if not self.is_truth:
            true_mouth = lipsync.cut_out(lipsync.grey(truth), ruler.mouth)
            self._put("ssim", frame_ssim(truth, video).mean())
            self._put("mouth_l1", np.abs(true_mouth - mouth).mean())
            self._put("mouth_match", lipsync.mouth_match(true_mouth, mouth, ruler.fps))
        if ruler.read_opening and clip.opening is not None:
            read, opening = ruler.read_opening(video), clip.opening[:length]
            self._put("opening_error", np.abs(read - opening).mean())
            self._put("opening_correlation", lipsync.correlation(read, opening))
        self._listen(mouth, clip.mel, "own")
        for mel in clip.other_mels:
            self._listen(mouth, mel, "other")

    def _listen(self, mouth, mel, whose):
        if len(mouth) < 2:
            return
        moved = lipsync.local_motion(mouth, self.ruler.fps)
        changed = lipsync.local(lipsync.sound_change(mel), self.ruler.fps)
        self._lags[whose].append(lipsync.lag_correlations(moved, changed))
        envelope = lipsync.envelope_change(mel)
        self._lags[f"{whose}_envelope"].append(
            lipsync.lag_correlations(lipsync.motion(mouth), envelope)
        )

    def _put(self, name, value):
        self._values.setdefault(name, []).append(float(value))

    def correlations(self, whose="own"):
        """Mean correlations over clips at lags -MAX_LAG to MAX_LAG, None at lags no clip has.

        Args:
            whose: sound, `own` or `other`; `own_envelope`, `other_envelope`: not `local`.
        """
        lags = np.array(self._lags[whose]).reshape(-1, 2 * lipsync.MAX_LAG + 1)
        counts = np.isfinite(lags).sum(axis=0)
        means = np.nansum(lags, axis=0) / np.maximum(counts, 1)
        return [float(mean) if count else None for mean, count in zip(means, counts, strict=True)]

    def figures(self, truth=None):
        """Means over clips.

        Args:
            truth: the System of the true clips, for the Frechet distance.

        Returns:
            {name: float, or None where it does not apply}; docs/evaluation.md explains them.
        """
        own, other = self.correlations("own"), self.correlations("other")
        peak, at_peak = lipsync.peak_lag(np.array(own, float))
        figures = {name: float(np.mean(values)) for name, values in self._values.items()}
        return figures | {
            "mouth_sound_correlation": own[lipsync.MAX_LAG],
            "other_sound_correlation": other[lipsync.MAX_LAG],
            "peak_lag": peak,
            "peak_correlation": at_peak,
            "envelope_correlation": self.correlations("own_envelope")[lipsync.MAX_LAG],
            "other_envelope_correlation": self.correlations("other_envelope")[lipsync.MAX_LAG],
            "frechet_random": self.features.distance(truth.features) if truth else None,
        }


# Column of the table -> figure.
_COLUMNS = {
    "SSIM": "ssim",
    "sharpness": "sharpness",
    "flicker": "flicker",
    "motion beside the mouth": "motion_elsewhere",
    "Frechet (random features)": "frechet_random",
    "mouth-sound r": "mouth_sound_correlation",
    "its peak at": "peak_lag",
    "other sound r": "other_sound_correlation",
    "mouth match": "mouth_match",
    "mouth L1": "mouth_l1",
    "opening error": "opening_error",
    "opening r": "opening_correlation",
}


def systems_table(systems):
    """Markdown table of {system's name: figures}; columns that no system has are left out."""
    columns = {
        title: name
        for title, name in _COLUMNS.items()
        if any(figures.get(name) is not None for figures in systems.values())
    }
    lines = ["| system | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]
    for system, figures in systems.items():
        cells = [_cell(figures.get(name)) for name in columns.values()]
        lines.append(f"| {system} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value):
    if value is None:
        return "-"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{round(value, 9):.3g}"  # a distance to itself is rounding's
