"""Style and episode on models of the synthetic subject, whole: hours of training, then
`--what=control`. The demo's recipe with ten times its clips and room for a style."""

import json
import os
import subprocess
import sys

import pytest

from configs import footage
from data_pipeline.synthetic import write_footage


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
    """Of a training; NWT_CONTROL_PRESET names a trained preset to measure instead."""
    preset = os.environ.get("NWT_CONTROL_PRESET")
    if preset is None:
        folder = tmp_path_factory.mktemp("control")
        preset = folder / "prior"
        train(folder)
    asked = ("--max_clips=12", "--temperature=0.3")
    return nwt("evaluate", "--what=control", f"--preset={preset}", *asked)


def train(folder):
    """docs/style_and_episodes.md has these commands and what came of them."""
    config = footage.get_config("demo")
    write_footage(
        folder / "episodes",
        num_episodes=2,
        clips_per_episode=300,
        clip_seconds=config.segment_seconds,
        height=config.height,
        width=config.width,
        fps=config.fps,
        seed=0,
    )
    shards, codes, dvae = (f"{folder}/{name}" for name in ("shards", "codes", "dvae"))
    nwt("build_dataset", f"--input_dir={folder}/episodes", f"--output_dir={shards}",
        "--config=demo")  # fmt: skip
    nwt("train_dvae", f"--data_dir={shards}", f"--workdir={dvae}", "--config=demo",
        "--config.train.steps=1200")  # fmt: skip
    nwt("extract_codes", f"--preset={dvae}", f"--data_dir={shards}", f"--output_dir={codes}",
        "--codes=argmax")  # fmt: skip
    nwt("train_prior", f"--data_dir={codes}", f"--workdir={folder}/prior", "--config=demo",
        "--config.train.steps=5000", "--config.train.batch_size=8", "--config.model.style_dim=8",
        "--config.model.style_widths=(32,48,48,48)", "--config.loss.style_kl=2")  # fmt: skip


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
