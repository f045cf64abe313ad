"""The whole path, from footage to a prior, once: tests of several commands go on from there."""

import json

from data_pipeline.synthetic import write_footage
from data_pipeline.synthetic_voice import synthesize_voice
from tests.integration.commands import run, write_wav

SECONDS = 1.7  # of the unseen sound
FPS = 25
CLIP_SECONDS = 1.2


def walk(root):
    """All stages once, each at the `tiny` config: footage, shards, dvae, codes, prior, lines."""
    write_footage(root / "footage", clips_per_episode=4, clip_seconds=CLIP_SECONDS)
    write_wav(root / "speech.wav", 0.9 * synthesize_voice(SECONDS, seed=99).waveform)
    lines = {
        "build_dataset": run(
            "build_dataset",
            f"--input_dir={root / 'footage'}",
            f"--output_dir={root / 'shards'}",
            "--config=demo",
            f"--config.segment_seconds={CLIP_SECONDS}",
            "--num_workers=1",
        )[0],
        "train_dvae": run("train_dvae", *training(root, "shards", "dvae"))[0],
        "extract_codes": run(
            "extract_codes",
            f"--preset={root / 'dvae'}",
            f"--data_dir={root / 'shards'}",
            f"--output_dir={root / 'codes'}",
        )[0],
        "train_prior": run(
            "train_prior", *training(root, "codes", "prior"), "--config.train.samples=1"
        )[0],
    }
    (root / "lines.json").write_text(json.dumps(lines))
    return root


def training(root, data, workdir):
    return f"--data_dir={root / data}", f"--workdir={root / workdir}", "--config=tiny"
