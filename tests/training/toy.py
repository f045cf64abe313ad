"""A trainer of one weight, for tests of what surrounds a training."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import tensorflow as tf

from nwt_tf import presets
from nwt_tf.training.run import averaged_weights, train
from nwt_tf.training.schedules import adam
from nwt_tf.training.trainer import Trainer

SETTINGS = SimpleNamespace(
    log_every=2, validate_every=4, checkpoint_minutes=60.0, keep_best=0, batch_size=1
)


class Toy(Trainer):
    """Draws a weight towards 3 with noise that the step seeds, as the real trainers do."""

    LOGS = ("distance",)

    def __init__(
        self, ema=0.9, bad_step=-1, steps_per_execution=1, jit_compile=False, rate=0.1, **kwargs
    ):
        super().__init__(jit_compile=jit_compile, **kwargs)
        self.bad_step = bad_step
        self.dense = keras.layers.Dense(1, kernel_initializer="ones")
        self.dense.build((None, 2))
        self.built = True
        optimizer = adam(rate, SimpleNamespace(epsilon=1e-7, ema=ema), (0.9, 0.99), jit_compile)
        self.compile(optimizer, steps_per_execution=steps_per_execution)
        self.optimizer.build(self.dense.trainable_variables)

    def train_step(self, batch):
        noise = tf.random.stateless_normal((1, 1), tf.stack([tf.cast(self.step, tf.int32), 0]))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self.dense(batch) - 3.0 + 0.1 * noise))
            scaled = loss * self.loss_scale
        variables = self.dense.trainable_variables
        gradients = tape.gradient(scaled, variables)
        loss = tf.where(tf.equal(self.step, self.bad_step), np.nan, loss)
        return self.finish_step({"distance": loss}, [(self.optimizer, gradients, variables)])


def ones(start, host):
    return tf.data.Dataset.from_tensors(tf.ones((1, 2))).repeat()


def run(toy, workdir, steps, dataset=ones, measure=lambda: ({}, {}), **settings):
    """Trains the toy; its preset is a file with the averaged weights."""

    def save(folder):
        with averaged_weights(toy, toy.optimizer):
            presets.write_weights(folder, "dvae", presets.variables_of(toy))
        presets.write_config(folder)

    return train(
        toy,
        dataset,
        workdir=workdir,
        tracked={"dense": toy.dense, "optimizer": toy.optimizer},
        save_preset=save,
        measure=measure,
        show=("distance",),
        best=("validation/ssim", False),
        settings=SimpleNamespace(**{**vars(SETTINGS), "steps": steps, **settings}),
    )


def state_of(toy):
    variables = toy.dense.trainable_variables + toy.optimizer.variables
    return [np.array(variable.numpy()) for variable in variables]


def logged(workdir):
    """{step: distance} of metrics.jsonl's training lines."""
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["distance"] for line in lines if "distance" in line}
