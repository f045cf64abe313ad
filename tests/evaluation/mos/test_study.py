"""A rater's way: qualification, setup, training, rating; what is kept, and what is refused."""

import sqlite3

import pytest

from nwt_tf.evaluation.mos.store import Store
from nwt_tf.evaluation.mos.study import Refused
from tests.evaluation.mos.small_survey import (
    HUMAN,
    SYSTEMS,
    Clock,
    join,
    make_study,
    make_survey,
    right_answer,
    take,
)

TOKEN = "ab" * 16


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def study(tmp_path, clock):
    study = make_study(tmp_path, clock=clock)
    yield study
    study.store.close()


@pytest.mark.parametrize(
    "change",
    [
        {"language": "German"},
        {"devices": ["loudspeaker", "built_in"]},
        {"devices": []},
        {"hearing": "hearing_aid_helps"},
    ],
)
def test_who_does_not_qualify_leaves_nothing(study, change):
    assert not study.join(TOKEN, **HUMAN | change)
    assert study.store.raters() == [] and study.store.rater(TOKEN) is None


def test_joining_twice_is_joining_once_and_experiments_fill_evenly(study):
    for _ in range(2):
        first = join(study, TOKEN)
    assert len(study.store.raters()) == 1
    assert join(study, "cd" * 16)["experiment"] != first["experiment"]
    assert join(study, "ef" * 16, experiment="lipsync")["experiment"] == "lipsync"
    with pytest.raises(Refused):
        study.join("12" * 16, **HUMAN, experiment="face")


def test_the_whole_way(study, clock):
    rater = join(study, experiment="overall")
    due = study.next(rater)
    assert due["step"] == "setup" and [len(item["videos"]) for item in due["items"]] == [2] * 4
    assert study.next(rater) == due  # nothing is drawn again
    assert take(study, rater) == {"kind": "setup", "passed": True, "right": 4}
    due = study.next(rater)
    assert due["step"] == "training" and len(due["items"]) == 6
    take(study, rater)
    due = study.next(rater)
    assert due["step"] == "rating" and len(due["items"]) == 12
    assert set(due["items"][0]) == {"videos", "answer"}  # nothing tells traps
    assert study.store.ratings() == []  # training does not count, nor does half a task
    result = take(study, rater)
    assert result["passed"] and len(result["code"]) == 10
    ratings = study.store.ratings()
    assert [row["position"] for row in ratings] == list(range(12))
    assert {row["experiment"] for row in ratings} == {"overall"}
    assert study.next(rater)["tasks"] == 1
    assert take(study, rater)["code"] != result["code"]
    assert take(study, rater)["kind"] == "rating"
    assert study.next(rater)["step"] == "done"  # 30 samples rated


@pytest.mark.parametrize(("wrong", "passed"), [(0, True), (1, True), (2, False), (4, False)])
def test_three_of_four_pairs_must_be_right(study, clock, wrong, passed):
    rater = join(study)
    due = study.next(rater)
    for position, item in enumerate(due["items"]):
        right = right_answer(study.survey, item["videos"])
        study.answer(rater, due["section"], position, 3 - right if position < wrong else right)
    result = study.finish(rater, due["section"])
    assert (result["right"], result["passed"]) == (4 - wrong, passed)
    following = study.next(rater)
    if passed:
        assert following["step"] == "training"
        return
    assert following["step"] == "wait" and following["seconds"] == 30 * 60
    clock.now += 30 * 60 - 1
    assert study.next(rater)["step"] == "wait"
    clock.now += 1
    again = study.next(rater)
    assert again["step"] == "setup" and again["section"] != due["section"]


def test_setup_every_half_hour_and_training_every_hour(study, clock):
    rater = join(study, experiment="overall")
    take(study, rater)
    take(study, rater)
    clock.now += 29 * 60
    assert take(study, rater)["kind"] == "rating"
    clock.now += 60
    assert take(study, rater)["kind"] == "setup"
    assert study.next(rater)["step"] == "rating"
    clock.now += 29 * 60
    assert study.next(rater)["step"] == "rating"
    clock.now += 60
    assert take(study, rater)["kind"] == "setup"
    assert take(study, rater)["kind"] == "training"
    assert study.next(rater)["step"] == "rating"


def test_a_task_that_was_left_is_resumed_after_a_new_setup(study, clock):
    rater = join(study)
    take(study, rater)
    take(study, rater)
    due = study.next(rater)
    study.answer(rater, due["section"], 0, 4)
    clock.now += 29 * 60  # the setup is 29 minutes old: the task goes on
    study.answer(rater, due["section"], 1, 2)
    clock.now += 2 * 60
    assert study.next(rater)["section"] == due["section"]
    clock.now += 3 * 60 * 60
    assert take(study, rater)["kind"] == "setup"
    assert take(study, rater)["kind"] == "training"
    back = study.next(rater)
    assert back["section"] == due["section"]
    assert [item["answer"] for item in back["items"][:3]] == [4, 2, None]


def test_clicks(study):
    rater, other = join(study), join(study, "cd" * 16)
    take(study, rater)
    take(study, rater)
    due = study.next(rater)
    section = due["section"]
    for value in (3, 5, 5, 2):  # changed, and sent twice
        study.answer(rater, section, 0, value)
    assert study.next(rater)["items"][0]["answer"] == 2
    for refused in (0, 6, -1):
        with pytest.raises(Refused, match="no such answer"):
            study.answer(rater, section, 0, refused)
    for position in (12, 99):
        with pytest.raises(Refused, match="no such question"):
            study.answer(rater, section, position, 3)
    for number in (section + 1, 0):
        with pytest.raises(Refused, match="not open"):
            study.answer(rater, number, 0, 3)
    with pytest.raises(Refused, match="not open"):
        study.answer(other, section, 0, 3)  # somebody else's
    with pytest.raises(Refused, match="no such part"):
        study.finish(other, section)
    with pytest.raises(Refused, match="not answered yet"):
        study.finish(rater, section)
    result = take(study, rater)
    assert study.finish(rater, section) == result
    with pytest.raises(Refused, match="not open"):
        study.answer(rater, section, 0, 1)
    assert len(study.store.ratings()) == 12


