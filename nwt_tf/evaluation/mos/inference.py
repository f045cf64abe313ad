"""Mean opinion scores, their intervals, and tests between systems."""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from nwt_tf.evaluation.mos.ratings import Rating

CONFIDENCE = 0.95


class Opinion(NamedTuple):
    """A mean with its 95 % interval, mean ± half; half is None for fewer than two scores."""

    mean: float
    half: float | None
    ratings: int


class Comparison(NamedTuple):
    """Two systems in one experiment, clip by clip.

    difference: mean of first − second over the clips that both have.
    half: of its 95 % interval.
    p: of the paired t-test over clips, two-sided; p_holm: corrected for all pairs of the
        experiment (Holm). None for fewer than two clips, or where all differences are equal.
    """

    experiment: str
    first: str
    second: str
    clips: int
    difference: float
    half: float | None
    p: float | None
    p_holm: float | None


def opinion(scores: Sequence[float]) -> Opinion:
    """Mean and interval t(0.975, n − 1) s / √n of scores, taken as independent (Table 1).

    Raises:
        ValueError: no scores.
    """
    from scipy import stats

    if not len(scores):
        raise ValueError("a mean opinion score needs at least one rating")
    scores = np.asarray(scores, np.float64)
    if len(scores) < 2:
        return Opinion(float(scores[0]), None, 1)
    quantile = stats.t.ppf(0.5 + CONFIDENCE / 2, len(scores) - 1)
    half = quantile * scores.std(ddof=1) / np.sqrt(len(scores))
    return Opinion(float(scores.mean()), float(half), len(scores))


def opinions(ratings: Iterable[Rating]) -> dict[str, dict[str, Opinion]]:
    """{experiment: {system: its opinion}} over all ratings of a system's samples."""
    scores = {}
    for rating in ratings:
        scores.setdefault(rating.experiment, {}).setdefault(rating.system, []).append(rating.score)
    return {
        experiment: {system: opinion(values) for system, values in systems.items()}
        for experiment, systems in scores.items()
    }


def clip_means(ratings: Iterable[Rating]) -> dict[tuple[str, str, str], Opinion]:
    """{(experiment, system, clip): its opinion}."""
    scores = {}
    for rating in ratings:
        scores.setdefault(rating.sample, []).append(rating.score)
    return {sample: opinion(values) for sample, values in scores.items()}


def comparisons(ratings: Iterable[Rating], experiment: str) -> list[Comparison]:
    """Every pair of an experiment's systems, tested on the means of the clips that both have.

    Clips, not ratings, are the units: ratings of one clip are not independent.
    """
    from scipy import stats

    means = {}
    for (name, system, clip), value in clip_means(ratings).items():
        if name == experiment:
            means.setdefault(system, {})[clip] = value.mean
    pairs = []
    for first, second in combinations(sorted(means), 2):
        shared = sorted(means[first].keys() & means[second].keys())
        differences = np.array([means[first][clip] - means[second][clip] for clip in shared])
        if not len(differences):
            continue
        p = None
        if len(differences) > 1 and np.ptp(differences) > 1e-12:
            p = float(stats.ttest_1samp(differences, 0.0).pvalue)
        value = opinion(differences)
        pairs.append(
            Comparison(experiment, first, second, len(shared), value.mean, value.half, p, None)
        )
    corrected = holm([pair.p for pair in pairs if pair.p is not None])
    return [pair if pair.p is None else pair._replace(p_holm=corrected.pop(0)) for pair in pairs]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction, in the order given."""
    corrected, highest = [0.0] * len(p_values), 0.0
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = highest
    return corrected
