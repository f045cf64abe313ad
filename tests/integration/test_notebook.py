"""docs/memcodes.ipynb runs from top to bottom, on a tiny model."""

import dataclasses
from pathlib import Path

import keras
import nbformat
from nbclient import NotebookClient

from configs.dvae import get_config
from nwt_tf import presets
from nwt_tf.models.dvae import DVAE

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "memcodes.ipynb"


def write_preset(folder):
    keras.utils.set_random_seed(0)
    arguments = dataclasses.asdict(get_config("tiny").model)
    dvae = DVAE(height=64, width=56, **arguments)
    dvae.build()
    presets.write_config(folder, dvae=dvae.get_config())
    presets.write_weights(folder, "dvae", presets.variables_of(dvae))


def outputs(notebook):
    """(all printed text and results, number of pictures)."""
    found = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = [each.get("text") or each.get("data", {}).get("text/plain", "") for each in found]
    return "\n".join(texts), sum("image/png" in each.get("data", {}) for each in found)


def test_the_notebook_runs(tmp_path, monkeypatch):
    write_preset(tmp_path / "preset")
    monkeypatch.setenv("NWT_PRESET", str(tmp_path / "preset"))
    monkeypatch.setenv("NWT_STEPS", "3")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(NOTEBOOK, 4)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": tmp_path}})
    client.execute()
    text, pictures = outputs(notebook)
    assert "Memcodes in use" in text and "codes (8, 8, 7, 4) out of 4" in text
    assert "True" in text  # looked-up values equal
    assert "largest change inside the square" in text
    assert pictures == 3


def test_the_committed_notebook_is_executed_and_small():
    notebook = nbformat.read(NOTEBOOK, 4)
    text, pictures = outputs(notebook)
    assert pictures == 3 and "Memcodes in use" in text
    assert "upper edge 0" in text  # a changed head's effect stays where it was made
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert "/tmp" not in text and "Warning" not in text
    assert NOTEBOOK.stat().st_size < 400_000
