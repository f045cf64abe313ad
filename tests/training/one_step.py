"""One step of both trainers under a strategy, noise off, in a process of its own: what it did.

    python -m tests.training.one_step FILE.npz REPLICAS

With TF_CONFIG set, the hosts that it names take the step together. FILE.npz has the gradients that
the weights were updated with, summed over replicas and clipped, and the losses.
"""

import contextlib
import os
import sys

import keras
import numpy as np
import tensorflow as tf

from nwt_tf.models.critics import Critics
from nwt_tf.models.dvae import DVAE
from nwt_tf.models.far import FAR
from nwt_tf.training import distribution
from nwt_tf.training.dvae_trainer import DVAETrainer
from nwt_tf.training.prior_trainer import PriorTrainer
from nwt_tf.training.schedules import AppliesSums

BATCH, FRAMES, SIDE = 4, 4, 8
# The weights drown in an update at this rate, so that their change is the gradient to float32.
RATE = 2.0**30
CLIP_NORM = 0.05  # of the prior's gradients; the dVAE's are not clipped
CRITICS = (
    ((4, (1, 2, 2), (1, 1, 1), 1), (8, (2, 4, 4), (1, 4, 4), 1)),
    ((4, (2, 2), (1, 1), 1), (8, (4, 4), (2, 2), 2)),
)


@contextlib.contextmanager
def silence():
    """Draws are constants: the same for all codes and clips, however many a replica has."""
    uniform, normal = tf.random.stateless_uniform, tf.random.stateless_normal
    tf.random.stateless_uniform = lambda shape, *args, **kwargs: tf.fill(shape, 0.5)
    tf.random.stateless_normal = lambda shape, *args, **kwargs: tf.zeros(shape)
    yield
    tf.random.stateless_uniform, tf.random.stateless_normal = uniform, normal


def batch():
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 256, (BATCH, FRAMES, 2, 2, 3))
    return {
        "video": corners.repeat(4, axis=2).repeat(4, axis=3).astype(np.uint8),
        "mel": rng.normal(size=(BATCH, 4 * FRAMES, 80)).astype("float32"),
        "codes": rng.integers(0, 4, (BATCH, FRAMES, 2, 2, 2)).astype("int32"),
        "episode": np.array([0, 1, -1, 1], "int32"),
    }


def prior_trainer(clip_norm):
    prior = FAR(
        grid=(2, 2), num_heads=2, num_codes=4, num_episodes=2, episode_dim=4,
        audio_widths=(4,) * 7, audio_pyramid=(4,), style_dim=3, style_widths=(4,) * 4,
        style_pyramid=(4,), embedding_dim=4, width=8, hidden=8, strides=(1,),
        dilations=((1, 1, 2),),
    )  # fmt: skip
    prior.build()
    trainer = PriorTrainer(prior, clip_norm=clip_norm)
    trainer.compile(sgd())
    return trainer, {"prior": prior}


def dvae_trainer(clip_norm):
    dvae = DVAE(SIDE, SIDE, 4, ((4, 1), (8, 1)), (8, 8, 8), 2, 2, 4, 8, 2, 4)
    dvae.build()
    # Codes far from ties: no rounding chooses another.
    dvae.attention.codebook.assign(3.0 * dvae.attention.codebook)
    critics = Critics(CRITICS)
    tf.function(critics)(tf.zeros((1, 2, SIDE, SIDE, 3)))
    trainer = DVAETrainer(dvae, critics, score_drift=0.1, clip_norm=clip_norm)
    trainer.compile(sgd(), sgd())
    return trainer, {"dvae": dvae, "critics": critics}


class SGD(AppliesSums, keras.optimizers.SGD):
    """Moves the weights by RATE times the gradient."""


def sgd():
    return SGD(RATE)


def weights_of(models):
    return {
        f"{name}/{variable.path.split('/', 1)[-1]}": np.array(variable.numpy())
        for name, model in models.items()
        for variable in model.trainable_variables
    }


def step(chosen, make, clip_norm):
    """{weight: gradient} and {loss: value} of one step."""
    with chosen.scope():
        keras.utils.set_random_seed(1)
        trainer, models = make(clip_norm)
        before = weights_of(models)

        def mine(host):
            rows = BATCH // host[1]
            part = {key: value[rows * host[0] :][:rows] for key, value in batch().items()}
            return tf.data.Dataset.from_tensors(part).repeat()

        batches = distribution.batches_of(mine, BATCH)
    with silence():
        history = trainer.fit(batches, steps_per_epoch=1, verbose=0, shuffle=False).history
    after = weights_of(models)
    gradients = {name: (value - after[name]) / RATE for name, value in before.items()}
    return gradients, {name: values[0] for name, values in history.items()}


def main():
    file, replicas = sys.argv[1], int(sys.argv[2])
    if "TF_CONFIG" in os.environ:
        distribution.HEARTBEAT_MS = 600_000  # four of these at once on a busy machine stand still
        chosen = distribution.strategy()
    else:
        cpu = tf.config.list_physical_devices("CPU")[0]
        devices = [tf.config.LogicalDeviceConfiguration()] * replicas
        tf.config.set_logical_device_configuration(cpu, devices)
        names = [f"CPU:{index}" for index in range(replicas)]
        one = tf.distribute.get_strategy()
        chosen = tf.distribute.MirroredStrategy(names) if replicas > 1 else one
    seeds = chosen.run(tf.function(lambda: distribution.step_seed(0, 5)))
    seeds = [seed.numpy() for seed in chosen.experimental_local_results(seeds)]
    found = {"seeds": seeds}
    for make, clip_norm in ((prior_trainer, CLIP_NORM), (dvae_trainer, 0.0)):
        gradients, logs = step(chosen, make, clip_norm)
        found |= {f"{make.__name__}/gradient/{name}": each for name, each in gradients.items()}
        found |= {f"{make.__name__}/loss/{name}": each for name, each in logs.items()}
    np.savez(file, **found)


if __name__ == "__main__":
    main()
