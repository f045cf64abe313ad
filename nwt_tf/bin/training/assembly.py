"""A config's models, optimizers and trainer, under the strategy of the command.

The trainings (stages) and the benchmark of training (pace) make them here.
"""

import contextlib
import dataclasses

import keras
import tensorflow as tf

from nwt_tf.layers.causal_conv import CausalConv1D, CausalConv3D
from nwt_tf.layers.residual import ResidualBlock2D
from nwt_tf.layers.spatially_connected import SpatiallyConnected3D
from nwt_tf.models import priors
from nwt_tf.models.critics import Critics
from nwt_tf.models.dvae import DVAE
from nwt_tf.training.distribution import has_gpu, strategy
from nwt_tf.training.dvae_trainer import DVAETrainer
from nwt_tf.training.prior_trainer import PriorTrainer
from nwt_tf.training.schedules import adam, learning_rate

# The least of a config's `train`, and why.
LEAST = {
    "steps": (1, "updates of the weights"),
    "batch_size": (1, "clips of a step"),
    "clip_frames": (2, "a single frame has no motion"),
    "log_every": (1, "so many steps are a round"),
    "validate_every": (1, "steps between validations"),
    "steps_per_execution": (1, "steps of a call from the host"),
    "halve_every": (1, "steps in which the rate halves"),
    "seed": (0, "NumPy takes none below"),
}

# Layers whose inputs, laid side by side for a matrix product, are many times the inputs.
LAID_OUT = (CausalConv1D, CausalConv3D, SpatiallyConnected3D)


def check_least(settings):
    """Refuses a config's `train` with a number below its LEAST, or betas that are no pair.

    Raises:
        ValueError: naming it.
    """
    for name, (least, why) in LEAST.items():
        if getattr(settings, name) < least:
            raise ValueError(
                f"config.train.{name} must be at least {least}: {why}. "
                f"Received: config.train.{name}={getattr(settings, name)}"
            )
    for name in ("betas", "critic_betas"):
        if len(getattr(settings, name, (0, 0))) != 2:
            raise ValueError(
                f"config.train.{name} must be two numbers. "
                f"Received: config.train.{name}={getattr(settings, name)}"
            )


@contextlib.contextmanager
def devices(settings, num_gpus=None):
    """The strategy's scope; where hosts are joined, which must come before all else.

    Args:
        settings: a config's `train`.
        num_gpus: of each host; None for all.

    Raises:
        ValueError: see check_least and distribution.strategy.
    """
    check_least(settings)
    chosen = strategy(num_gpus)
    tf.config.experimental.enable_tensor_float_32_execution(settings.tensor_float_32)
    keras.utils.set_random_seed(settings.seed)  # the initial weights
    with chosen.scope():
        yield


def dvae_trainer(config, height, width, num_episodes):
    """The compiled trainer of a DVAEConfig, with built models, within `devices`.

    Args:
        config: configs.dvae.DVAEConfig.
        height, width: of the frames.
        num_episodes: named episodes.
    """
    settings = config.train
    dvae = DVAE(
        height=height,
        width=width,
        num_episodes=num_episodes,
        dtype=_precision(settings),
        **dataclasses.asdict(config.model),
    )
    dvae.build()
    critics = Critics(config.critics, grouped=settings.grouped_convolutions)
    critics(tf.zeros((1, 4, height, width, 3)))
    if settings.rematerialise_generator:
        _rematerialise(dvae, ResidualBlock2D)
    trainer = DVAETrainer(
        dvae,
        critics,
        **dataclasses.asdict(config.loss),
        rematerialise_critics=settings.rematerialise_critics,
        mixed_critics=settings.mixed_critics and has_gpu(),
        penalty_in_xla=settings.penalty_in_xla,
        xla_parts=settings.xla_parts,
        **_shared(settings),
    )
    critic_settings = dataclasses.replace(settings, learning_rate=settings.critic_rate, ema=0.0)
    trainer.compile(
        adam(learning_rate(settings), settings, settings.betas, has_gpu()),
        adam(learning_rate(critic_settings), critic_settings, settings.critic_betas, has_gpu()),
        steps_per_execution=settings.steps_per_execution,
    )
    return trainer


def prior_trainer(config, grid, num_heads, num_codes, num_episodes, mel=None):
    """The compiled trainer of a PriorConfig, with a built prior, within `devices`.

    Args:
        config: configs.prior.PriorConfig.
        grid: (h, w) of the Memcodes.
        num_heads, num_codes: of a Memcode.
        num_episodes: named episodes.
        mel: of some training clips, to start the audio encoder with, see AudioEncoder.calibrate.

    Raises:
        ValueError: the loss's window is longer than the clips.
    """
    settings, window = config.train, config.loss.window_frames
    if window > settings.clip_frames:
        raise ValueError(
            "config.loss.window_frames must be at most "
            f"config.train.clip_frames={settings.clip_frames}. "
            f"Received: config.loss.window_frames={window}"
        )
    arguments = dataclasses.asdict(config.model)
    kind = arguments.pop("kind")
    if kind not in priors.KINDS:
        raise ValueError(
            f"config.model.kind must be one of {', '.join(priors.KINDS)}. Received: {kind!r}"
        )
    prior = priors.KINDS[kind](
        grid=grid,
        num_heads=num_heads,
        num_codes=num_codes,
        num_episodes=num_episodes,
        dtype=_precision(settings),
        **arguments,
    )
    prior.build()
    if mel is not None:
        prior.audio_encoder.calibrate(mel)
    if settings.rematerialise:
        _rematerialise(prior, LAID_OUT)
    trainer = PriorTrainer(prior, **dataclasses.asdict(config.loss), **_shared(settings))
    trainer.compile(
        adam(learning_rate(settings), settings, settings.betas, has_gpu()),
        steps_per_execution=settings.steps_per_execution,
    )
    return trainer


def _precision(settings):
    return "mixed_bfloat16" if settings.mixed_precision and has_gpu() else "float32"


def _shared(settings):
    """Arguments of both trainers.

    Raises:
        ValueError: a replica's batch does not fall into num_accumulated parts.
    """
    replicas, parts = tf.distribute.get_strategy().num_replicas_in_sync, settings.num_accumulated
    if parts < 1 or settings.batch_size % (replicas * parts):
        raise ValueError(
            f"config.train.batch_size={settings.batch_size} must be a multiple of {replicas} "
            f"(devices) times config.train.num_accumulated. Received: "
            f"config.train.num_accumulated={parts}"
        )
    return {
        "episode_dropout": settings.episode_dropout,
        "seed": settings.seed,
        "clip_norm": settings.clip_norm,
        "skip_nonfinite": settings.skip_nonfinite,
        "num_accumulated": settings.num_accumulated,
        "jit_compile": has_gpu(),
    }


def _rematerialise(model, kinds):
    """Layers of these kinds keep their inputs alone and compute the rest again on the way back."""
    for layer in model._flatten_layers():
        if isinstance(layer, kinds):
            layer.call = keras.remat(layer.call)
