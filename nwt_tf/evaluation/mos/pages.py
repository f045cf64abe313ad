"""The survey's static pages: the files in `templates/`, filled with what this survey says."""

import json
import os
from importlib import resources
from pathlib import Path

from nwt_tf.evaluation.mos.protocol import (
    EXPERIMENTS,
    LABELS,
    SETUP_PAIRS,
    SETUP_RIGHT,
    TASK_SAMPLES,
    TRAINING_CLIPS,
)
from nwt_tf.evaluation.mos.survey import PAGES, Survey
from nwt_tf.files import write_text

_LANGUAGES = (
    *("Arabic", "Bengali", "Chinese", "Dutch", "English", "French", "German", "Hindi"),
    *("Indonesian", "Italian", "Japanese", "Korean", "Persian", "Polish", "Portuguese", "Russian"),
    *("Spanish", "Swahili", "Tamil", "Turkish", "Ukrainian", "Urdu", "Vietnamese"),
)


def write_pages(folder: str | os.PathLike, survey: Survey) -> list[Path]:
    """Writes the pages into the survey's folder; they ask for nothing from elsewhere.

    They tell nothing about systems, traps or gold clips.

    Returns:
        The files.
    """
    target = Path(folder) / PAGES
    target.mkdir(parents=True, exist_ok=True)
    facts = {
        "identity": survey.identity,
        "title": survey.title,
        "consent": survey.consent,
        "language": survey.language,
        "languages": sorted({*_LANGUAGES, survey.language}),
        "labels": LABELS,
        "pairs": SETUP_PAIRS,
        "right": SETUP_RIGHT,
        "practice": TRAINING_CLIPS,
        "task": TASK_SAMPLES + 2,
        "experiments": {
            name: {"question": EXPERIMENTS[name].question, "looksAt": EXPERIMENTS[name].looks_at}
            for name in survey.experiments
        },
    }
    # Only `<` could end the element that holds it.
    content = json.dumps(facts).replace("<", "\\u003c")
    written = []
    for template in sorted(resources.files(__package__).joinpath("templates").iterdir(), key=str):
        text = template.read_text(encoding="utf-8").replace("@SURVEY@", content)
        path = target / template.name
        write_text(path, text)
        written.append(path)
    return written
