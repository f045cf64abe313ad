"""What raters earn (Appendix E): a base for each task, more for many, most for many and good."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from nwt_tf.evaluation.mos.cleaning import Verdict

MANY_TASKS = 10
TOP_SHARE = 0.2


class Pay(NamedTuple):
    """A rater's pay: `rate` a task, `total` for all; `bonus` is what of it exceeds the base."""

    rater: str
    worker: str
    tasks: int
    correlation: float | None
    top: bool
    discarded: str
    rate: float
    total: float
    bonus: float


def pay(
    verdicts: Sequence[Verdict], base: float = 0.35, many: float = 0.40, best: float = 0.60
) -> list[Pay]:
    """The bonus report.

    `many` a task for 10 tasks or more; `best` a task for more than 10 with a correlation among the
    highest 20 % of the raters who count. Discarded raters get no bonus and are listed with a total
    of 0: whether their base is paid nevertheless is the researcher's decision.

    Args:
        verdicts: of the cleaning.
        base, many, best: for a task, in the currency that was promised.
    """
    known = [v.correlation for v in verdicts if not v.discarded and v.correlation is not None]
    places = math.ceil(TOP_SHARE * len(known))
    limit = sorted(known, reverse=True)[places - 1] if places else math.inf
    report = []
    for verdict in verdicts:
        counts = not verdict.discarded
        top = counts and verdict.correlation is not None and verdict.correlation >= limit
        rate = best if top and verdict.tasks > MANY_TASKS else base
        if rate == base and verdict.tasks >= MANY_TASKS:
            rate = many
        rate = rate if counts else 0.0
        report.append(
            Pay(
                verdict.rater,
                verdict.worker,
                verdict.tasks,
                verdict.correlation,
                top,
                verdict.discarded,
                rate,
                round(rate * verdict.tasks, 2),
                round(max(0.0, rate - base) * verdict.tasks, 2),
            )
        )
    return report
