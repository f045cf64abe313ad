"""Which clips a survey shows: Appendix E's numbers, and what is refused."""

import collections

import pytest

from nwt_tf.evaluation.mos import survey as surveys
from nwt_tf.evaluation.mos.plan import choose_clips, episode_of, plan
from tests.evaluation.mos.small_survey import EXPERIMENTS, GOLD, SYSTEMS, make_survey, sources

SCORES = (1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("clip", "episode"),
    [
        ("episode_03/clip_0007", "episode_03"),
        ("show/episode_03/a", "show/episode_03"),
        ("episode_03_0007", "episode_03"),
        ("monday-12", "monday"),
        ("interview", "interview"),
        ("0012", "0012"),
    ],
)
def test_episodes_of_clips(clip, episode):
    assert episode_of(clip) == episode


def test_fifty_clips_of_fifty_episodes():
    names = [f"e{e}/c{c}" for e in range(60) for c in range(4)]
    chosen = choose_clips(names, 50, seed=1)
    assert len({name.split("/")[0] for name in chosen}) == 50
    assert chosen == choose_clips(reversed(names), 50, seed=1)
    assert chosen != choose_clips(names, 50, seed=2)
    assert len({name.split("/")[1] for name in chosen}) > 1


def test_roles_and_views():
    survey = make_survey()
    for experiment, systems in EXPERIMENTS.items():
        view, keep = ("full", 1.0) if experiment == "overall" else ("upper", 0.5)
        samples = survey.select(experiment, "sample")
        assert {(s.view, s.keep) for s in samples} == {(view, keep)}
        by_system = collections.Counter(s.system for s in samples)
        assert by_system == dict.fromkeys(systems, 10)
        assert len({episode_of(s.clip) for s in samples}) == 10
        assert {s.score for s in survey.select(experiment, "trap")} == set(SCORES)
        golds = survey.select(experiment, "gold")
        assert [(s.clip, s.system) for s in golds] == [(GOLD, "ground_truth")]
        training = collections.Counter(s.system for s in survey.select(experiment, "training"))
        assert training == dict.fromkeys(systems, 3)
    overall, lipsync = (
        {s.clip for s in survey.select(name, "sample")} for name in ("overall", "lipsync")
    )
    assert overall == lipsync and GOLD not in overall
    rest = {s.clip for s in survey.stimuli if s.role in ("training", "setup")}
    assert not rest & (overall | {GOLD})
    assert {s.system for s in survey.select("overall", "trap")} > {"ground_truth"}


def test_setup_pairs():
    pairs = collections.defaultdict(list)
    for stimulus in make_survey().select("overall", "setup"):
        pairs[stimulus.pair].append(stimulus)
    kinds = collections.Counter(name.split()[0] for name in pairs)
    assert kinds == {"shift": 8, "noise": 8}
    for name, (one, other) in pairs.items():
        assert one.clip == other.clip and one.system == other.system == "ground_truth"
        better, worse = (one, other) if one.better else (other, one)
        assert better.better and not worse.better
        if name.startswith("shift"):
            assert abs(better.shift) < 0.045 < 0.3 < abs(worse.shift)
            assert better.noise == worse.noise == 0
        else:
            assert better.noise == 0 < worse.noise and better.shift == worse.shift == 0


def test_names_tell_nothing_and_change_with_the_files():
    survey = make_survey()
    names = [s.name for s in survey.stimuli]
    assert len(set(names)) == len(names)
    assert {len(name) for name in names} == {24}
    assert not any(word in name for name in names for word in (*SYSTEMS, "trap", "gold"))
    changed = sources()
    changed["bad"] = {clip: f"{old} again" for clip, old in changed["bad"].items()}
    other = plan(changed, EXPERIMENTS, "ground_truth", [GOLD], SCORES, 10, seed=0)
    same = {s.name for s in other} & set(names)
    assert {survey.by_name[name].system for name in same} == {"fair", "ground_truth"}


def test_a_gold_clip_that_is_named_twice_counts_once():
    twice = plan(sources(), EXPERIMENTS, "ground_truth", [GOLD, GOLD], SCORES, 10, seed=0)
    assert twice == list(make_survey().stimuli)


def test_rated_clips_serve_again_where_there_are_no_others():
    few = sources(episodes=6, clips=1)
    stimuli = plan(few, EXPERIMENTS, "ground_truth", ["episode_00/clip_0"], SCORES, 5, seed=0)
    setup = [s for s in stimuli if s.role == "setup" and s.view == "full"]
    assert len({s.pair for s in setup}) == 16 and len({s.clip for s in setup}) == 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_clips": 50}, "--clips=50 needs as many episodes.* 12 in common"),
        ({"gold": ["nothing"]}, "--gold=nothing: ground_truth has no such clip"),
        ({"gold": []}, "--gold must name at least one clip"),
        ({"scores": ()}, "at least one trap"),
        ({"num_clips": 3}, "overall has 9 samples; a task takes 10"),
    ],
)
def test_what_is_refused(change, words):
    arguments = {"gold": [GOLD], "scores": SCORES, "num_clips": 10, "seed": 0} | change
    with pytest.raises(ValueError, match=words):
        plan(sources(), EXPERIMENTS, "ground_truth", **arguments)


def test_a_survey_is_read_as_it_was_written(tmp_path):
    survey = make_survey(title="Ü <b>&</b>")
    survey.save(tmp_path)
    assert surveys.load(tmp_path) == survey
    path = tmp_path / "survey.json"
    whole = path.read_text()
    for damage in (whole[:100], "{}", "[]", whole.replace('"version": 1', '"version": 2')):
        path.write_text(damage)
        with pytest.raises(ValueError, match="survey.json: is damaged"):
            surveys.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="--action=build"):
        surveys.load(tmp_path / "none")
