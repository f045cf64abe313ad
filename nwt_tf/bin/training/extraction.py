"""The stage between the trainings: footage to codes, with the dVAE that made them beside."""

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf

from data_pipeline import files
from data_pipeline.dataset import read_clips
from data_pipeline.schema import MAX_CODES, serialize
from data_pipeline.shards import Manifest, ShardWriter
from nwt_tf import presets
from nwt_tf.bin.training.preset_sections import trained_episodes
from nwt_tf.files import whole
from nwt_tf.layers.pixels import to_unit_range
from nwt_tf.models.dvae import DVAE

DVAE_FOLDER = "dvae"  # inside a codes dataset: the preset of the dVAE that made the codes


def extract_codes(preset, data_dir, output_dir, sampled=True, seed=0, copies=0, max_shift=4):
    """Encodes every clip once (section 2.2.1) and writes codes and mel as shards.

    Copies are not in the paper: a prior learns an hour of footage by heart, and a shift by a few
    pixels gives the same sound other codes, the framing being the style's to tell.

    Args:
        preset: the dVAE's; copied into output_dir, since codes mean nothing without it.
        data_dir: shards of footage.
        output_dir: a new folder.
        sampled: draw codes from q(z|x), which the paper prefers, or take the most likely.
        seed: of the draws and the shifts.
        copies: of each training clip, further versions with shifted frames.
        max_shift: of those, in pixels, to each side.

    Returns:
        Figures: clips and frames.

    Raises:
        ValueError: where data_dir holds codes or frames of another size than the model's, the
            model has too many codes or other episodes, or output_dir has a dataset.
    """
    output_dir = local_folder("output_dir", output_dir)
    manifest = load_footage(data_dir)
    dvae = DVAE.from_preset(preset)
    check_num_codes(dvae.num_codes)
    _check_rate(manifest, preset, data_dir)
    check_episodes(manifest, presets.read_config(preset), preset)
    size = (manifest.config["height"], manifest.config["width"])
    if size != (dvae.height, dvae.width):
        raise ValueError(
            f"--data_dir={data_dir} has frames of {size[0]}x{size[1]}, the dVAE of "
            f"{preset} takes {dvae.height}x{dvae.width}."
        )
    if (output_dir / "dataset.json").exists():
        raise ValueError(f"--output_dir={output_dir} has a dataset already: take another folder.")
    check_shift(max_shift, size)
    source, target = presets.locate(preset), output_dir / DVAE_FOLDER
    _check_copy(source, target)
    splits, clips, frames = {}, 0, 0
    for split in manifest.splits:
        with ShardWriter(output_dir, split) as writer:
            for copy, clip in _copied(data_dir, manifest, split, copies):
                video = to_unit_range(clip["video"])
                if copy:
                    video = shifted(video, max_shift, np.random.default_rng([seed, clips]))
                draw = tf.constant([seed, clips]) if sampled else None
                codes = dvae.encode(video[None], draw)
                record = dataclasses.replace(
                    clip["record"],
                    clip_id=f"{clip['clip_id']}+{copy}" if copy else clip["clip_id"],
                    frames=(),
                    codes=codes[0].numpy().astype("uint8"),
                )
                writer.write(serialize(record), record.clip_id, record.num_frames)
                clips, frames = clips + 1, frames + record.num_frames
                if clips % 50 == 0:
                    print(f"{clips} clips encoded", flush=True)
        splits[split] = writer.shards
    if not (target.exists() and source.samefile(target)):
        # What an interrupted extraction with another dVAE has left would stay beside this one's.
        shutil.rmtree(target, ignore_errors=True)
        copy_dvae(source, target)
    about = {
        "sampled": sampled,
        "seed": seed,
        "copies": copies,
        "max_shift": max_shift if copies else 0,
        "num_codes": dvae.num_codes,
        "shape": [*dvae.grid, dvae.num_heads],
    }
    dataclasses.replace(manifest, splits=splits, codes=about).save(output_dir)
    print(f"codes are in {output_dir}")
    return {"clips": clips, "frames": frames}


def _copied(data_dir, manifest, split, copies):
    """Yields (number of the copy, 0 for the clip itself, clip): all clips, and the training split's
    once more for each copy, since a training shuffles neighbours among one another only."""
    if manifest.clip_frames(split):
        for copy in range(1 + copies * (split == "train")):
            for clip in read_clips(data_dir, split):
                yield copy, clip


