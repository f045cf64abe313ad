"""Both trainings as functions: where footage (data_pipeline) and models (nwt_tf) meet.

`nwt train_dvae`, `nwt train_prior` and `nwt demo` call them; extraction.py is the stage between.
"""

import contextlib
import functools

from data_pipeline.dataset import sequence_dataset, video_dataset
from data_pipeline.shards import Manifest
from nwt_tf import presets
from nwt_tf.bin.training import assembly, preset_sections, validation
from nwt_tf.bin.training.extraction import (
    DVAE_FOLDER,
    check_num_codes,
    copy_dvae,
    load_footage,
    local_folder,
)
from nwt_tf.bin.training.warm_start import started
from nwt_tf.generation.sampler import Sampler
from nwt_tf.layers.pixels import to_unit_range
from nwt_tf.models.dvae import DVAE
from nwt_tf.training.checkpoints import is_begun
from nwt_tf.training.distribution import is_chief
from nwt_tf.training.run import averaged_weights, check_workdir, train
from nwt_tf.training.trainer import reading_batches

SOME_CLIPS = 16  # that statistics are measured on


def train_dvae(data_dir, workdir, config, num_gpus=None, init_preset=None):
    """Trains dVAE-Adv, from the workdir's last checkpoint on.

    Args:
        data_dir: shards of footage.
        workdir: checkpoints, logs, pictures and the preset.
        config: configs.dvae.DVAEConfig.
        num_gpus: of each host; None for all.
        init_preset: whose weights a new training starts from; None for random ones. What a
            workdir has to go on from goes before.

    Returns:
        Figures: steps, seconds, steps_per_second and the last validation.

    Raises:
        ValueError: where data_dir holds codes, or the config does not fit shards, workdir
            or init_preset.
    """
    workdir, settings = local_folder("workdir", workdir), config.train
    manifest = load_footage(data_dir)
    check_num_codes(config.model.num_codes)  # Shows now, not after the training.
    footage = preset_sections.footage(manifest, settings.clip_frames)
    with _prepared(
        "dvae", video_dataset, data_dir, workdir, config, num_gpus, footage
    ) as dataset:
        size = (manifest.config["height"], manifest.config["width"])
        trainer = assembly.dvae_trainer(config, *size, len(manifest.episodes))
        start = started(trainer.dvae, init_preset, "dvae", footage["episodes"], workdir)
    dvae = trainer.dvae
    # Episodes in whose mean 'none' lies, where no step trains it.
    means = [] if settings.episode_dropout else list(footage["episodes"].values())
    sections = {
        "dvae": dvae.get_config(),
        "footage": footage,
        "training": preset_sections.training(config),
        **start,
    }
    clips = [
        (clip["video"][: 2 * settings.clip_frames], clip["episode"])
        for clip in validation.held_out_clips(data_dir, manifest, footage["episodes"])
    ]
    seen = None
    if dvae.encoder.norm:
        seen = to_unit_range(_some(video_dataset, data_dir, config, "video"))
    last = {}

    @contextlib.contextmanager
    def settled_weights():
        none = dvae.episode_embedding.with_mean_none(means)
        with averaged_weights(dvae, trainer.optimizer), none:
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
        preset_sections.write_first(workdir, "dvae", sections)

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
def _prepared(part, batches, data_dir, workdir, config, num_gpus, footage):
    """Within, the training's devices are in use; what cannot be trained was refused before.

    Args:
        part: 'dvae' or 'prior'.
        batches: video_dataset or sequence_dataset.
        data_dir, workdir, config, num_gpus: of the training.
        footage: section of the preset.

    Yields:
        What `train` takes as its dataset.
    """
    settings = config.train
    with assembly.devices(settings, num_gpus):
        check_workdir(
            workdir,
            part,
            preset_sections.training(config),
            preset_sections.training_defaults(config),
            {name: footage[name] for name in ("height", "width", "fps", "episodes")},
        )
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


