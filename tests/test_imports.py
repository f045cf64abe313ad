"""The house's arrows: who may import whom (docs/architecture.md), checked on every import.

Imports inside functions count too, except where a rule speaks of the top level.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Part of the house -> what it may import of the house, beside itself.
ARROWS = {
    "nwt_tf": set(),
    "nwt_tf.files": set(),
    "nwt_tf.layers": set(),
    "nwt_tf.losses": {"nwt_tf.layers"},
    "nwt_tf.presets": {"nwt_tf.files"},
    "nwt_tf.models": {"nwt_tf.layers", "nwt_tf.losses", "nwt_tf.presets"},
    "nwt_tf.training": {"nwt_tf.layers", "nwt_tf.losses", "nwt_tf.models", "nwt_tf.presets"},
    "nwt_tf.generation": {"nwt_tf.files", "nwt_tf.layers", "nwt_tf.models", "nwt_tf.presets"},
    "nwt_tf.codec": set(),
    "nwt_tf.evaluation": {
        "nwt_tf.files",
        "nwt_tf.layers",
        "nwt_tf.models",
        "nwt_tf.presets",
        "nwt_tf.generation",
        "nwt_tf.codec",
        "nwt_tf.serving",
    },
    "nwt_tf.serving": {"nwt_tf.layers", "nwt_tf.generation", "nwt_tf.codec"},
    "nwt_tf.studies": {
        "nwt_tf.files",
        "nwt_tf.layers",
        "nwt_tf.losses",
        "nwt_tf.models",
        "nwt_tf.training",
        "nwt_tf.evaluation",
        "nwt_tf.codec",
    },
    "nwt_tf.export": {"nwt_tf.layers", "nwt_tf.generation"},
    "data_pipeline": set(),
    "configs": set(),
}
ARROWS["nwt_tf.bin"] = set(ARROWS)  # bin joins everything.

FORBIDDEN_NAMES = {"utils", "common", "helpers", "builders", "registries"}
# Missing on hosts that only train: imported by the functions that use them.
INSIDE_FUNCTIONS_ONLY = {"librosa", "av", "cv2", "matplotlib"}
FRAMEWORKS = {"tensorflow", "keras"}


def test_every_import_follows_the_arrows():
    assert violations(ROOT) == []


def test_the_walk_sees_the_house():
    seen = {part_of(module_name(ROOT, path)) for path in sources(ROOT)}
    assert {"nwt_tf.layers", "nwt_tf.models", "nwt_tf.bin", "data_pipeline", "configs"} <= seen


def test_every_folder_with_modules_is_a_package():
    """setup.py's find_packages leaves a folder without __init__.py out of the wheel."""
    folders = {path.parent for path in sources(ROOT)}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize(
    ("path", "source", "broken_rule"),
    [
        ("nwt_tf/layers/a.py", "import nwt_tf.models.dvae", "may not import nwt_tf.models"),
        ("nwt_tf/layers/a.py", "from nwt_tf import losses", "may not import nwt_tf.losses"),
        ("nwt_tf/layers/a.py", "from ..models import dvae", "may not import nwt_tf.models"),
        ("nwt_tf/layers/a.py", "from .. import models", "may not import nwt_tf.models"),
        ("nwt_tf/layers/a.py", "def f():\n    import nwt_tf.bin", "may not import nwt_tf.bin"),
        ("nwt_tf/models/a.py", "from nwt_tf.training import x", "may not import nwt_tf.training"),
        ("nwt_tf/generation/a.py", "import nwt_tf.training", "may not import nwt_tf.training"),
        ("nwt_tf/presets.py", "import nwt_tf.training", "may not import nwt_tf.training"),
        ("nwt_tf/training/a.py", "import data_pipeline.mel", "may not import data_pipeline"),
        ("nwt_tf/training/a.py", "import configs.dvae", "may not import configs"),
        ("nwt_tf/novel/a.py", "import os", "is no part of the house"),
        ("data_pipeline/a.py", "import nwt_tf.layers", "may not import nwt_tf.layers"),
        ("data_pipeline/a.py", "import nwt_tf", "may not import nwt_tf"),
        ("data_pipeline/a.py", "import librosa.filters", "librosa at the top level"),
        ("data_pipeline/a.py", "if True:\n    import av", "av at the top level"),
        ("nwt_tf/evaluation/a.py", "class A:\n    import cv2", "cv2 at the top level"),
        ("nwt_tf/evaluation/a.py", "from matplotlib import pyplot", "matplotlib at the top level"),
        ("nwt_tf/codec/a.py", "import tensorflow as tf", "may not import tensorflow"),
        ("nwt_tf/codec/a.py", "import scipy\nimport constriction", "more than one"),
        ("configs/a.py", "import nwt_tf.layers", "may not import nwt_tf.layers"),
        ("configs/a.py", "import tensorflow", "may not import tensorflow"),
        ("configs/a.py", "def f():\n    from keras import ops", "may not import keras"),
        ("configs/a.py", "from __future__ import annotations", "ml_collections"),
        ("nwt_tf/layers/utils.py", "", "is named utils"),
        ("data_pipeline/helpers/a.py", "", "is named helpers"),
    ],
)
def test_a_planted_violation_is_caught(tmp_path, path, source, broken_rule):
    plant(tmp_path, path, source)
    found = violations(tmp_path)
    assert len(found) == 1
    assert path in found[0] and broken_rule in found[0]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("nwt_tf/models/a.py", "from nwt_tf.layers import mel\nfrom nwt_tf import layers, losses"),
        ("nwt_tf/models/a.py", "from . import critics\nfrom .critics import Critic\nimport keras"),
        ("nwt_tf/models/__init__.py", "from .dvae import DVAE\nfrom . import dvae"),
        ("nwt_tf/evaluation/a.py", "from nwt_tf.codec import rle\ndef f():\n    import cv2"),
        ("nwt_tf/codec/a.py", "import math, numpy as np, constriction\nfrom . import rle"),
        ("nwt_tf/bin/a.py", "import data_pipeline.mel, configs.dvae, nwt_tf.training.callbacks"),
        ("nwt_tf/bin/a.py", "import nwt_tf, cv2"),
        ("data_pipeline/a.py", "import numpy\nfrom data_pipeline import mel\nimport tensorflow"),
        ("nwt_tf/presets.py", "from nwt_tf import __version__\nimport numpy"),
        ("nwt_tf/models/a.py", "from nwt_tf import presets"),
        ("configs/a.py", "import dataclasses"),
    ],
)
def test_what_the_arrows_allow(tmp_path, path, source):
    plant(tmp_path, path, source)
    assert violations(tmp_path) == []