def check_episodes(manifest, config, preset):
    """Refuses a dVAE that has no rows of its own for these episodes, or others' at their places:
    what a prior of the codes is told, the decoder is told, too.

    Args:
        manifest: of the footage.
        config: the preset's.
        preset: its name, for the message.

    Raises:
        ValueError: naming the first such episode.
    """
    known = config["footage"]["episodes"]
    for name, index in trained_episodes(manifest).items():
        if known.get(name) != index:
            raise ValueError(
                f"The dVAE of {preset} does not have episode {name!r} as number {index}: train it "
                f"on this footage first (nwt train_dvae --init_preset={preset} goes on from it)."
            )


def _check_rate(manifest, preset, data_dir):
    """Refuses footage of another frame rate than the dVAE's, which a preset of both would state.

    Raises:
        ValueError: naming both.
    """
    found, known = manifest.config["fps"], presets.read_footage(preset)["fps"]
    if found != known:
        raise ValueError(
            f"--data_dir={data_dir} has {found:g} frames a second, the footage of the dVAE of "
            f"{preset} {known:g}: build it with --config.fps={known:g}."
        )


def _check_copy(source, target):
    """Refuses to write the dVAE's copy over what is no such copy, a training's workdir for one.

    Raises:
        ValueError: naming the folder.
    """
    if not target.exists() or source.samefile(target):
        return
    copied = re.compile(r"(config\.json|dvae\.weights\.\d+\.npz)(\.\d+\.tmp)?")
    if not target.is_dir() or any(not copied.fullmatch(path.name) for path in target.iterdir()):
        raise ValueError(
            f"{target}, where the dVAE of the codes is copied to, holds something else: name "
            "another --output_dir."
        )


def check_shift(max_shift, size):
    """Refuses shifts that a picture cannot be mirrored over.

    Raises:
        ValueError: max_shift is below 1, or not below both sides.
    """
    if not 1 <= max_shift < min(size):
        raise ValueError(
            f"--max_shift must lie in [1, {min(size) - 1}] for frames of {size[0]}x{size[1]}. "
            f"Received: --max_shift={max_shift}"
        )


def shifted(video, max_shift, rng):
    """A clip moved by whole pixels, all its frames alike; what comes in is mirrored at the edge.

    Args:
        video: [T, height, width, 3].
        max_shift: in pixels, to each side.
        rng: numpy Generator.
    """
    edge = (max_shift, max_shift)
    wide = tf.pad(video, [(0, 0), edge, edge, (0, 0)], "REFLECT")
    top, left = rng.integers(0, 2 * max_shift + 1, 2)
    height, width = video.shape[1:3]
    return wide[:, top : top + height, left : left + width]


def check_num_codes(num_codes):
    """Refuses codebooks whose codes shards cannot hold.

    Raises:
        ValueError: they have more than 256 codes.
    """
    if num_codes > MAX_CODES:
        raise ValueError(
            f"num_codes must be at most {MAX_CODES}: shards hold codes as bytes. "
            f"Received: num_codes={num_codes}"
        )


def local_folder(flag, folder):
    """Path of a folder that models write to or read from: shards of footage alone may be remote.

    Raises:
        ValueError: a remote one, such as gs://bucket/folder, of which Path would make a local one.
    """
    if files.is_remote(folder):
        raise ValueError(f"--{flag}={folder} must be a local folder: mount the bucket, or copy it.")
    return Path(folder)


def load_footage(data_dir, flag="data_dir"):
    """The manifest of shards of footage, which a flag names.

    Raises:
        FileNotFoundError, ValueError: see Manifest.load; or they hold codes.
    """
    manifest = Manifest.load(data_dir)
    if manifest.codes is not None:
        raise ValueError(f"--{flag}={data_dir} holds codes, no frames: name the footage's.")
    return manifest


def copy_dvae(source, target):
    """Copies a preset's dVAE: its weights, in place of others, and config.json where the target has
    none."""
    target.mkdir(parents=True, exist_ok=True)
    for file in target.glob("dvae.weights.*.npz"):
        file.unlink()
    for file in source.glob("dvae.weights.*.npz"):
        with whole(target / file.name) as beside:
            shutil.copyfile(file, beside)
    if not (target / "config.json").exists():
        config = presets.read_config(source)
        presets.write_config(target, dvae=config["dvae"], footage=config["footage"])
