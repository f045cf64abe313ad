"""What a preset's config.json states beside its models: footage, training, mean styles."""

import collections
import dataclasses
import json

import numpy as np
import tensorflow as tf

from data_pipeline.dataset import read_clips
from data_pipeline.shards import Manifest
from nwt_tf import presets
from nwt_tf.training.checkpoints import is_begun


def trained_episodes(manifest, clip_frames=1):
    """{name: the models' index} of the episodes that have training clips of so many frames: the
    others' rows of an embedding stay random."""
    left_out = manifest.config["validation_episodes"] + manifest.config["test_episodes"]
    left_out += manifest.untrained
    longest = {}
    for clip_id, frames in manifest.clip_frames("train").items():
        name = manifest.episode_of(clip_id)
        longest[name] = max(frames, longest.get(name, 0))
    left_out += [name for name, frames in longest.items() if frames < clip_frames]
    return {name: index for index, name in enumerate(manifest.episodes) if name not in left_out}


def footage(manifest, clip_frames):
    """What later stages need to know of the footage; episodes are {name: the models' index}, of
    those that have a training clip of so many frames."""
    return {**manifest.config, "episodes": trained_episodes(manifest, clip_frames)}


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


def style_clips(data_dir, clips=256, least=8):
    """{episode: (how many training clips it has, codes of some, spread over them all)}.

    Of each episode that is at most its share of `clips`, or `least` where that is more, and at
    least half of it.
    """
    total = len(Manifest.load(data_dir).clip_frames("train"))
    counts, kept, strides = collections.Counter(), {}, collections.defaultdict(lambda: 1)
    for clip in read_clips(data_dir, "train"):
        episode = clip["record"].episode
        chosen = kept.setdefault(episode, [])
        if counts[episode] % strides[episode] == 0:
            chosen.append(clip["codes"])
        counts[episode] += 1
        if len(chosen) > max(least, clips * counts[episode] // total):
            del chosen[1::2]
            strides[episode] *= 2
    return {episode: (counts[episode], chosen) for episode, chosen in kept.items()}


def mean_styles(prior, clips):
    """The posterior's mean over style_clips.

    Returns:
        (over all of them, {episode: over its own}), lists of floats.
    """
    encode = tf.function(prior.style_encoder, reduce_retracing=True)
    means = {
        episode: np.mean([encode(tf.constant(each)[None]).mean[0] for each in chosen], axis=0)
        for episode, (_, chosen) in clips.items()
    }
    counts = [count for count, _ in clips.values()]
    overall = np.average([*means.values()], axis=0, weights=counts)
    return overall.tolist(), {name: mean.tolist() for name, mean in means.items()}
