"""Ratings as Mechanical Turk's and the P.910 crowd-sourcing toolkit's CSV files, both ways.

Files are known by the last part of their addresses, the stimuli's names, so that nothing in such a
file tells raters what they saw.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from nwt_tf.evaluation.mos.ratings import (
    COLUMNS,
    Rating,
    read_csv,
    read_rows,
    score,
    write_rows,
)
from nwt_tf.evaluation.mos.survey import Survey

MTURK = ("HITId", "AssignmentId", "WorkerId", "AssignmentStatus")
MTURK_CODE = "Answer.code"
P910 = ("HITId", "workerid", "file", "short_file_name", "vote")


def write_mturk(path: str | os.PathLike, ratings: Sequence[Rating]) -> None:
    """Writes a batch result: a line for each task, `Answer.qN_url` and `Answer.qN` for each video.

    Args:
        path: CSV file to write.
        ratings: of finished tasks, all roles, tasks in one piece.
    """
    tasks = {}
    for rating in ratings:
        # Servers number their tasks alike, and a HIT has many workers.
        tasks.setdefault((rating.experiment, rating.rater, rating.task), []).append(rating)
    width = max(map(len, tasks.values()), default=0)
    columns = [f"Answer.q{n}{end}" for n in range(width) for end in ("_url", "")]
    rows = []
    for (experiment, _, task), group in tasks.items():
        answers = [value for rating in group for value in (rating.name, rating.score)]
        answers += [""] * (2 * width - len(answers))
        worker = group[0].worker or group[0].rater
        rows.append([task, f"{worker}-{task}", worker, "Submitted", experiment, *answers])
    write_rows(path, [*MTURK, "Input.experiment", *columns], rows)


def write_p910(path: str | os.PathLike, ratings: Sequence[Rating]) -> None:
    """Writes votes in the toolkit's long form (its votes_per_worker.csv), with our conditions.

    `condition` is the system. As there, traps and gold clips are left out.
    """
    rows = [
        [r.task, r.worker or r.rater, r.name, r.name, r.score, r.experiment, r.system, r.clip]
        for r in ratings
        if r.role == "sample"
    ]
    write_rows(path, [*P910, "experiment", "condition", "source"], rows)


def write_p910_inputs(
    folder: str | os.PathLike, survey: Survey, experiment: str, base_url: str
) -> list[Path]:
    """Writes what the toolkit's master script takes, to run an experiment with it instead.

    Args:
        folder: for the four files.
        survey: whose clips.
        experiment: of the survey.
        base_url: where the clips lie, a folder's address.

    Returns:
        rating_clips, training_clips, gold_clips and trapping_clips.csv.
    """
    base, written = base_url.rstrip("/"), []
    for stem, role, columns in (
        ("rating", "sample", ["pvs"]),
        ("training", "training", ["training_pvs"]),
        ("gold", "gold", ["gold_clips_pvs", "gold_clips_ans"]),
        ("trapping", "trap", ["trapping_pvs", "trapping_ans"]),
    ):
        path = Path(folder) / f"{experiment}_{stem}_clips.csv"
        rows = [
            [f"{base}/{stimulus.name}", stimulus.score or 5][: len(columns)]
            for stimulus in survey.select(experiment, role)
        ]
        write_rows(path, columns, rows)
        written.append(path)
    return written


def read(
    path: str | os.PathLike, survey: Survey, codes: Mapping[str, str]
) -> tuple[list[Rating], dict[str, str]]:
    """Reads a CSV file of any kind that this module or write_csv writes, told by its first line.

    Args:
        path: the file.
        survey: whose files were rated.
        codes: {code of a finished task: its rater} of this survey's server.

    Returns:
        Its ratings; and {rater of the server: worker} from the codes that Mechanical Turk's
        workers gave back, where it is a batch of links to the server (column Answer.code).

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file, an unknown clip, a score outside 1 to 5, a doubled
            assignment, another survey's ratings; the message names the line.
    """
    rows = read_rows(path, ())
    columns = set(rows[0][1]) if rows else set()
    if not rows:
        raise ValueError(f"{path}: holds no rows")
    if columns >= set(COLUMNS):
        return read_csv(path, survey), {}
    if {"HITId", "WorkerId", MTURK_CODE} <= columns:
        return [], _read_codes(path, rows, codes)
    if set(MTURK[:3]) <= columns and "Answer.q0_url" in _lower_questions(columns):
        return _read_mturk(path, rows, survey), {}
    if {"HITId", "workerid", "file", "vote"} <= columns:
        return _read_p910(path, rows, survey), {}
    raise ValueError(
        f"{path}: is neither a ratings.csv, nor Mechanical Turk's batch results (HITId, "
        "AssignmentId, WorkerId, Answer.q0_url, Answer.q0 ... or Answer.code), nor P.910 votes "
        "(HITId, workerid, file, vote)"
    )


def _lower_questions(columns) -> set[str]:
    """The toolkit's own server writes Answer.Q0."""
    return {column.replace("Answer.Q", "Answer.q") for column in columns}