def plant(root: Path, path: str, source: str) -> None:
    (root / path).parent.mkdir(parents=True)
    (root / path).write_text(source)


def sources(root: Path) -> Iterator[Path]:
    for package in ("nwt_tf", "data_pipeline", "configs"):
        yield from sorted((root / package).rglob("*.py"))


def module_name(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """Returns the part of the house that a module belongs to: nwt_tf's are its second level."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "nwt_tf" else parts[0]


def imports(root: Path, path: Path) -> Iterator[tuple[str, bool]]:
    """Yields (imported module, whether at the top level) for each import of a file."""
    module = module_name(root, path)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    pending = [(node, True) for node in ast.parse(path.read_text(encoding="utf-8")).body]
    while pending:
        node, top = pending.pop(0)
        if isinstance(node, ast.Import):
            yield from ((alias.name, top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join([*parents[: len(parents) - node.level + 1], *base.split(".")])
                base = base.rstrip(".")
            if base == "nwt_tf":  # `from nwt_tf import losses` imports the part itself.
                for alias in node.names:
                    yield "nwt_tf" if alias.name == "__version__" else f"nwt_tf.{alias.name}", top
            else:
                yield base, top
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        pending += [(child, top and not inside) for child in ast.iter_child_nodes(node)]


def violations(root: Path) -> list[str]:
    """Returns a line for each import or name in the tree that breaks the house's rules."""
    found, entropy_coders = [], set()
    for path in sources(root):
        where, part = path.relative_to(root), part_of(module_name(root, path))
        for name in sorted(FORBIDDEN_NAMES.intersection([*where.parts[:-1], path.stem])):
            found.append(f"{where} is named {name}: name it after what it holds")
        if part not in ARROWS:
            found.append(f"{where}: {part} is no part of the house")
            continue
        for imported, top in imports(root, path):
            if rule := broken_rule(part, imported, top):
                found.append(f"{where} {rule}")
            elif part == "nwt_tf.codec" and is_third_party(imported):
                entropy_coders.add(imported.split(".")[0])
                if len(entropy_coders) > 1:
                    found.append(f"{where}: codec uses more than one of {sorted(entropy_coders)}")
    return found


def broken_rule(part: str, imported: str, top: bool) -> str | None:
    """Returns how an import from a part of the house breaks a rule, None when it keeps them."""
    library = imported.split(".")[0]
    if library in ("nwt_tf", "data_pipeline", "configs"):
        version_only = imported == "nwt_tf" and part.startswith("nwt_tf")
        allowed = version_only or part_of(imported) in ARROWS[part] | {part}
        return None if allowed else f"may not import {part_of(imported)}"
    if part == "configs" and imported == "__future__":
        return "postpones annotations: ml_collections needs types"
    if part in ("configs", "nwt_tf.codec") and library in FRAMEWORKS:
        return f"may not import {library}"
    if top and library in INSIDE_FUNCTIONS_ONLY and part != "nwt_tf.bin":
        return f"imports {library} at the top level"
    return None


def is_third_party(imported: str) -> bool:
    own = {"nwt_tf", "numpy"}
    return imported.split(".")[0] not in sys.stdlib_module_names | own