def test_tasks_under_way_count_until_they_are_abandoned(tmp_path, clock):
    survey = make_survey(raters=1, experiments={"overall": ("bad", "fair", "ground_truth")})
    study = make_study(tmp_path, survey, clock)
    raters = [join(study, f"{n:032x}") for n in range(4)]
    shown = []
    for rater in raters[:3]:
        take(study, rater)
        take(study, rater)
        due = study.next(rater)
        shown += [item["videos"][0] for item in due["items"]]
    samples = [name for name in shown if survey.by_name[name].role == "sample"]
    assert len(samples) == len(set(samples)) == 30
    assert study.next(raters[3])["step"] == "done"
    clock.now += 61 * 60
    take(study, raters[3])
    take(study, raters[3])
    assert study.next(raters[3])["step"] == "rating"


def test_experiments_that_show_the_same_files_have_quotas_of_their_own(tmp_path):
    names = ("overall", "face", "lipsync")  # face and lipsync are the same upper views
    study = make_study(tmp_path, make_survey(raters=1, experiments=dict.fromkeys(names, SYSTEMS)))
    for number in range(9):  # three tasks of ten are the 30 samples of an experiment
        rater = join(study, f"{number:032x}")
        for _ in range(3):
            take(study, rater)
    found = [tuple(facts.values()) for facts in study.progress()["experiments"]]
    #                  raters, samples, ratings, fewest, most, done
    assert found == [(name, 3, 30, 30, 1, 1, 30) for name in names]
    assert study.next(join(study, "ff" * 16))["step"] == "done"


def test_raters_go_where_ratings_are_missing_and_nobody_is_checked_for_nothing(tmp_path, clock):
    study = make_study(tmp_path, make_survey(raters=1), clock)
    waiting = join(study, "fe" * 16, experiment="lipsync")
    assert study.next(waiting)["step"] == "setup"
    first = join(study, "ff" * 16, experiment="lipsync")
    for _ in range(4):  # both tasks of lipsync
        take(study, first)
    clock.now += 2 * 60 * 60
    for rater in (first, waiting, join(study, "fd" * 16, experiment="lipsync")):
        assert study.next(rater)["step"] == "done"
    for number in range(4):  # more than lipsync has
        rater = join(study, f"{number:032x}")
        if number < 3:
            assert rater["experiment"] == "overall"
            for _ in range(3):
                take(study, rater)
    assert study.next(rater)["step"] == "done" and study.store.sections(rater["id"]) == []


def test_what_is_stored_can_be_seen_and_erased(study, tmp_path):
    rater, other = join(study, worker="WORKER7"), join(study, "cd" * 16)
    take(study, rater)
    take(study, other)
    stored = study.stored(rater)
    assert stored["worker"] == "WORKER7" and stored["rater"] == rater["id"]
    assert [part["part"] for part in stored["parts"]] == ["setup"]
    assert len(stored["parts"][0]["answers"]) == 4
    assert TOKEN not in str([tuple(row) for row in study.store.raters()])
    assert study.store.erase(rater["id"]) and not study.store.erase(rater["id"])
    assert study.store.rater(TOKEN) is None
    assert [row["id"] for row in study.store.raters()] == [other["id"]]
    assert len(study.stored(other)["parts"][0]["answers"]) == 4
    study.store.close()
    content = b"".join(path.read_bytes() for path in tmp_path.glob("answers.sqlite*"))
    assert rater["id"].encode() not in content and b"WORKER7" not in content
    assert other["id"].encode() in content


def test_answers_survive_and_belong_to_one_survey(tmp_path, clock):
    study = make_study(tmp_path, clock=clock)
    rater = join(study)
    due = study.next(rater)
    study.answer(rater, due["section"], 0, 1)
    again = make_study(tmp_path, clock=clock)  # the first one was never closed
    assert again.next(again.store.rater(TOKEN))["items"][0]["answer"] == 1
    with pytest.raises(ValueError, match="answers to another survey"):
        Store(tmp_path / "answers.sqlite", "0123456789abcdef")
    (tmp_path / "text").write_text("no database, but long enough to be looked at" * 20)
    with pytest.raises(ValueError, match="is no database of answers"):
        Store(tmp_path / "text", "0123456789abcdef")


def test_a_failed_transaction_leaves_nothing(study):
    rater = join(study)
    with pytest.raises(sqlite3.IntegrityError):
        study.store.add_section(rater["id"], "setup", [("a", "", None)], "", 0.0)
    assert study.store.sections(rater["id"]) == []


def test_progress(study):
    rater = join(study, experiment="lipsync", worker="W1")
    for _ in range(3):
        take(study, rater)
    progress = study.progress()
    overall, lipsync = progress["experiments"]
    assert (lipsync["name"], lipsync["raters"], lipsync["ratings"]) == ("lipsync", 1, 10)
    assert (lipsync["samples"], lipsync["fewest"], lipsync["most"]) == (20, 0, 1)
    assert overall["ratings"] == 0 and progress["target"] == 3
    assert [(row["worker"], row["tasks"]) for row in progress["raters"]] == [("W1", 1)]
    assert study.next(rater)["step"] == "rating"  # a task under way counts when it is finished
    assert study.progress() == progress
