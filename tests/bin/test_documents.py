"""The documents are true where a program can tell: paths exist, commands have the flags shown."""

import importlib
import re
from pathlib import Path

import pytest

from nwt_tf.bin import nwt

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def relative_links(text: str) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]


def source_paths(text: str) -> list[str]:
    """Paths of source files in backticks, such as `nwt_tf/losses.py`."""
    return re.findall(r"`((?:nwt_tf|data_pipeline|configs|tests)/[\w/.]+\.py)`", text)


def commands(text: str) -> list[tuple[str, list[str]]]:
    """(name, flags) of each `nwt NAME --flag=...` line in a code block."""
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    lines = blocks.replace("\\\n", " ").splitlines()
    found = [re.match(r"\s*(?:\S*/)?nwt (\w+)(.*)", line) for line in lines]
    return [(match[1], re.findall(r"--([\w.]+)", match[2])) for match in found if match]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_names_exists(document):
    text = document.read_text(encoding="utf-8")
    missing = [link for link in relative_links(text) if not (document.parent / link).exists()]
    missing += [path for path in source_paths(text) if not (ROOT / path).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_have_the_flags_that_a_document_shows(document):
    wrong = []
    for name, shown in commands(document.read_text(encoding="utf-8")):
        known = importlib.import_module(nwt.COMMANDS[name]).FLAGS
        wrong += [f"nwt {name} --{flag}" for flag in shown if flag.split(".")[0] not in known]
    assert wrong == []


def test_the_readme_shows_every_command():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in nwt.COMMANDS if f"`nwt {name}`" not in readme] == []
    assert {name for name, _ in commands(readme)} >= {"build_dataset", "train_prior", "generate"}


def test_the_checks_read_what_they_should():
    text = "[a](docs/b.md) [c](https://d) `nwt_tf/e.py`\n```\nnwt f --g=1 \\\n  --h.i=2\n```\n"
    assert relative_links(text) == ["docs/b.md"]
    assert source_paths(text) == ["nwt_tf/e.py"]
    assert commands(text) == [("f", ["g", "h.i"])]
