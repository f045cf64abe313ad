"""The stages of a training as functions: where footage (data_pipeline) and models (nwt_tf) meet.

`nwt train_dvae`, `nwt extract_codes`, `nwt train_prior` and `nwt demo` call them.
"""

import contextlib
import dataclasses
import functools
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf

from data_pipeline.dataset import read_clips, sequence_dataset, video_dataset
from data_pipeline.schema import serialize
from data_pipeline.shards import Manifest, ShardWriter
from nwt_tf import presets
from nwt_tf.bin import assembly, validation
from nwt_tf.generation.sampler import Sampler
from nwt_tf.layers.pixels import to_unit_range
from nwt_tf.models.dvae import DVAE
from nwt_tf.training.distribution import is_chief
from nwt_tf.training.run import averaged_weights, check_workdir, train

DVAE_FOLDER = "dvae"  # inside a codes dataset: the preset of the dVAE that made the codes
SOME_CLIPS = 16  # that statistics are measured on


def train_dvae(data_dir, workdir, config, num_gpus=None):
    """Trains dVAE-Adv, from the workdir's last checkpoint on.

    Args:
        data_dir: shards of footage.
        workdir: checkpoints, logs, pictures and the preset.
        config: configs.dvae.DVAEConfig.
        num_gpus: of each host; None for all.

    Returns:
        Figures: steps, seconds, steps_per_second and the last validation.
    """
    workdir, settings = Path(workdir), config.train
    manifest = Manifest.load(data_dir)
    with _prepared(video_dataset, data_dir, workdir, config, num_gpus) as dataset:
        size = (manifest.config["height"], manifest.config["width"])
        trainer = assembly.dvae_trainer(config, *size, len(manifest.episodes))
    dvae = trainer.dvae
    sections = {
        "dvae": dvae.get_config(),
        "footage": _footage(manifest),
        "training": _plain(config),
    }
    clips = [
        (clip["video"][: 2 * settings.clip_frames], clip["episode"])
        for clip in validation.held_out_clips(data_dir, manifest)
    ]
    seen = None
    if dvae.encoder.norm:
        seen = to_unit_range(_some(video_dataset, data_dir, config, "video"))
    last = {}

    @contextlib.contextmanager
    def settled_weights():
        with averaged_weights(dvae, trainer.optimizer):
            dvae.encoder.settle(seen)
            yield

    def measure():
        with settled_weights():
            scalars, pictures = validation.measure_dvae(dvae, clips, manifest.config["fps"])
        last.update({name: value for name, value in scalars.items() if "/" not in name})
        return _tagged(scalars), _tagged(pictures)

    def save(folder):
        with settled_weights():
            presets.write_weights(folder, "dvae", presets.variables_of(dvae))
        presets.write_config(folder, **sections)

    if is_chief():
        presets.write_config(workdir, **sections)

    figures = train(
        trainer,
        dataset,
        workdir=workdir,
        tracked={
            "dvae": dvae,
            "critics": trainer.critics,
            "optimizer": trainer.optimizer,
            "critic_optimizer": trainer.critic_optimizer,
        },
        save_preset=save,
        measure=measure,
        show=("recon", "pixel_l1", "kl", "critic/wasserstein", "critic/gradient_penalty"),
        best=("validation/ssim", False),
        settings=settings,
    )
    print(f"the dVAE is in {workdir}")
    return figures | last


@contextlib.contextmanager
def _prepared(batches, data_dir, workdir, config, num_gpus):
    """Within, the training's devices are in use; what cannot be trained was refused before.

    Args:
        batches: video_dataset or sequence_dataset.
        data_dir, workdir, config, num_gpus: of the training.

    Yields:
        What `train` takes as its dataset.
    """
    settings = config.train
    if settings.clip_frames < 2:
        raise ValueError(
            "config.train.clip_frames must be at least 2: a single frame has no motion. "
            f"Received: config.train.clip_frames={settings.clip_frames}"
        )
    with assembly.devices(settings, num_gpus):
        check_workdir(workdir, _plain(config))
        dataset = functools.partial(
            batches,
            data_dir,
            "train",
            settings.batch_size,
            settings.clip_frames,
            settings.seed,
        )
        dataset()  # An empty split or a missing shard shows now, not after the models are built.
        yield dataset


