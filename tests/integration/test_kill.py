"""Trainings that are killed at random moments end where an unbroken one does, bit for bit."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data_pipeline.schema import Clip, serialize
from data_pipeline.shards import Manifest, ShardWriter
from nwt_tf import presets

FRAMES, GRID, HEADS, CODES = 10, (8, 7), 4, 4


@pytest.fixture(scope="module")
def codes(tmp_path_factory):
    """Codes of no video, with the section of a dVAE that could have made them."""
    folder = tmp_path_factory.mktemp("codes")
    rng = np.random.default_rng(0)
    with ShardWriter(folder, "train") as writer:
        for number in range(6):
            clip = Clip(
                clip_id=f"a_{number}",
                episode="a",
                fps=25.0,
                height=64,
                width=56,
                num_frames=FRAMES,
                frames=(),
                mel=rng.normal(size=(60, 80)).astype("float32"),
                codes=rng.integers(0, CODES, (FRAMES, *GRID, HEADS)).astype("uint8"),
            )
            writer.write(serialize(clip), clip.clip_id, FRAMES)
    config = {"height": 64, "width": 56, "fps": 25.0}
    held_out = {"validation_episodes": [], "test_episodes": []}
    splits = {"train": writer.shards, "validation": [], "test": []}
    about = {"sampled": True, "seed": 0, "num_codes": CODES, "shape": [*GRID, HEADS]}
    Manifest(config | held_out, {}, ["a"], splits, codes=about).save(folder)
    section = {"height": 64, "width": 56, "num_heads": HEADS, "num_codes": CODES}
    presets.write_config(
        folder / "dvae",
        dvae=section | {"stages": [[8, 1]] * 3},
        footage=config | held_out | {"episodes": {"a": 0}},
    )
    return folder


def start(codes, workdir, steps):
    log = open(Path(workdir).with_suffix(".log"), "a")
    return subprocess.Popen(
        [sys.executable, "-m", "nwt_tf.bin.nwt", "train_prior", f"--data_dir={codes}",
         f"--workdir={workdir}", "--config=tiny", f"--config.train.steps={steps}",
         "--config.train.checkpoint_minutes=0"],
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=log, stderr=log,
    )  # fmt: skip


def logged(workdir):
    """{step: set of its lines} of metrics.jsonl; a step seen twice must read the same."""
    lines = {}
    path = Path(workdir) / "metrics.jsonl"
    for text in path.read_text().splitlines() if path.exists() else []:
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue  # the line under way when the process was killed
        if "code" in line:
            lines.setdefault(line["step"], set()).add(text)
    return lines


def kill_and_compare(codes, folder, kills, steps, seed):
    rng = random.Random(seed)
    assert start(codes, folder / "unbroken", steps).wait(timeout=600) == 0
    unbroken = logged(folder / "unbroken")
    broken = folder / "broken"
    for _ in range(kills):
        seen = len(logged(broken))
        process = start(codes, broken, steps)
        while len(logged(broken)) <= seen and process.poll() is None:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    assert start(codes, broken, steps).wait(timeout=600) == 0
    assert logged(broken) == unbroken and max(unbroken) == steps
    for name, weights in presets.read_weights(folder / "unbroken", "prior").items():
        np.testing.assert_array_equal(weights, presets.read_weights(broken, "prior")[name])
    return broken


def test_a_killed_training_ends_as_an_unbroken_one(codes, tmp_path):
    broken = kill_and_compare(codes, tmp_path, kills=1, steps=16, seed=0)
    assert "resumed from" in broken.with_suffix(".log").read_text()


@pytest.mark.soak
def test_five_kills(codes, tmp_path):
    kill_and_compare(codes, tmp_path, kills=5, steps=200, seed=1)
