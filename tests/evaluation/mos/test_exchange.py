"""Files of Mechanical Turk and of the P.910 toolkit: there and back, and broken ones."""

import csv

import pytest

from nwt_tf.evaluation.mos import exchange, ratings
from tests.evaluation.mos.small_survey import join, make_study, make_survey, take

SURVEY = make_survey()


@pytest.fixture
def found(tmp_path):
    """Ratings of two raters of the server, one of them with a worker number."""
    study = make_study(tmp_path, SURVEY)
    for token, worker, experiment in (("ab" * 16, "W1", "overall"), ("cd" * 16, "", "lipsync")):
        rater = join(study, token, worker=worker, experiment=experiment)
        for _ in range(3):
            take(study, rater, opinion=lambda s: {"bad": 1, "fair": 4}.get(s.system, 5))
    rows = ratings.from_store(study.store, SURVEY)
    codes = study.store.codes()
    study.store.close()
    return rows, codes


def lines(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def read(path, codes=None):
    return exchange.read(path, SURVEY, codes or {})


def test_tasks_of_one_number_stay_their_raters_own(found, tmp_path):
    """Another server numbers its tasks alike, and a HIT has many workers."""
    rows, _ = found
    first, *_, last = (row for row in rows if row.role == "sample")
    pair = [first._replace(task="3", rater="rA"), last._replace(task="3", rater="rB")]
    pair = [row._replace(experiment=first.experiment, worker="") for row in pair]
    exchange.write_mturk(tmp_path / "mturk_results.csv", pair)
    header, *answers = lines(tmp_path / "mturk_results.csv")
    assert [row[header.index("WorkerId")] for row in answers] == ["rA", "rB"]


def test_ratings_csv_there_and_back(found, tmp_path):
    rows, _ = found
    ratings.write_csv(tmp_path / "ratings.csv", rows)
    assert read(tmp_path / "ratings.csv") == (rows, {})
    assert len(rows) == 24


@pytest.mark.parametrize(
    "change",
    [
        {"name": "f" * 20 + ".mp4"},
        {"experiment": "face"},
        {"experiment": "lipsync"},  # of the survey, but it shows the upper views alone
        {"role": "gold"},
        {"system": "other"},
        {"clip": "e9/z"},
        {"expected": "two"},
        {"expected": "4"},
    ],
)
def test_a_ratings_csv_of_another_survey_is_refused(found, tmp_path, change):
    rows, _ = found
    first = next(row for row in rows if row.role == "sample")
    ratings.write_csv(tmp_path / "ratings.csv", [first, first._replace(**change)])
    with pytest.raises(ValueError, match="ratings.csv, line 3: is no rating of this survey"):
        read(tmp_path / "ratings.csv")


def test_mechanical_turk_there_and_back(found, tmp_path):
    rows, _ = found
    path = tmp_path / "batch.csv"
    exchange.write_mturk(path, rows)
    header, *tasks = lines(path)
    assert header[:7] == [
        *("HITId", "AssignmentId", "WorkerId", "AssignmentStatus"),
        *("Input.experiment", "Answer.q0_url", "Answer.q0"),
    ]
    assert len(tasks) == 2 and len(header) == 5 + 24
    back, workers = read(path)
    assert workers == {}
    same = [(r.experiment, r.role, r.system, r.clip, r.score, r.expected) for r in rows]
    assert [(r.experiment, r.role, r.system, r.clip, r.score, r.expected) for r in back] == same
    assert [r.rater for r in back] == [r.worker or r.rater for r in rows]


def test_p910_votes_there_and_back(found, tmp_path):
    rows, _ = found
    path = tmp_path / "votes.csv"
    exchange.write_p910(path, rows)
    assert lines(path)[0][:5] == ["HITId", "workerid", "file", "short_file_name", "vote"]
    back, _ = read(path)
    samples = [r for r in rows if r.role == "sample"]
    assert [r.sample + (r.score,) for r in back] == [r.sample + (r.score,) for r in samples]


def test_the_toolkits_own_files(tmp_path):
    """Its server writes Answer.Q0, whole addresses and numbers with a point."""
    names = [s.name for s in SURVEY.select("overall", "sample")][:2]
    path = tmp_path / "toolkit.csv"
    path.write_text(
        "HITId,AssignmentId,WorkerId,AssignmentStatus,Answer.Q0_url,Answer.Q0,Answer.Q1_url,"
        "Answer.Q1\n"
        f"H,A1,W,Submitted,https://x.example/a/{names[0]}?sig=1,4.0,https://x/{names[1]},2\n"
        f"H,A2,V,Rejected,https://x.example/a/{names[0]},1,https://x/{names[1]},1\n"
    )
    back, _ = read(path)
    assert [(r.rater, r.name, r.score) for r in back] == [("W", names[0], 4), ("W", names[1], 2)]


def test_codes_tell_workers(found, tmp_path):
    rows, codes = found
    (first, rater), (second, other) = codes.items()
    path = tmp_path / "links.csv"
    head = "HITId,AssignmentId,WorkerId,Answer.code\n"
    path.write_text(head + f"H,A1,AMAZON1,{first.lower()} \nH,A2,AMAZON2,WRONG\n")
    assert read(path, codes) == ([], {rater: "AMAZON1"})
    path.write_text(head + f"H,A1,X,{first}\nH,A2,Y,{first}\nH,A3,Z,{second}\n")
    assert read(path, codes)[1] == {other: "Z"}


def test_lists_for_the_toolkit(tmp_path):
    paths = exchange.write_p910_inputs(tmp_path, SURVEY, "overall", "https://x.example/clips/")
    rating, training, gold, trapping = (lines(path) for path in paths)
    assert rating[0] == ["pvs"] and len(rating) == 31
    assert rating[1][0].startswith("https://x.example/clips/")
    assert training[0] == ["training_pvs"] and len(training) == 10
    assert gold[0] == ["gold_clips_pvs", "gold_clips_ans"] and gold[1][1] == "5"
    assert trapping[0] == ["trapping_pvs", "trapping_ans"]
    assert {row[1] for row in trapping[1:]} == set("12345")


NAME = SURVEY.select("overall", "sample")[0].name
UPPER = SURVEY.select("lipsync", "sample")[0].name
VOTES = "HITId,workerid,file,vote\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no rows"),
        ("a,b\n1,2\n", "is neither a ratings.csv"),
        (VOTES + "H,W,other.mp4,3\n", "line 2: the survey has no clip 'other.mp4'"),
        (VOTES + f"H,W,{NAME},3\nH,W,{NAME},6\n", "line 3: the score '6' is not 1, 2, 3, 4 or 5"),
        (VOTES + f"H,W,{NAME},3.5\n", "the score '3.5'"),
        (VOTES + f"H,W,{NAME},nan\n", "the score 'nan'"),
        (VOTES + f"H,W,{NAME},\n", "the score ''"),
        (VOTES + f"H,W,{NAME},3,4,5\n", "line 2: has more fields"),
        (
            "HITId,workerid,file,vote,experiment\n" + f"H,W,{UPPER},3,overall\n",
            "is of 0 experiments",
        ),
        (
            "HITId,AssignmentId,WorkerId,Answer.q0_url,Answer.q0\n" + 2 * f"H,A,W,{NAME},3\n",
            "line 3: a second assignment 'A'",
        ),
    ],
)
def test_broken_files(tmp_path, text, words):
    path = tmp_path / "broken.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        read(path)


def test_files_that_are_no_csv(tmp_path):
    path = tmp_path / "binary.csv"
    path.write_bytes(b"\xff\xfe\x00HITId")
    with pytest.raises(ValueError, match="is no CSV"):
        read(path)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.csv")