def extract_codes(preset, data_dir, output_dir, sampled=True, seed=0):
    """Encodes every clip once (section 2.2.1) and writes codes and mel as shards.

    Args:
        preset: the dVAE's; copied into output_dir, since codes mean nothing without it.
        data_dir: shards of footage.
        output_dir: a new folder.
        sampled: draw codes from q(z|x), which the paper prefers, or take the most likely.
        seed: of the draws.

    Returns:
        Figures: clips and frames.

    Raises:
        ValueError: where frames of another size meet the model, or output_dir has a dataset.
    """
    output_dir = Path(output_dir)
    manifest = Manifest.load(data_dir)
    dvae = DVAE.from_preset(preset)
    size = (manifest.config["height"], manifest.config["width"])
    if size != (dvae.height, dvae.width):
        raise ValueError(
            f"--data_dir={data_dir} has frames of {size[0]}x{size[1]}, the dVAE of "
            f"{preset} takes {dvae.height}x{dvae.width}."
        )
    if (output_dir / "dataset.json").exists():
        raise ValueError(f"--output_dir={output_dir} has a dataset already: take another folder.")
    splits, clips, frames = {}, 0, 0
    for split in manifest.splits:
        with ShardWriter(output_dir, split) as writer:
            found = read_clips(data_dir, split) if manifest.clip_frames(split) else ()
            for clip in found:
                draw = tf.constant([seed, clips]) if sampled else None
                codes = dvae.encode(to_unit_range(clip["video"])[None], draw)
                record = dataclasses.replace(
                    clip["record"], frames=(), codes=codes[0].numpy().astype("uint8")
                )
                writer.write(serialize(record), record.clip_id, record.num_frames)
                clips, frames = clips + 1, frames + record.num_frames
                if clips % 50 == 0:
                    print(f"{clips} clips encoded", flush=True)
        splits[split] = writer.shards
    _copy_dvae(presets.locate(preset), output_dir / DVAE_FOLDER)
    about = {
        "sampled": sampled,
        "seed": seed,
        "num_codes": dvae.num_codes,
        "shape": [*dvae.grid, dvae.num_heads],
    }
    dataclasses.replace(manifest, splits=splits, codes=about).save(output_dir)
    print(f"codes are in {output_dir}")
    return {"clips": clips, "frames": frames}


