"""Ratings as rows: from the answers' database, and as CSV."""

import csv
import os
from collections.abc import Iterable
from typing import NamedTuple

from nwt_tf.evaluation.mos.protocol import SCORES
from nwt_tf.evaluation.mos.store import Store
from nwt_tf.evaluation.mos.survey import Survey
from nwt_tf.files import whole


class Rating(NamedTuple):
    """One rating of a finished task.

    experiment: of the survey.
    rater: who; `worker` is their number at a crowd-working site, or "".
    task: that it belongs to (HIT).
    role: "sample", "trap" or "gold".
    system, clip: what was shown; name: the file.
    score: 1 to 5.
    expected: of a trap the score that was asked for; else 0.
    """

    experiment: str
    rater: str
    worker: str
    task: str
    role: str
    system: str
    clip: str
    name: str
    score: int
    expected: int

    @property
    def sample(self) -> tuple[str, str, str]:
        """What is rated: (experiment, system, clip)."""
        return self.experiment, self.system, self.clip


COLUMNS = Rating._fields


def from_store(store: Store, survey: Survey) -> list[Rating]:
    """The ratings of all finished tasks."""
    found = []
    for row in store.ratings():
        shown = survey.by_name[row["first"]]
        found.append(
            Rating(
                row["experiment"],
                row["rater"],
                row["worker"],
                str(row["section"]),
                shown.role,
                shown.system,
                shown.clip,
                shown.name,
                row["answer"],
                row["expected"],
            )
        )
    return found


def write_csv(path: str | os.PathLike, ratings: Iterable[Rating]) -> None:
    """Writes ratings, one a line, under COLUMNS."""
    write_rows(path, COLUMNS, ratings)


def write_rows(path: str | os.PathLike, columns: Iterable[str], rows: Iterable[Iterable]) -> None:
    """Writes a CSV file, whole or not at all."""
    with whole(path) as beside, open(beside, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


def read_csv(path: str | os.PathLike, survey: Survey) -> list[Rating]:
    """Reads what write_csv wrote.

    Raises:
        FileNotFoundError: no such file.
        ValueError: other columns, a score outside 1 to 5, or a row that is none of this survey's;
            the message names the line.
    """
    found = []
    for line, row in read_rows(path, COLUMNS):
        row = {column: row[column] for column in COLUMNS}
        row["score"] = score(path, line, row["score"])
        shown = survey.by_name.get(row["name"])
        facts = shown and {
            "role": shown.role,
            "system": shown.system,
            "clip": shown.clip,
            "expected": str(shown.score if shown.role == "trap" else 0),
        }
        known = row["experiment"] in survey.experiments
        fits = facts and known and facts.items() <= row.items()
        if not (fits and survey.shows(row["experiment"], shown)):
            raise ValueError(f"{path}, line {line}: is no rating of this survey")
        found.append(Rating(**row | {"expected": int(row["expected"])}))
    return found


def read_rows(path: str | os.PathLike, required: Iterable[str]) -> list[tuple[int, dict]]:
    """Rows of a CSV file as (line, {column: text}).

    Raises:
        FileNotFoundError: no such file.
        ValueError: a required column is missing, or it is no CSV.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            rows = [(reader.line_num, row) for row in reader]
            columns = reader.fieldnames or []
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: is no CSV ({error})") from error
    missing = [column for column in required if column not in columns]
    if missing:
        raise ValueError(f"{path}: has no column {', '.join(missing)}")
    for line, row in rows:
        if None in row:
            raise ValueError(f"{path}, line {line}: has more fields than the first line")
    return rows


def score(path: str | os.PathLike, line: int, text: str) -> int:
    """A score as it is written in a file.

    Raises:
        ValueError: it is no whole number from 1 to 5.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if value not in SCORES:
        raise ValueError(f"{path}, line {line}: the score {text!r} is not 1, 2, 3, 4 or 5")
    return int(value)
