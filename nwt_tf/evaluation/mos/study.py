"""A running study: what each rater does next, and what becomes of their answers."""

import datetime
import random
import secrets
import time
from collections.abc import Callable, Collection

from nwt_tf.evaluation.mos import assignment
from nwt_tf.evaluation.mos.protocol import (
    SCORES,
    SETUP_RIGHT,
    SETUP_SECONDS,
    TRAINING_SECONDS,
    qualifies,
)
from nwt_tf.evaluation.mos.store import Store
from nwt_tf.evaluation.mos.survey import Stimulus, Survey

# A task without a finish for so long no longer counts as under way.
_ABANDONED_SECONDS = 60 * 60.0


class Refused(ValueError):
    """A request that cannot be granted; the message is for the rater."""


class Study:
    """Qualification, setup, training and rating, in the order and at the times of Appendix E.

    Args:
        survey: what is shown.
        store: where answers go.
        raters: ratings that each sample should get; None is the survey's own number.
        clock: gives the time in seconds.
        rng: of assignments.
    """

    def __init__(
        self,
        survey: Survey,
        store: Store,
        raters: int | None = None,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ):
        self.survey, self.store = survey, store
        self.target = raters or survey.raters
        self._clock, self._rng = clock, rng or random.SystemRandom()

    def join(
        self,
        token: str,
        language: str,
        devices: list[str],
        hearing: str,
        experiment: str = "",
        worker: str = "",
    ) -> bool:
        """Takes someone in who agreed to the consent and qualifies; nothing is kept of others.

        Args:
            token: secret of the rater's browser; the same one joins once.
            language, devices, hearing: the answers of the qualification.
            experiment: of the survey; "" is the one with the fewest raters, of those that still
                need ratings.
            worker: number of a crowd-working site, or "".

        Returns:
            Whether they qualify.

        Raises:
            Refused: no such experiment.
        """
        if experiment and experiment not in self.survey.experiments:
            raise Refused("This study has no such experiment.")
        if not qualifies(language, devices, hearing, self.survey.language):
            return False
        now = self._clock()
        chosen = experiment or self._neediest(now)
        rater = f"r{secrets.token_hex(6)}"
        self.store.add_rater(rater, token, chosen, worker, now)
        return True

    def _neediest(self, now: float) -> str:
        """The experiment that the next rater is for."""
        joined = self.store.raters_of()
        names = list(self.survey.experiments)
        self._rng.shuffle(names)
        return min(names, key=lambda name: (not self._left(name, (), now), joined.get(name, 0)))

    def _left(self, experiment: str, seen: Collection[str], now: float) -> list[Stimulus]:
        """What the next task of someone who has had the samples `seen` can be made of."""
        counts = self.store.counts(experiment, now - _ABANDONED_SECONDS)
        stimuli = self.survey.select(experiment, "sample")
        return assignment.left(stimuli, counts, seen, self.target)

    def next(self, rater) -> dict:
        """What a rater has before them; opens the section that is due.

        Args:
            rater: a row of the store.

        Returns:
            {"step": "setup" | "training" | "rating", "section", "items"}; {"step": "wait",
            "seconds"} after a setup that was not passed; or {"step": "done"}.
        """
        now = self._clock()
        with self.store.lock:  # Two pages of one rater must not open two sections.
            sections = self.store.sections(rater["id"])
            opened = {s["kind"]: s for s in sections if s["finished"] is None}
            task = opened.get("rating")
            tasks = sum(s["kind"] == "rating" and s["finished"] is not None for s in sections)
            facts = {"experiment": rater["experiment"], "tasks": tasks}
            if task is not None and now - task["latest"] < SETUP_SECONDS:
                return facts | self._shown(task["id"], "rating")
            # Nobody is checked and trained who has nothing to rate.
            seen = self.store.shown(rater["id"])
            if task is None and not self._left(rater["experiment"], seen, now):
                return facts | {"step": "done"}
            done = {}  # kind -> the last finished section of that kind
            for section in sections:
                if section["finished"] is not None:
                    done[section["kind"]] = section
            setup, training = done.get("setup"), done.get("training")
            if setup is None or now - setup["finished"] >= SETUP_SECONDS:
                return facts | self._open(rater, "setup", opened, now)
            if not setup["passed"]:
                return facts | {
                    "step": "wait",
                    "seconds": setup["finished"] + SETUP_SECONDS - now,
                }
            if training is None or now - training["finished"] >= TRAINING_SECONDS:
                return facts | self._open(rater, "training", opened, now)
            return facts | self._open(rater, "rating", opened, now)

    def _open(self, rater, kind: str, opened: dict, now: float) -> dict:
        if kind in opened:
            return self._shown(opened[kind]["id"], kind)
        experiment, survey = rater["experiment"], self.survey
        role = {"setup": "setup", "training": "training", "rating": "sample"}[kind]
        stimuli = survey.select(experiment, role)
        if kind == "setup":
            items = assignment.setup(stimuli, self._rng)
        elif kind == "training":
            items = assignment.training(stimuli, self._rng)
        else:
            rated = assignment.samples(
                stimuli,
                self.store.counts(experiment, now - _ABANDONED_SECONDS),
                self.store.shown(rater["id"]),
                self.target,
                self._rng,
            )
            items = assignment.task(
                rated,
                survey.select(experiment, "trap"),
                survey.select(experiment, "gold"),
                self._rng,
            )
        code = secrets.token_hex(5).upper() if kind == "rating" else ""
        return self._shown(self.store.add_section(rater["id"], kind, items, code, now), kind)

    def _shown(self, section: int, kind: str) -> dict:
        """A section as the rater sees it: nothing tells traps or systems."""
        items = [
            {
                "videos": [name for name in (item["first"], item["second"]) if name],
                "answer": item["answer"],
            }
            for item in self.store.items(section)
        ]
        return {"step": kind, "section": section, "items": items}

    def answer(self, rater, section: int, position: int, value: int) -> None:
        """Keeps one click; a later one on the same question replaces it.

        Raises:
            Refused: no such open question of this rater, or no such answer.
        """
        kinds = {
            s["id"]: s["kind"] for s in self.store.sections(rater["id"]) if s["finished"] is None
        }
        if section not in kinds:
            raise Refused("This part is not open.")
        if value not in ((1, 2) if kinds[section] == "setup" else SCORES):
            raise Refused("There is no such answer.")
        if not self.store.answer(rater["id"], section, position, value, self._clock()):
            raise Refused("There is no such question.")

    def finish(self, rater, section: int) -> dict:
        """Ends a section whose questions are all answered; ending it again changes nothing.

        Returns:
            {"kind", "passed", "right", "code"}; right of a setup alone, code of a task alone.

        Raises:
            Refused: no such section of this rater, or questions are left.
        """
        found = [s for s in self.store.sections(rater["id"]) if s["id"] == section]
        if not found:
            raise Refused("There is no such part.")
        items = self.store.items(section)
        if any(item["answer"] is None for item in items):
            raise Refused("Some questions are not answered yet.")
        kind, result = found[0]["kind"], {"kind": found[0]["kind"], "passed": True}
        if kind == "setup":
            result["right"] = sum(item["answer"] == item["expected"] for item in items)
            result["passed"] = result["right"] >= SETUP_RIGHT
        if kind == "rating":
            result["code"] = found[0]["code"]
        self.store.finish(section, result["passed"], self._clock())
        return result

    def stored(self, rater) -> dict:
        """Everything that is kept about a rater, for them to read and download."""
        sections = [
            {
                "part": section["kind"],
                "opened": _date(section["opened"]),
                "finished": _date(section["finished"]),
                "code": section["code"] if section["finished"] else "",
                "answers": [
                    {
                        "videos": [name for name in (item["first"], item["second"]) if name],
                        "answer": item["answer"],
                        "time": _date(item["answered"]),
                    }
                    for item in self.store.items(section["id"])
                ],
            }
            for section in self.store.sections(rater["id"])
        ]
        return {
            "rater": rater["id"],
            "experiment": rater["experiment"],
            "worker": rater["worker"] or None,
            "joined": _date(rater["joined"]),
            "parts": sections,
        }

    def progress(self) -> dict:
        """For the admin page: {"target", "experiments": [...], "raters": [...]}."""
        joined = self.store.raters_of()
        experiments = []
        for name in self.survey.experiments:
            counts = self.store.counts(name, float("inf"))
            ratings = [counts.get(s.name, 0) for s in self.survey.select(name, "sample")]
            experiments.append(
                {
                    "name": name,
                    "raters": joined.get(name, 0),
                    "samples": len(ratings),
                    "ratings": sum(ratings),
                    "fewest": min(ratings),
                    "most": max(ratings),
                    "done": sum(count >= self.target for count in ratings),
                }
            )
        raters = [
            {key: row[key] for key in ("id", "experiment", "worker", "joined", "tasks")}
            for row in self.store.raters()
        ]
        return {"target": self.target, "experiments": experiments, "raters": raters}


def _date(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")
