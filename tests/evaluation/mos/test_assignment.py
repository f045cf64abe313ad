"""Sections: random, balanced, and as Appendix E counts them."""

import collections
import random

from nwt_tf.evaluation.mos import assignment
from tests.evaluation.mos.small_survey import make_survey

SURVEY = make_survey()


def test_a_setup_has_three_shifts_and_one_noise():
    seen, noise_at = set(), collections.Counter()
    for seed in range(200):
        items = assignment.setup(SURVEY.select("overall", "setup"), random.Random(seed))
        pairs = [(SURVEY.by_name[i.first], SURVEY.by_name[i.second], i.expected) for i in items]
        kinds = [first.pair.split()[0] for first, _, _ in pairs]
        assert sorted(kinds) == ["noise", "shift", "shift", "shift"]
        assert len({first.clip for first, _, _ in pairs}) == 4
        for first, second, expected in pairs:
            assert first.pair == second.pair
            assert (first.better, second.better) == ((True, False), (False, True))[expected - 1]
        noise_at[kinds.index("noise")] += 1
        seen.add(tuple(item.expected for item in items))
    assert len(seen) == 16 and min(noise_at.values()) > 25


def test_a_training_shows_the_range():
    for seed in range(20):
        items = assignment.training(SURVEY.select("overall", "training"), random.Random(seed))
        systems = collections.Counter(SURVEY.by_name[item.first].system for item in items)
        assert systems == {"bad": 2, "fair": 2, "ground_truth": 2}


def test_a_task_is_ten_samples_a_trap_and_a_gold_clip():
    rng, places, scores = random.Random(0), collections.Counter(), collections.Counter()
    for _ in range(600):
        rated = assignment.samples(SURVEY.select("overall", "sample"), {}, (), 3, rng)
        traps, golds = SURVEY.select("overall", "trap"), SURVEY.select("overall", "gold")
        items = assignment.task(rated, traps, golds, rng)
        roles = [SURVEY.by_name[item.first].role for item in items]
        assert collections.Counter(roles) == {"sample": 10, "trap": 1, "gold": 1}
        trap = items[roles.index("trap")]
        assert trap.expected == SURVEY.by_name[trap.first].score
        places[roles.index("trap")] += 1
        scores[trap.expected] += 1
    assert len(places) == 12 and min(places.values()) > 20
    assert len(scores) == 5 and min(scores.values()) > 60


def test_samples_are_balanced_over_samples_systems_and_clips():
    rng, counts = random.Random(0), collections.Counter()
    stimuli = SURVEY.select("overall", "sample")
    for _ in range(30):  # 300 ratings of 30 samples
        items = assignment.samples(stimuli, counts, (), 10, rng)
        counts.update(item.first for item in items)
        assert max(counts.values()) - min(counts[s.name] for s in stimuli) <= 1
    assert set(counts.values()) == {10}
    first = assignment.samples(stimuli, {}, (), 10, random.Random(1))
    shown = [SURVEY.by_name[item.first] for item in first]
    assert len({s.clip for s in shown}) == 10
    assert max(collections.Counter(s.system for s in shown).values()) <= 5


def test_nobody_gets_a_sample_twice_and_all_is_done_at_the_target():
    rng, stimuli = random.Random(0), SURVEY.select("overall", "sample")
    seen = set()
    for _ in range(3):
        names = {item.first for item in assignment.samples(stimuli, {}, seen, 3, rng)}
        assert len(names) == 10 and not names & seen
        seen |= names
    assert assignment.samples(stimuli, {}, seen, 3, rng) == []
    enough = {s.name: 3 for s in stimuli}
    assert assignment.samples(stimuli, enough, (), 3, rng) == []
    enough[stimuli[7].name] = 2
    items = assignment.samples(stimuli, enough, (), 3, rng)
    assert len(items) == 10 and items[0].first == stimuli[7].name
