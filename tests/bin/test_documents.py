"""The documents are true where a program can tell: what they name exists, their commands parse."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from nwt_tf.bin import command, nwt

ROOT = Path(__file__).parents[2]
CARD = ROOT / "nwt_tf/pretrained/grid-s1/README.md"
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", CARD, *sorted((ROOT / "docs").glob("*.md"))]
CODE_BLOCKS = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def relative_links(text: str) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]


def anchor_links(text: str) -> list[tuple[str, str]]:
    """(path, anchor) of each link to a heading; the path is empty within a document."""
    links = re.findall(r"\]\(([^)#]*)#([^)]+)\)", text)
    return [(path, anchor) for path, anchor in links if "://" not in path]


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", CODE_BLOCKS.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def source_paths(text: str) -> list[str]:
    """Paths of source files in backticks, such as `nwt_tf/losses.py`."""
    return re.findall(r"`((?:nwt_tf|data_pipeline|configs|tests)/[\w/.]+\.py)`", text)


def commands(text: str) -> list[tuple[str, list[str]]]:
    """(name, arguments) of each `nwt NAME --flag=...` line in a code block, up to a pipe."""
    lines = "\n".join(CODE_BLOCKS.findall(text)).replace("\\\n", " ").splitlines()
    found = [re.search(r"(?:^|\|)\s*(?:\S*/)?nwt (\w+)([^|]*)", line) for line in lines]
    return [(match[1], shlex.split(match[2], comments=True)) for match in found if match]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_names_exists(document):
    text = document.read_text(encoding="utf-8")
    missing = [link for link in relative_links(text) if not (document.parent / link).exists()]
    missing += [path for path in source_paths(text) if not (ROOT / path).exists()]
    for path, anchor in anchor_links(text):
        target = document.parent / path if path else document
        if anchor not in anchors(target.read_text(encoding="utf-8")):
            missing.append(f"{path}#{anchor}")
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_that_a_document_shows_parse(document):
    """Flags and fields of configs with their values; flags that must be given may be left out."""
    wrong = []
    for name, arguments in commands(document.read_text(encoding="utf-8")):
        if "--help" in arguments:
            continue
        try:
            command.parse_flags(importlib.import_module(nwt.COMMANDS[name]).FLAGS, arguments)
        except Exception as error:
            if "must be given" not in str(error):
                wrong.append(f"nwt {name}: {error}")
    assert wrong == []


def test_the_readme_shows_every_command():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in nwt.COMMANDS if f"`nwt {name}`" not in readme] == []
    assert {name for name, _ in commands(readme)} >= {"build_dataset", "train_prior", "generate"}


def test_the_checks_read_what_they_should():
    text = (
        "## A `b`, c\n[a](docs/b.md) [c](https://d) `nwt_tf/e.py` [f](#a-b-c)\n"
        "```\nx | nwt f --g=1 \\\n  --h.i=2 | y  # z\n```\n"
    )
    assert relative_links(text) == ["docs/b.md"]
    assert anchor_links(text) == [("", "a-b-c")] and anchors(text) == {"a-b-c"}
    assert source_paths(text) == ["nwt_tf/e.py"]
    assert commands(text) == [("f", ["--g=1", "--h.i=2"])]
