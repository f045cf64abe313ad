"""Trainings of a tiny prior in processes of their own, on codes that no video has."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from data_pipeline.schema import Clip, serialize
from data_pipeline.shards import Manifest, ShardWriter
from nwt_tf import presets

FRAMES, GRID, HEADS, CODES = 10, (8, 7), 4, 4


def write_codes(folder):
    """Codes of no video, with the section of a dVAE that could have made them."""
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
    presets.write_weights(folder / "dvae", "dvae", {"kernel": np.ones(3, "float32")})
    return folder


def start(codes, workdir, steps, *flags, log=None, before=None, **environment):
    """Starts `nwt train_prior` with a checkpoint every round; its output goes to `log`, by default
    WORKDIR.log. `before` is called in the new process."""
    file = open(log or Path(workdir).with_suffix(".log"), "a")
    return subprocess.Popen(
        [sys.executable, "-m", "nwt_tf.bin.nwt", "train_prior", f"--data_dir={codes}",
         f"--workdir={workdir}", "--config=tiny", f"--config.train.steps={steps}",
         "--config.train.checkpoint_minutes=0", *flags],
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"} | environment,
        stdout=file, stderr=file, preexec_fn=before,
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
