"""Pay as the appendix prints it: 0.35 a task; 0.40 from ten on; 0.60 above ten in the top fifth."""

import pytest

from nwt_tf.evaluation.mos.bonus import pay
from nwt_tf.evaluation.mos.cleaning import Verdict


def test_rates():
    verdicts = [
        Verdict("best", "W1", "", 0.9, 11),
        Verdict("best but ten", "", "", 0.95, 10),
        Verdict("many", "", "", 0.5, 12),
        Verdict("few", "", "", 0.4, 9),
        *(Verdict(f"other {n}", "", "", 0.1, 1) for n in range(6)),
        Verdict("unknown", "", "", None, 30),
        Verdict("trapped", "", "trap", None, 40),
        Verdict("against", "", "correlation", -0.9, 40),
    ]
    report = {row.rater: row for row in pay(verdicts)}
    rates = {name: (row.rate, row.total, row.bonus) for name, row in report.items()}
    assert rates["best"] == (0.60, 6.60, 2.75)
    assert rates["best but ten"] == (0.40, 4.00, 0.50)
    assert rates["many"] == (0.40, 4.80, 0.60)
    assert rates["few"] == (0.35, 3.15, 0)
    assert rates["unknown"] == (0.40, 12.0, 1.50)
    assert rates["trapped"] == rates["against"] == (0, 0, 0)
    assert [name for name, row in report.items() if row.top] == ["best", "best but ten"]
    assert report["best"].worker == "W1" and report["trapped"].discarded == "trap"


def test_other_amounts_and_nobody():
    (row,) = pay([Verdict("only", "", "", 0.2, 11)], base=1, many=2, best=3)
    assert (row.rate, row.total) == (3, pytest.approx(33))
    assert pay([]) == []
