"""Trainings of a study: each is kept when it is done, and a stopped study goes on."""

import hashlib
import json
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from nwt_tf.files import write_text
from nwt_tf.layers.pixels import to_unit_range
from nwt_tf.studies.trainer import batches
from nwt_tf.training.callbacks import Progress, Speed
from nwt_tf.training.schedules import Cosine

ROUND_STEPS = 100


class Curve(keras.callbacks.Callback):
    """Held-out pixel L1 with arg max codes, and the time a step, after every round.

    Args:
        pictures: uint8 [N, height, width, channels].
        seen: uint8, those of the training that an Autoencoder's norm is settled on beforehand.
    """

    def __init__(self, pictures, seen):
        super().__init__()
        self.pictures, self.seen = to_unit_range(pictures), seen
        self.steps, self.l1, self.seconds = [], [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.started, self.first = time.monotonic(), int(self.model.step)

    def on_epoch_end(self, epoch, logs=None):
        step = int(self.model.step)
        self.seconds.append((time.monotonic() - self.started) / (step - self.first))
        self.steps.append(step)
        self.model.autoencoder.settle(self.seen)
        self.l1.append(float(self._measure()))

    @tf.function
    def _measure(self):
        return tf.reduce_mean(tf.abs(self.model.autoencoder(self.pictures)[0] - self.pictures))

    @property
    def step_ms(self):
        """Milliseconds a step, the median over rounds after the first, which also compiles."""
        return 1e3 * float(np.median(self.seconds[1:] or self.seconds))


def train(trainer, pictures, labels, settings, critic_rate=None, callbacks=()):
    """Trains on shuffled pictures, with a progress line now and then.

    Args:
        trainer: a StudyTrainer or ClassifierTrainer.
        pictures, labels: uint8 [N, ...], int32 [N].
        settings: a configs.mnist.Train.
        critic_rate: the critic's learning rate.
        callbacks: more callbacks.
    """
    steps = settings.steps
    round_steps = min(ROUND_STEPS, steps)
    rounds = -(-steps // round_steps)
    # A host call in ten steps: these models take a few milliseconds a step. With a critic, a step
    # takes longer, and so does the tracing of its second gradients.
    together = 2 if getattr(trainer, "train_critic", False) else 10
    together = together if round_steps % together == 0 else 1
    last, warmup = settings.last_rate, min(settings.warmup, steps)
    rate = Cosine(settings.learning_rate, steps, settings.learning_rate * last, warmup)
    compiled = {"steps_per_execution": together}
    if critic_rate is not None and settings.critic_cosine:
        critic_rate = Cosine(critic_rate, steps, critic_rate * last, 1)
    if critic_rate is not None:
        compiled["critic_optimizer"] = keras.optimizers.Adam(critic_rate, 0.5, 0.99)
    trainer.compile(optimizer=keras.optimizers.Adam(rate, 0.9, 0.99), **compiled)
    speed = Speed()
    trainer.fit(
        batches(pictures, labels, settings.batch_size, trainer.seed),
        epochs=rounds,
        steps_per_epoch=round_steps,
        verbose=0,
        shuffle=False,
        callbacks=[speed, Progress(steps, trainer.LOGS, speed), *callbacks],
    )


def each_seed(folder, name, settings, seeds, run):
    """The figures of one run a seed; those that an earlier call finished are read.

    Args:
        folder: figures go to folder/runs/NAME_seedK.json.
        name: of the run.
        settings: plain data, with the `fingerprint` of what is learnt; a run that was made with
            others is refused.
        seeds: ints.
        run: takes a seed, returns figures as plain data.

    Returns:
        A list of dicts.

    Raises:
        ValueError: for a folder that holds runs of other settings or data, or a damaged file.
    """
    settings = json.loads(json.dumps(settings))
    found = []
    for seed in seeds:
        path = Path(folder) / "runs" / f"{name}_seed{seed}.json"
        if path.exists():
            try:
                record = json.loads(path.read_text())
                before, figures = record["settings"], record["figures"]
            except (ValueError, KeyError, TypeError):
                raise ValueError(f"{path} is damaged: remove it, and it is run again.") from None
            if before != settings:
                other = "settings"
                if before | {"data": None} == settings | {"data": None}:
                    other = "data"
                raise ValueError(
                    f"{path} is of other {other}: take another --output_dir, or remove it."
                )
            print(f"{name}, seed {seed}: read from {path}", flush=True)
        else:
            print(f"{name}, seed {seed}", flush=True)
            keras.utils.set_random_seed(seed)
            started = time.monotonic()
            figures = run(seed)
            figures["run_seconds"] = time.monotonic() - started
            write_json(path, {"settings": settings, "figures": figures})
        found.append(figures)
    return found


def fingerprint(*arrays):
    """Hexadecimal digits that tell arrays from others: of their types, shapes and values."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def write_json(path, content):
    """Writes JSON, and the folder that it goes to."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(content, indent=1) + "\n")


def mean_and_spread(runs):
    """{figure: {"mean", "spread", "runs"}} of the runs' single numbers.

    The spread is the standard deviation of a run, None for a single one.
    """
    names = [name for name, value in runs[0].items() if isinstance(value, int | float)]
    summary = {}
    for name in names:
        values = np.array([run[name] for run in runs], np.float64)
        spread = float(values.std(ddof=1)) if len(values) > 1 else None
        summary[name] = {"mean": float(values.mean()), "spread": spread, "runs": len(values)}
    return summary
