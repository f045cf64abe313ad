"""Which raters count (Appendix E, after CrowdMOS): traps, then gold clips, then correlation."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nwt_tf.evaluation.mos.protocol import GOLD_LIMIT
from nwt_tf.evaluation.mos.ratings import Rating


class Verdict(NamedTuple):
    """What the cleaning says about a rater.

    discarded: "" for those who count, else the first step that they failed: "trap", "gold" or
        "correlation".
    correlation: Pearson's r with the other remaining raters; None for those who were discarded
        before, and where it is undefined (fewer than two samples in common, or all scores equal).
    tasks: that they finished.
    """

    rater: str
    worker: str
    discarded: str
    correlation: float | None
    tasks: int


def clean(ratings: Sequence[Rating]) -> tuple[list[Rating], list[Verdict]]:
    """Discards raters in the paper's order.

    1. Everyone who once gave a trap another score than its voice asked for.
    2. Of the others, everyone who once rated a gold clip 3 or below.
    3. Of the others, everyone whose scores correlate negatively (Pearson, over samples) with the
       mean scores that the other remaining raters gave to those samples. All correlations are
       taken against the raters who passed 1 and 2; nobody is tested again after others left. An
       undefined correlation is not negative: the rater counts.

    All ratings of a discarded rater are discarded, in every experiment.

    Args:
        ratings: of finished tasks, all roles.

    Returns:
        The ratings of samples that count, and a verdict for each rater, in the order of their
        first ratings.
    """
    of = {}
    for rating in ratings:
        of.setdefault(rating.rater, []).append(rating)
    discarded = {}
    for rater, theirs in of.items():
        if any(r.role == "trap" and r.score != r.expected for r in theirs):
            discarded[rater] = "trap"
    for rater, theirs in of.items():
        if rater not in discarded and any(
            r.role == "gold" and r.score <= GOLD_LIMIT for r in theirs
        ):
            discarded[rater] = "gold"
    remaining = [r for r in ratings if r.role == "sample" and r.rater not in discarded]
    correlations = correlate(remaining)
    for rater, correlation in correlations.items():
        if correlation is not None and correlation < 0:
            discarded[rater] = "correlation"
    verdicts = [
        Verdict(
            rater,
            next((r.worker for r in theirs if r.worker), ""),
            discarded.get(rater, ""),
            correlations.get(rater),
            len({(r.experiment, r.task) for r in theirs}),
        )
        for rater, theirs in of.items()
    ]
    return [r for r in remaining if r.rater not in discarded], verdicts


def correlate(ratings: Sequence[Rating]) -> dict[str, float | None]:
    """Pearson's r of each rater with the mean of all others, over the samples they share.

    Args:
        ratings: of samples. A rater's several scores of one sample are averaged.

    Returns:
        {rater: r in [-1, 1], None where it is undefined}.
    """
    total, count, of = {}, {}, {}
    for rating in ratings:
        total[rating.sample] = total.get(rating.sample, 0) + rating.score
        count[rating.sample] = count.get(rating.sample, 0) + 1
        of.setdefault(rating.rater, {}).setdefault(rating.sample, []).append(rating.score)
    correlations = {}
    for rater, theirs in of.items():
        own, others = [], []
        for sample, scores in theirs.items():
            if count[sample] > len(scores):
                own.append(np.mean(scores))
                rest = count[sample] - len(scores)
                others.append((total[sample] - sum(scores)) / rest)
        correlations[rater] = _pearson(np.array(own), np.array(others))
    return correlations


def _pearson(x: np.ndarray, y: np.ndarray) -> float | None:
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) < 1e-12:
        return None
    return float(np.corrcoef(x, y)[0, 1])