def train_prior(data_dir, workdir, config, num_gpus=None, init_preset=None):
    """Trains a prior on extracted codes, from the workdir's last checkpoint on.

    Args:
        data_dir: shards of codes.
        workdir: checkpoints, logs and a complete preset, dVAE included.
        config: configs.prior.PriorConfig.
        num_gpus: of each host; None for all.
        init_preset: see train_dvae.

    Returns:
        Figures: steps, seconds, steps_per_second and the last validation.

    Raises:
        ValueError: where data_dir holds no codes, or the config does not fit workdir or
            init_preset.
    """
    data_dir, workdir = local_folder("data_dir", data_dir), local_folder("workdir", workdir)
    settings = config.train
    manifest = Manifest.load(data_dir)
    if manifest.codes is None:
        raise ValueError(
            f"--data_dir={data_dir} holds frames, no codes: run nwt extract_codes on it first."
        )
    section = presets.read_config(data_dir / DVAE_FOLDER)
    stride = 2 ** len(section["dvae"]["stages"])
    episodes = preset_sections.trained_episodes(manifest, settings.clip_frames)
    known = section["footage"]["episodes"]
    footage = section["footage"] | {
        "episodes": {name: index for name, index in known.items() if name in episodes}
    }
    with _prepared(
        "prior", sequence_dataset, data_dir, workdir, config, num_gpus, footage
    ) as dataset:
        _check_same_dvae(workdir, data_dir)
        # A damaged shard is named here.
        clips = validation.held_out_clips(data_dir, manifest, episodes)
        sound = _some(sequence_dataset, data_dir, config, "mel")
        trainer = assembly.prior_trainer(
            config,
            grid=(section["dvae"]["height"] // stride, section["dvae"]["width"] // stride),
            num_heads=section["dvae"]["num_heads"],
            num_codes=section["dvae"]["num_codes"],
            num_episodes=len(manifest.episodes),
            mel=sound,
        )
        start = started(trainer.prior, init_preset, "prior", episodes, workdir)
    prior = trainer.prior
    # Episodes in whose mean 'none' lies, where no step trains it.
    means = [] if settings.episode_dropout else list(episodes.values())
    sections = {
        "dvae": section["dvae"],
        "footage": footage,
        "codes": {"sampled": manifest.codes["sampled"]},
        "prior": {"kind": config.model.kind, **prior.get_config()},
        "training": preset_sections.training(config),
        **start,
    }
    held_out = [validation.joined([clip], 1, len(clip["codes"])) for clip in clips]
    if settings.samples and is_chief():
        sampler, dvae = Sampler(prior), DVAE.from_preset(data_dir / DVAE_FOLDER)
        shown = validation.joined(clips, settings.samples, settings.clip_frames)
    styled = preset_sections.style_clips(data_dir) if is_chief() else []
    last = {}

    @contextlib.contextmanager
    def settled_weights():
        none = prior.episode_embedding.with_mean_none(means)
        with averaged_weights(prior, trainer.optimizer), none:
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
        if folder != workdir:
            copy_dvae(data_dir / DVAE_FOLDER, folder)
        with settled_weights():
            style, by_episode = preset_sections.mean_styles(prior, styled)
            presets.write_config(
                folder, **sections, default_style=style, episode_styles=by_episode
            )
            presets.write_weights(folder, "prior", presets.variables_of(prior))

    if is_chief():
        preset_sections.write_first(workdir, "prior", sections)
        if not is_begun(workdir, "prior"):
            copy_dvae(data_dir / DVAE_FOLDER, workdir)

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


def _check_same_dvae(workdir, data_dir):
    """Refuses a workdir whose prior has learnt the codes of another dVAE.

    Raises:
        ValueError: naming both.
    """
    if not is_begun(workdir, "prior"):
        return
    before, now = (presets.fingerprint(each, "dvae") for each in (workdir, data_dir / DVAE_FOLDER))
    if before != now:
        raise ValueError(
            f"--workdir={workdir} was trained on the codes of another dVAE than those of "
            f"--data_dir={data_dir}: take another workdir."
        )


def _tagged(measured):
    """Under TensorBoard's tags of validations."""
    return {f"validation/{name}": value for name, value in measured.items()}


def _some(batches, data_dir, config, name):
    """A mixed batch of training clips, to measure statistics on; the same on every host."""
    settings = config.train
    some = batches(data_dir, "train", SOME_CLIPS, settings.clip_frames, settings.seed)
    with reading_batches():
        return next(iter(some))[name]
