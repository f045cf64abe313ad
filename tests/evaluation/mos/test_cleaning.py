"""The cleaning against the sheet that was worked out by hand, its order, and its edges."""

import random
import statistics

import pytest

from nwt_tf.evaluation.mos.cleaning import clean, correlate
from nwt_tf.evaluation.mos.ratings import Rating
from tests.evaluation.mos import sheet


def verdicts(ratings):
    return {verdict.rater: verdict for verdict in clean(ratings)[1]}


def test_the_sheet():
    kept, found = clean(sheet.ratings())
    assert {verdict.rater: verdict.discarded for verdict in found} == sheet.DISCARDED
    for verdict in found:
        assert verdict.correlation == pytest.approx(sheet.CORRELATIONS[verdict.rater], abs=1e-6)
        assert verdict.tasks == 1
    assert {rating.rater for rating in kept} == {"A", "B", "C"}
    assert len(kept) == 12 and {rating.role for rating in kept} == {"sample"}


def test_the_order_of_ratings_changes_nothing():
    ratings = sheet.ratings()
    expected = {name: verdict[2:4] for name, verdict in verdicts(ratings).items()}
    for seed in range(5):
        random.Random(seed).shuffle(ratings)
        for name, verdict in verdicts(ratings).items():
            assert verdict.discarded == expected[name][0]
            assert verdict.correlation == pytest.approx(expected[name][1])


def test_correlations_are_taken_against_those_who_passed_traps_and_gold_clips():
    """With E and F, who agree with D, in the population, D would not be discarded."""
    scores = sheet.SCORES | {"E": (5, 5, 1, 1, 4, 5), "F": (5, 5, 1, 1, 2, 1)}
    found = verdicts(sheet.ratings(scores))
    assert {name: found[name].discarded for name in "DEF"} == {
        "D": "correlation",
        "E": "trap",
        "F": "gold",
    }
    assert found["D"].correlation == pytest.approx(sheet.CORRELATIONS["D"], abs=1e-6)
    everyone = [r for r in sheet.ratings(scores) if r.role == "sample"]
    assert correlate(everyone)["D"] > 0


def test_nobody_is_tested_again_after_the_third_step():
    """D's leaving would change A's correlation: the one that counts is the one before."""
    found = verdicts(sheet.ratings())
    without = correlate(
        [r for r in sheet.ratings() if r.role == "sample" and r.rater in ("A", "B", "C")]
    )
    assert found["A"].correlation != pytest.approx(without["A"])


@pytest.mark.parametrize(("gold", "discarded"), [(1, "gold"), (3, "gold"), (4, ""), (5, "")])
def test_a_gold_clip_at_three_or_below(gold, discarded):
    scores = sheet.SCORES | {"A": (*sheet.SCORES["A"][:5], gold)}
    assert verdicts(sheet.ratings(scores))["A"].discarded == discarded


def test_one_failure_in_any_task_of_any_experiment_discards_all():
    later = [r._replace(task="later") for r in sheet.ratings(experiment="face")]
    later = [r._replace(score=5) if (r.rater, r.role) == ("A", "trap") else r for r in later]
    kept, found = clean(sheet.ratings() + later)
    assert {v.rater: v.discarded for v in found}["A"] == "trap"
    assert "A" not in {rating.rater for rating in kept}
    assert {v.rater: v.tasks for v in found}["B"] == 2


def plain(rows):
    """Appendix E once more, word by word, with the standard library: {rater: discarded}."""
    raters = {row.rater: "" for row in rows}
    for row in rows:
        if row.role == "trap" and row.score != row.expected:
            raters[row.rater] = "trap"
    for row in rows:
        if row.role == "gold" and row.score <= 3 and not raters[row.rater]:
            raters[row.rater] = "gold"
    left = [row for row in rows if row.role == "sample" and not raters[row.rater]]

    negative = []
    for rater in {row.rater for row in left}:
        own, others = {}, {}
        for row in left:
            kept = own if row.rater == rater else others
            kept.setdefault(row.sample, []).append(row.score)
        pairs = [
            (statistics.fmean(own[sample]), statistics.fmean(others[sample]))
            for sample in own.keys() & others.keys()
        ]
        try:
            if statistics.correlation(*zip(*pairs, strict=True)) < -1e-9:
                negative.append(rater)
        except (statistics.StatisticsError, TypeError):
            pass  # fewer than two samples in common, or all scores equal
    return raters | dict.fromkeys(negative, "correlation")


@pytest.mark.parametrize("seed", range(30))
def test_random_sheets_against_the_paper_s_words(seed):
    rng, rows = random.Random(seed), []
    for rater in "ABCDEFGH":
        for task in range(rng.randint(1, 3)):
            for clip in rng.sample("12345678", 5):
                shown = ("sample", rng.choice("XY"), clip, rng.randint(1, 5), 0)
                rows.append((rater, task, *shown))
            asked = rng.randint(1, 5)
            given = asked if rng.random() < 0.9 else 1 + asked % 5
            rows.append((rater, task, "trap", "T", "t", given, asked))
            rows.append((rater, task, "gold", "T", "g", rng.choice((3, 4, 4, 5, 5, 5, 5)), 0))
    rows = [
        Rating("face", rater, "", f"{rater}{task}", role, system, clip, "", score, expected)
        for rater, task, role, system, clip, score, expected in rows
    ]
    found = verdicts(rows)
    expected = plain(rows)
    # An r of exactly 0 may come out as -1e-17: such sheets tell nothing.
    close = {name for name, v in found.items() if v.correlation and abs(v.correlation) < 1e-9}
    assert {n: v.discarded for n, v in found.items() if n not in close} == {
        n: discarded for n, discarded in expected.items() if n not in close
    }
    assert any(expected.values())


def test_undefined_correlations_are_not_negative():
    scores = sheet.SCORES | {"G": (3, 3, 3, 3, 2, 5)}
    verdict = verdicts(sheet.ratings(scores))["G"]
    assert (verdict.discarded, verdict.correlation) == ("", None)
    alone = verdicts([r for r in sheet.ratings() if r.rater == "A"])["A"]
    assert (alone.discarded, alone.correlation) == ("", None)


def test_no_ratings():
    assert clean([]) == ([], [])
