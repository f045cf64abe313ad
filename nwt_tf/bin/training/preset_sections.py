"""What a preset's config.json states beside its models: footage, training, mean styles."""

import dataclasses
import itertools
import json

import numpy as np
import tensorflow as tf

from data_pipeline.dataset import read_clips
from data_pipeline.shards import Manifest
from nwt_tf import presets
from nwt_tf.bin.training import validation
from nwt_tf.training.checkpoints import is_begun


def footage(manifest):
    """What later stages need to know of the footage; episodes are {name: the models' index}."""
    return {**manifest.config, "episodes": validation.trained_episodes(manifest)}


def training(config):
    """The resolved config as JSON gives it back, so that it compares equal."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def training_defaults(config):
    """Each field's default in the form of `training`; None where the field has none."""
    return json.loads(json.dumps(_defaults(config)))


def _defaults(config):
    found = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            found[field.name] = _defaults(value)
        elif field.default_factory is not dataclasses.MISSING:
            found[field.name] = field.default_factory()
        else:
            found[field.name] = None if field.default is dataclasses.MISSING else field.default
    return found


def write_first(workdir, part, sections):
    """Writes config.json as a training begins or goes on; what one that ended before it had learnt
    anything left of it goes."""
    if not is_begun(workdir, part):
        (workdir / "config.json").unlink(missing_ok=True)
    presets.write_config(workdir, **sections)


def style_clips(data_dir, clips=256):
    """(episode, codes) of training clips, at most so many, spread over them all."""
    total = len(Manifest.load(data_dir).clip_frames("train"))
    chosen = itertools.islice(read_clips(data_dir, "train"), 0, None, -(-total // clips))
    return [(clip["record"].episode, clip["codes"]) for clip in chosen]


def mean_styles(prior, clips):
    """The posterior's mean over style_clips.

    Returns:
        (over all of them, {episode: over its own}), lists of floats.
    """
    found = {}
    encode = tf.function(prior.style_encoder, reduce_retracing=True)
    for episode, codes in clips:
        mean = encode(tf.constant(codes)[None]).mean[0].numpy()
        found.setdefault(episode, []).append(mean)
    overall = np.mean([mean for means in found.values() for mean in means], axis=0)
    return overall.tolist(), {name: np.mean(means, 0).tolist() for name, means in found.items()}
