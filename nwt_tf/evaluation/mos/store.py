"""Answers on the disk: an SQLite file. What was acknowledged survives the death of the server."""

import contextlib
import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence

from nwt_tf.evaluation.mos.assignment import Item

_SCHEMA = """
CREATE TABLE IF NOT EXISTS survey (identity TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS raters (
    id TEXT PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,          -- SHA-256 of what the rater's browser keeps
    experiment TEXT NOT NULL,
    worker TEXT NOT NULL,                -- of a crowd-working site, or empty
    joined REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS sections (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rater TEXT NOT NULL REFERENCES raters ON DELETE CASCADE,
    kind TEXT NOT NULL,                  -- setup, training or rating
    opened REAL NOT NULL,
    finished REAL,
    passed INTEGER,
    code TEXT NOT NULL                   -- shown at the end of a task, to be pasted elsewhere
);
CREATE UNIQUE INDEX IF NOT EXISTS one_open ON sections (rater, kind) WHERE finished IS NULL;
CREATE TABLE IF NOT EXISTS items (
    section INTEGER NOT NULL REFERENCES sections ON DELETE CASCADE,
    position INTEGER NOT NULL,
    first TEXT NOT NULL,
    second TEXT NOT NULL,
    expected INTEGER NOT NULL,
    answer INTEGER,
    answered REAL,
    PRIMARY KEY (section, position)
) WITHOUT ROWID;
"""


class Store:
    """The tables, and every statement on them. One connection; safe to use from many threads.

    Args:
        path: SQLite file; made if missing.
        identity: of the survey that the answers belong to.

    Raises:
        ValueError: the file holds answers of another survey, or is no database.
    """

    def __init__(self, path: str | os.PathLike, identity: str):
        self.lock = threading.RLock()  # for callers that need several statements undisturbed
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        try:
            # FULL: a commit is on the disk when it returns, even if the power fails.
            # secure_delete: what is erased is overwritten.
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.execute("PRAGMA secure_delete=ON")
            self._connection.executescript(_SCHEMA)
            row = self._one("SELECT identity FROM survey")
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{path}: is no database of answers ({error})") from error
        if row is None:
            self._connection.execute("INSERT INTO survey VALUES (?)", (identity,))
        elif row["identity"] != identity:
            raise ValueError(f"{path}: holds the answers to another survey than survey.json")

    def close(self) -> None:
        with self.lock:
            self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements within happen, or none."""
        with self.lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _all(self, statement: str, *values) -> list[sqlite3.Row]:
        with self.lock:
            return self._connection.execute(statement, values).fetchall()

    def _one(self, statement: str, *values) -> sqlite3.Row | None:
        rows = self._all(statement, *values)
        return rows[0] if rows else None

    def add_rater(self, rater: str, token: str, experiment: str, worker: str, now: float) -> None:
        """Adds a rater; a token that is known already stays who it was."""
        self._all(
            "INSERT INTO raters VALUES (?, ?, ?, ?, ?) ON CONFLICT (token) DO NOTHING",
            *(rater, _hashed(token), experiment, worker, now),
        )

    def rater(self, token: str) -> sqlite3.Row | None:
        return self._one("SELECT * FROM raters WHERE token = ?", _hashed(token))

    def raters(self) -> list[sqlite3.Row]:
        """Every rater with `tasks`, how many tasks they finished."""
        return self._all(
            "SELECT raters.*, COUNT(sections.id) AS tasks FROM raters LEFT JOIN sections ON"
            " sections.rater = raters.id AND sections.kind = 'rating'"
            " AND sections.finished IS NOT NULL GROUP BY raters.id ORDER BY raters.joined"
        )

    def raters_of(self) -> dict[str, int]:
        """{experiment: raters who joined it}."""
        rows = self._all("SELECT experiment, COUNT(*) AS n FROM raters GROUP BY experiment")
        return {row["experiment"]: row["n"] for row in rows}

    def add_section(
        self, rater: str, kind: str, items: Sequence[Item], code: str, now: float
    ) -> int:
        with self.transaction():
            section = self._connection.execute(
                "INSERT INTO sections (rater, kind, opened, code) VALUES (?, ?, ?, ?)",
                (rater, kind, now, code),
            ).lastrowid
            self._connection.executemany(
                "INSERT INTO items (section, position, first, second, expected)"
                " VALUES (?, ?, ?, ?, ?)",
                [(section, position, *item) for position, item in enumerate(items)],
            )
        return section

    def sections(self, rater: str) -> list[sqlite3.Row]:
        """A rater's sections, oldest first, with `latest`, the time of the last click."""
        return self._all(
            "SELECT sections.*, MAX(opened, COALESCE((SELECT MAX(answered) FROM items"
            " WHERE section = sections.id), 0)) AS latest FROM sections"
            " WHERE rater = ? ORDER BY id",
            rater,
        )

    def items(self, section: int) -> list[sqlite3.Row]:
        return self._all("SELECT * FROM items WHERE section = ? ORDER BY position", section)

    def answer(self, rater: str, section: int, position: int, answer: int, now: float) -> bool:
        """Writes an answer, over an earlier one to the same question.

        Returns:
            False when the rater has no such question open.
        """
        with self.lock:
            cursor = self._connection.execute(
                "UPDATE items SET answer = ?, answered = ? WHERE section = ? AND position = ?"
                " AND EXISTS (SELECT 1 FROM sections WHERE id = items.section AND rater = ?"
                " AND finished IS NULL)",
                (answer, now, section, position, rater),
            )
            return cursor.rowcount == 1

    def finish(self, section: int, passed: bool, now: float) -> None:
        self._all(
            "UPDATE sections SET finished = ?, passed = ? WHERE id = ? AND finished IS NULL",
            *(now, int(passed), section),
        )

    def counts(self, experiment: str, active_since: float) -> dict[str, int]:
        """{sample's name: an experiment's ratings in finished tasks, and in those opened since}."""
        # Experiments of one view show the same files.
        rows = self._all(
            "SELECT first, COUNT(*) AS n FROM items JOIN sections ON sections.id = items.section"
            " JOIN raters ON raters.id = sections.rater WHERE kind = 'rating' AND experiment = ?"
            " AND (finished IS NOT NULL OR opened > ?) GROUP BY first",
            *(experiment, active_since),
        )
        return {row["first"]: row["n"] for row in rows}

    def shown(self, rater: str) -> set[str]:
        """Names of what a rater's tasks held."""
        rows = self._all(
            "SELECT first FROM items JOIN sections ON sections.id = items.section"
            " WHERE rater = ? AND kind = 'rating'",
            rater,
        )
        return {row["first"] for row in rows}

    def ratings(self) -> list[sqlite3.Row]:
        """Answers of all finished tasks, in the order of tasks and positions."""
        return self._all(
            "SELECT raters.id AS rater, experiment, worker, section, position, first, expected,"
            " answer, answered FROM items JOIN sections ON sections.id = items.section"
            " JOIN raters ON raters.id = sections.rater"
            " WHERE kind = 'rating' AND finished IS NOT NULL ORDER BY section, position"
        )

    def codes(self) -> dict[str, str]:
        """{a finished task's code: its rater}."""
        rows = self._all(
            "SELECT code, rater FROM sections WHERE kind = 'rating' AND finished IS NOT NULL"
        )
        return {row["code"]: row["rater"] for row in rows}

    def erase(self, rater: str) -> bool:
        """Removes a rater and every answer of theirs, from the file too."""
        with self.lock:
            cursor = self._connection.execute("DELETE FROM raters WHERE id = ?", (rater,))
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return cursor.rowcount == 1


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
