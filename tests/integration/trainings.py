"""Trainings of tiny models in processes of their own, on frames and codes of no video."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from data_pipeline.schema import Clip, encode_frame, serialize
from data_pipeline.shards import Manifest, ShardWriter
from nwt_tf import presets

FRAMES, GRID, HEADS, CODES = 10, (8, 7), 4, 4


def _write_clips(folder, content, about=None):
    """Six clips; `content` takes a random generator and gives (frames, codes). Returns the config,
    as dataset.json has it."""
    rng = np.random.default_rng(0)
    with ShardWriter(folder, "train") as writer:
        for number in range(6):
            mel = rng.normal(size=(60, 80)).astype("float32")
            frames, codes = content(rng)
            name = f"a_{number}"
            clip = Clip(name, "a", 25.0, 64, 56, FRAMES, frames=frames, mel=mel, codes=codes)
            writer.write(serialize(clip), name, FRAMES)
    config = {"height": 64, "width": 56, "fps": 25.0}
    config |= {"validation_episodes": [], "test_episodes": []}
    splits = {"train": writer.shards, "validation": [], "test": []}
    Manifest(config, {}, ["a"], splits, codes=about).save(folder)
    return config


def write_frames(folder):
    """Shards of noise for a dVAE."""

    def content(rng):
        noise = rng.integers(0, 256, (FRAMES, 64, 56, 3), np.uint8)
        return tuple(encode_frame(picture, "png") for picture in noise), None

    _write_clips(folder, content)
    return folder


def write_codes(folder):
    """Codes of no video, with the section of a dVAE that could have made them."""

    def content(rng):
        return (), rng.integers(0, CODES, (FRAMES, *GRID, HEADS)).astype("uint8")

    about = {"sampled": True, "seed": 0, "num_codes": CODES, "shape": [*GRID, HEADS]}
    config = _write_clips(folder, content, about)
    section = {"height": 64, "width": 56, "num_heads": HEADS, "num_codes": CODES}
    presets.write_config(
        folder / "dvae",
        dvae=section | {"stages": [[8, 1]] * 3},
        footage=config | {"episodes": {"a": 0}},
    )
    presets.write_weights(folder / "dvae", "dvae", {"kernel": np.ones(3, "float32")})
    return folder


def start(
    data, workdir, steps, *flags, command="train_prior", log=None, before=None, **environment
):
    """Starts a training with a checkpoint every round; its output goes to `log`, by default
    WORKDIR.log. `before` is called in the new process."""
    file = open(log or Path(workdir).with_suffix(".log"), "a")
    return subprocess.Popen(
        [sys.executable, "-m", "nwt_tf.bin.nwt", command, f"--data_dir={data}",
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
        if "learning_rate" in line:
            lines.setdefault(line["step"], set()).add(text)
    return lines