def train_prior(data_dir, workdir, config, num_gpus=None):
    """Trains a prior on extracted codes, from the workdir's last checkpoint on.

    Args:
        data_dir: shards of codes.
        workdir: checkpoints, logs and a complete preset, dVAE included.
        config: configs.prior.PriorConfig.
        num_gpus: of each host; None for all.

    Returns:
        Figures: steps, seconds, steps_per_second and the last validation.

    Raises:
        ValueError: where data_dir holds no codes.
    """
    data_dir, workdir, settings = Path(data_dir), Path(workdir), config.train
    manifest = Manifest.load(data_dir)
    if manifest.codes is None:
        raise ValueError(
            f"--data_dir={data_dir} holds frames, no codes: run nwt extract_codes on it first."
        )
    section = presets.read_config(data_dir / DVAE_FOLDER)
    stride = 2 ** len(section["dvae"]["stages"])
    with _prepared(sequence_dataset, data_dir, workdir, config, num_gpus) as dataset:
        sound = _some(sequence_dataset, data_dir, config, "mel")
        trainer = assembly.prior_trainer(
            config,
            grid=(section["dvae"]["height"] // stride, section["dvae"]["width"] // stride),
            num_heads=section["dvae"]["num_heads"],
            num_codes=section["dvae"]["num_codes"],
            num_episodes=len(manifest.episodes),
            mel=sound,
        )
    prior = trainer.prior
    sections = {
        "dvae": section["dvae"],
        "footage": section["footage"],
        "prior": {"kind": config.model.kind, **prior.get_config()},
        "training": _plain(config),
    }
    clips = validation.held_out_clips(data_dir, manifest)
    held_out = [validation.joined([clip], 1, len(clip["codes"])) for clip in clips]
    if settings.samples and is_chief():
        sampler, dvae = Sampler(prior), DVAE.from_preset(data_dir / DVAE_FOLDER)
        shown = validation.joined(clips, settings.samples, settings.clip_frames)
    last = {}

    @contextlib.contextmanager
    def settled_weights():
        with averaged_weights(prior, trainer.optimizer):
            prior.audio_encoder.settle(sound)
            yield

    def measure():
        with settled_weights():
            last.update(validation.measure_prior(trainer, held_out))
            pictures = {}
            if settings.samples:
                fps = manifest.config["fps"]
                pictures = validation.picture_samples(sampler, dvae, shown, fps)
        return _tagged(last), _tagged(pictures)

    def save(folder):
        with settled_weights():
            presets.write_weights(folder, "prior", presets.variables_of(prior))
            style, by_episode = _mean_styles(prior, data_dir)
        if folder != workdir:
            _copy_dvae(data_dir / DVAE_FOLDER, folder)
        presets.write_config(folder, **sections, default_style=style, episode_styles=by_episode)

    if is_chief():
        _copy_dvae(data_dir / DVAE_FOLDER, workdir)
        presets.write_config(workdir, **sections)

    figures = train(
        trainer,
        dataset,
        workdir=workdir,
        tracked={"prior": prior, "optimizer": trainer.optimizer},
        save_preset=save,
        measure=measure,
        show=("code", "bits_per_code", "style_kl"),
        best=("validation/bits_per_code", True),
        settings=settings,
    )
    print(f"the preset, dVAE and prior, is in {workdir}")
    return figures | last


def _tagged(measured):
    """Under TensorBoard's tags of validations."""
    return {f"validation/{name}": value for name, value in measured.items()}


def _some(batches, data_dir, config, name):
    """A mixed batch of training clips, to measure statistics on; the same on every host."""
    settings = config.train
    some = batches(data_dir, "train", SOME_CLIPS, settings.clip_frames, settings.seed)
    return next(iter(some))[name]


def _mean_styles(prior, data_dir, clips=256):
    """The posterior's mean over training clips, at most so many, spread over them all.

    Returns:
        (over all of them, {episode: over its own}), lists of floats.
    """
    found = {}
    encode = tf.function(prior.style_encoder, reduce_retracing=True)
    total = len(Manifest.load(data_dir).clip_frames("train"))
    stride = -(-total // clips)
    for clip in itertools.islice(read_clips(data_dir, "train"), 0, None, stride):
        mean = encode(tf.constant(clip["codes"])[None]).mean[0].numpy()
        found.setdefault(clip["record"].episode, []).append(mean)
    overall = np.mean([mean for means in found.values() for mean in means], axis=0)
    return overall.tolist(), {name: np.mean(means, 0).tolist() for name, means in found.items()}


def _footage(manifest):
    """What later stages need to know of the footage; episodes are {name: the models' index}."""
    return {**manifest.config, "episodes": validation.trained_episodes(manifest)}


def _plain(config):
    """The resolved config as JSON gives it back, so that it compares equal."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def _copy_dvae(source, target):
    """Copies a preset's dVAE: its weights, and config.json where the target has none."""
    target.mkdir(parents=True, exist_ok=True)
    for file in source.glob("dvae.weights.*.npz"):
        shutil.copyfile(file, target / file.name)
    if not (target / "config.json").exists():
        config = presets.read_config(source)
        presets.write_config(target, dvae=config["dvae"], footage=config["footage"])
