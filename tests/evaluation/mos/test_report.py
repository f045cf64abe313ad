"""Tables and the plot, from the sheet that was worked out by hand."""

import json
import re

import pytest
from PIL import Image

from nwt_tf.evaluation.mos import report
from tests.evaluation.mos import sheet

ORDER = {"overall": ("X", "T"), "face": ("X", "Y", "T")}


@pytest.fixture
def analysis():
    return report.analyse(sheet.ratings(), ORDER)


def renamed(name):
    ratings = [r._replace(system=name) if r.system == "X" else r for r in sheet.ratings()]
    return report.analyse(ratings, {"overall": (name, "T")})


def test_markdown(analysis):
    text = report.markdown(analysis, "T")
    assert "| system | Overall Naturalness |" in text
    assert "| X | **2.333 ± 0.857** |" in text and "| T | 4.667 ± 0.542 |" in text
    assert text.index("| X |") < text.index("| T |")  # the survey's order, the truth last
    assert "Ratings that count: 12, of 3 of 6 raters." in text
    assert "1 for a trap, 1 for a gold clip, 1 for a negative correlation" in text
    assert "| overall | T | X | 2 | 2.333 ± 4.235 | 0.090 | 0.090 |" in text


def test_a_system_that_is_not_in_an_experiment_has_a_dash():
    face = [r._replace(system="Y") if r.system == "X" else r for r in sheet.ratings(None, "face")]
    analysis = report.analyse(sheet.ratings() + face, ORDER)
    lines = report.markdown(analysis, "T").splitlines()
    assert "| X | **2.333 ± 0.857** | – |" in lines
    assert "| Y | – | **2.333 ± 0.857** |" in lines
    assert r"Y & -- & $\boldsymbol{2.333 \pm 0.857}$ \\" in report.latex(analysis, "T")


def test_latex(analysis):
    text = report.latex(analysis, "T")
    assert r"X & $\boldsymbol{2.333 \pm 0.857}$ \\" in text
    assert r"T & $4.667 \pm 0.542$ \\" in text
    assert text.count("{") == text.count("}") and r"\begin{tabular}{lc}" in text


def test_names_are_text_in_every_table():
    name = "50%_a&b|<b>*\\x{"
    analysis = renamed(name)
    assert r"50\%\_a\&b|<b>*\textbackslash{}x\{ &" in report.latex(analysis, "T")
    assert r"| 50%\_a&b\|\<b\>\*\\x\{ |" in report.markdown(analysis, "T")


def test_json(analysis):
    facts = json.loads(json.dumps(report.to_json(analysis), allow_nan=False))
    assert facts["mos"]["overall"]["X"]["mean"] == pytest.approx(14 / 6)
    assert facts["cleaning"] == {
        "raters": 6,
        "trap": 1,
        "gold": 1,
        "correlation": 1,
        "kept": 3,
    }
    assert [row["discarded"] for row in facts["raters"]] == list(sheet.DISCARDED.values())
    assert len(facts["samples"]) == 4 and facts["comparisons"][0]["clips"] == 2


def test_plot(analysis, tmp_path):
    report.plot(tmp_path / "mos.png", analysis, "T")
    with Image.open(tmp_path / "mos.png") as picture:
        assert picture.width > 300 and len(picture.convert("RGB").getcolors(1 << 20)) > 20
    assert [path.name for path in tmp_path.iterdir()] == ["mos.png"]


def test_nothing_to_say():
    with pytest.raises(ValueError, match="no ratings yet"):
        report.analyse([], ORDER)
    bad = [r for r in sheet.ratings() if r.rater == "E"]
    with pytest.raises(ValueError, match="discarded all 1 raters"):
        report.analyse(bad, ORDER)


def test_single_ratings_have_no_interval():
    one = [r for r in sheet.ratings() if r.rater == "A" and r.clip not in ("2",)]
    text = report.markdown(report.analyse(one, ORDER), "T")
    assert re.search(r"^\| X \| \*\*2\.000\*\* \|$", text, re.MULTILINE)
