"""A survey: what is shown to raters, and what each shown file really is. Kept in survey.json."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from nwt_tf.evaluation.mos.protocol import EXPERIMENTS
from nwt_tf.files import write_text

FILE = "survey.json"
CLIPS = "clips"
PAGES = "pages"
ANSWERS = "answers.sqlite"
_FORMAT = "nwt listening test"
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Stimulus:
    """One file that raters see. Its name tells them nothing.

    name: of the file, in the folder `clips`.
    role: "sample" (rated), "trap", "gold", "training" or "setup".
    view: "full", or "upper", the lower part of the frame removed.
    keep: share of the frame's rows that is shown, from the top.
    system, clip: what it was made from.
    score: of a trap, the score that its voice asks for; else 0.
    pair: of a setup's stimulus, the pair that it belongs to; else "".
    better: of a setup's stimulus, whether it is the better of its pair.
    shift: seconds that the sound is late (negative: early).
    noise: standard deviation of the noise on the picture, in steps of 255.
    """

    name: str
    role: str
    view: str
    system: str
    clip: str
    keep: float = 1.0
    score: int = 0
    pair: str = ""
    better: bool = False
    shift: float = 0.0
    noise: float = 0.0


@dataclasses.dataclass(frozen=True)
class Survey:
    """A whole survey.

    identity: names this survey; 16 hexadecimal digits.
    title, contact, language, payment: for the pages; payment may be "".
    consent: paragraphs of the consent text.
    raters: ratings that every sample should get, at least.
    truth: the system that is real footage.
    experiments: {experiment: its systems, in the order of the tables}.
    stimuli: every file.
    """

    identity: str
    title: str
    contact: str
    language: str
    payment: str
    consent: tuple[str, ...]
    raters: int
    truth: str
    experiments: dict[str, tuple[str, ...]]
    stimuli: tuple[Stimulus, ...]

    @cached_property
    def by_name(self) -> dict[str, Stimulus]:
        return {stimulus.name: stimulus for stimulus in self.stimuli}

    def shows(self, experiment: str, stimulus: Stimulus) -> bool:
        """Whether an experiment may show a stimulus."""
        fits = stimulus.view == EXPERIMENTS[experiment].view
        return fits and stimulus.system in self.experiments[experiment]

    def select(self, experiment: str, role: str) -> list[Stimulus]:
        """Stimuli of a role that an experiment may show."""
        return [s for s in self.stimuli if s.role == role and self.shows(experiment, s)]

    def save(self, folder: str | os.PathLike) -> Path:
        """Writes survey.json, whole or not at all."""
        path = Path(folder) / FILE
        content = {"format": _FORMAT, "version": _VERSION, **dataclasses.asdict(self)}
        write_text(path, json.dumps(content, indent=1) + "\n")
        return path


def load(folder: str | os.PathLike) -> Survey:
    """Reads a folder's survey.json.

    Raises:
        FileNotFoundError: the folder holds no survey.
        ValueError: the file is damaged or of another version.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such survey; `nwt mos --action=build` makes one")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if (content.pop("format"), content.pop("version")) != (_FORMAT, _VERSION):
            raise ValueError("another format or version")
        content["stimuli"] = tuple(Stimulus(**facts) for facts in content["stimuli"])
        content["consent"] = tuple(content["consent"])
        content["experiments"] = {
            name: tuple(systems) for name, systems in content["experiments"].items()
        }
        return Survey(**content)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: is damaged ({error}); build the survey again") from error


def identity_of(stimuli: Iterable[Stimulus]) -> str:
    """Names a survey by what it shows: 16 hexadecimal digits."""
    names = "".join(sorted(stimulus.name for stimulus in stimuli))
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def consent_text(contact: str, payment: str) -> tuple[str, ...]:
    """The default consent, in paragraphs."""
    paid = f" Payment: {payment}." if payment else ""
    return (
        "You are invited to a study on short videos of a talking person. Some are recordings; "
        "others were made by a computer program. You watch them, one after another, and say how "
        f"good they are. Twelve videos take about three minutes.{paid}",
        "Taking part is voluntary. You may stop at any time, without giving a reason: close the "
        "page.",
        "We keep your scores, the times when you gave them, and a random number that stands for "
        "you. If a crowd-working site sent you, we also keep the worker number that it gave us, so "
        "that you can be paid. We ask for no name, address or age; your answers to the questions "
        "about language, headphones and hearing are checked and not kept.",
        "Under “Your data”, at the foot of every page, you can see everything that is stored about "
        "you, download it, and erase it. Results are published as averages over many people.",
        f"Questions: {contact}",
    )
