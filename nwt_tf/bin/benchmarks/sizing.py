"""Parameters and arithmetic of the paper's models, for `nwt benchmark --what=sizes`."""

import dataclasses

import tensorflow as tf

import configs.dvae
import configs.prior
from nwt_tf.evaluation.sizes import matrix_flops
from nwt_tf.layers.mel import MELS_PER_FRAME, NUM_MELS
from nwt_tf.models import priors
from nwt_tf.models.critics import Critics
from nwt_tf.models.dvae import DVAE

TABLE_3 = {"far": 383_484_000, "mar": 216_327_000}
NAMED_EPISODES = 214  # and the row for 'none': 215 rows
HEIGHT, WIDTH, DVAE_FRAMES, PRIOR_FRAMES = 256, 224, 30, 32  # of a training clip (C.2)


def _video():
    return tf.zeros((1, DVAE_FRAMES, HEIGHT, WIDTH, 3))


def measure_dvae(variant):
    """The generator: encoding and decoding one frame."""
    config = configs.dvae.get_config(variant)
    dvae = DVAE(
        height=HEIGHT,
        width=WIDTH,
        num_episodes=NAMED_EPISODES,
        **dataclasses.asdict(config.model),
    )
    dvae.build()
    flops = matrix_flops(lambda video: dvae(video)[0], _video()) / DVAE_FRAMES
    return _summary(dvae, flops)


def measure_critics():
    """The three critics: scoring one frame."""
    critics = Critics(configs.dvae.get_config("paper").critics)
    critics(_video())
    flops = matrix_flops(lambda video: [scores for _, scores in critics(video)], _video())
    return _summary(critics, flops / DVAE_FRAMES)


def measure_prior(variant):
    """A prior: the teacher-forced pass for one frame, style encoder included."""
    config = configs.prior.get_config(variant)
    arguments = dataclasses.asdict(config.model)
    prior = priors.KINDS[arguments.pop("kind")](num_episodes=NAMED_EPISODES, **arguments)
    prior.build()
    codes = tf.zeros((1, PRIOR_FRAMES, *prior.grid, prior.num_heads), tf.int32)
    mel = tf.zeros((1, PRIOR_FRAMES * MELS_PER_FRAME, NUM_MELS))
    zero, seed = tf.zeros((1,), tf.int32), tf.zeros((2,), tf.int32)
    flops = matrix_flops(lambda mel: prior(mel, codes, zero, seed)[0], mel) / PRIOR_FRAMES
    return _summary(prior, flops)


def _summary(model, flops):
    """({part: parameters}, {"parameters", "gflop_per_frame"})."""
    parts = {layer.name: layer.count_params() for layer in model.layers}
    figures = {"parameters": model.count_params(), "gflop_per_frame": flops / 1e9}
    return parts, figures


MODELS = {
    "far": lambda: measure_prior("paper"),
    "mar": lambda: measure_prior("paper_mar"),
    "har": lambda: measure_prior("paper_har"),
    "dvae_mem16": lambda: measure_dvae("paper"),
    "dvae_mem8": lambda: measure_dvae("paper_mem8"),
    "critics": measure_critics,
}