def _stimulus(path, line, address, survey):
    name = address.split("?")[0].rsplit("/", 1)[-1]
    if name not in survey.by_name:
        raise ValueError(f"{path}, line {line}: the survey has no clip {name!r}")
    return survey.by_name[name]


def _experiment(path, line, stimulus, named, survey) -> str:
    """The experiment of a rating: as the file says, else the only one that shows the clip."""
    showing = [
        name for name in survey.experiments if named in ("", name) and survey.shows(name, stimulus)
    ]
    if len(showing) != 1:
        raise ValueError(
            f"{path}, line {line}: {stimulus.name} is of {len(showing)} experiments; a column "
            "experiment (Input.experiment) must say which"
        )
    return showing[0]


def _rating(path, line, address, text, worker, task, named, survey) -> Rating:
    shown = _stimulus(path, line, address, survey)
    return Rating(
        _experiment(path, line, shown, named, survey),
        worker,
        worker,
        task,
        shown.role,
        shown.system,
        shown.clip,
        shown.name,
        score(path, line, text),
        shown.score if shown.role == "trap" else 0,
    )


def _read_mturk(path, rows, survey) -> list[Rating]:
    found, assignments = [], set()
    for line, row in rows:
        row = {column.replace("Answer.Q", "Answer.q"): value for column, value in row.items()}
        if row.get("AssignmentStatus") == "Rejected":
            continue
        if row["AssignmentId"] in assignments:
            raise ValueError(f"{path}, line {line}: a second assignment {row['AssignmentId']!r}")
        assignments.add(row["AssignmentId"])
        question = 0
        while f"Answer.q{question}_url" in row:
            address = row[f"Answer.q{question}_url"]
            text = row.get(f"Answer.q{question}", "")
            question += 1
            if not address and not text:
                continue
            rating = _rating(
                path,
                line,
                address,
                text,
                row["WorkerId"],
                row["AssignmentId"],
                row.get("Input.experiment", ""),
                survey,
            )
            if rating.role in ("sample", "trap", "gold"):
                found.append(rating)
    return found


def _read_p910(path, rows, survey) -> list[Rating]:
    return [
        _rating(
            path,
            line,
            row["file"],
            row["vote"],
            row["workerid"],
            row["HITId"],
            row.get("experiment", ""),
            survey,
        )
        for line, row in rows
    ]


def _read_codes(path, rows, codes) -> dict[str, str]:
    """Workers of the server's raters; a code that two workers gave belongs to neither."""
    given = {}
    for line, row in rows:
        code = row[MTURK_CODE].strip().upper()
        if code not in codes:
            print(f"{path}, line {line}: no finished task has the code that this worker gave")
            continue
        given.setdefault(codes[code], set()).add(row["WorkerId"])
    return {rater: workers.pop() for rater, workers in given.items() if len(workers) == 1}
