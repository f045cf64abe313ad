"""Style and episode on the demo's models, whole: minutes of training, then `--what=control`."""

import json
import os
import subprocess
import sys

import pytest


def nwt(*arguments):
    """A command in a process of its own; its last line."""
    done = subprocess.run(
        [sys.executable, "-m", "nwt_tf.bin.nwt", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """Of a demo; NWT_CONTROL_PRESET names a trained preset to measure instead."""
    preset = os.environ.get("NWT_CONTROL_PRESET")
    if preset is None:
        folder = tmp_path_factory.mktemp("control") / "demo"
        nwt("demo", "--train", f"--output_dir={folder}")
        preset = folder / "prior"
    return nwt("evaluate", "--what=control", f"--preset={preset}")


@pytest.mark.soak
@pytest.mark.parametrize("trait", ["lean", "zoom", "warmth"])
def test_copied_styles_move_traits_to_the_reference_s(figures, trait):
    assert figures[f"{trait}_followed"] > 0.5
    assert figures[f"{trait}_moved"] > 0.25
    assert figures[f"{trait}_nearer"] > 0.5


@pytest.mark.soak
def test_a_switched_episode_changes_the_look_and_leaves_the_mouth_to_the_sound(figures):
    assert figures["switch_right"] == 1.0
    assert min(figures["switch_backdrop"], figures["switch_clothes"]) > 0.75
    assert min(figures["switch_mouth_own"], figures["switch_mouth_other"]) > 0.5
