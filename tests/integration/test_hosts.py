"""Several hosts under MultiWorkerMirroredStrategy: here two processes on loopback."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from nwt_tf import presets
from tests.integration.trainings import logged, start, write_codes
from tests.training.hosts import tf_configs

# A training of two weights: a step costs nothing, all around it is the real thing.
HOST = """
import sys
from types import SimpleNamespace
import numpy as np, keras, tensorflow as tf
from nwt_tf import presets
from nwt_tf.bin import command
from nwt_tf.training import distribution
from nwt_tf.training.run import train
from nwt_tf.training.schedules import adam
from nwt_tf.training.trainer import Trainer

workdir, steps = sys.argv[1], int(sys.argv[2])
distribution.HEARTBEAT_MS = 30_000  # how long the test waits until a death is noticed
CLIPS = np.array([[[1.0, 2.0], [0.5, -1.0], [3.0, 0.0], [1.0, 1.0]]], "float32")

class Small(Trainer):
    LOGS = ("code",)

    def __init__(self):
        super().__init__(clip_norm=0.5)
        self.dense = keras.layers.Dense(1, kernel_initializer="ones")
        self.dense.build((None, 2))
        self.built = True
        self.compile(adam(0.05, SimpleNamespace(epsilon=1e-7, ema=0.9), (0.9, 0.99)))
        self.optimizer.build(self.dense.trainable_variables)

    def train_step(self, clips):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self.dense(clips) - 3.0))
            scaled = loss * self.loss_scale
        variables = self.dense.trainable_variables
        gradients = tape.gradient(scaled, variables)
        return self.finish_step({"code": loss}, [(self.optimizer, gradients, variables)])

def clips(start, host):
    rows = len(CLIPS[0]) // host[1]
    mine = tf.data.Dataset.from_tensors(CLIPS[0, rows * host[0]:][:rows])
    return mine.repeat().skip(start)

def save(folder):
    presets.write_weights(folder, "prior", presets.variables_of(trainer))
    presets.write_config(folder)

def main():
    global trainer
    with distribution.strategy().scope():
        trainer = Small()
    settings = SimpleNamespace(steps=steps, log_every=5, validate_every=10, checkpoint_minutes=0,
                               keep_best=1, batch_size=4)
    train(trainer, clips, workdir=workdir, save_preset=save, settings=settings, show=("code",),
          tracked={"dense": trainer.dense, "optimizer": trainer.optimizer},
          measure=lambda: ({"validation/x": 1.0}, {}), best=("validation/x", True))
    print("finished", trainer.steps_done)

command.run("host", main, __import__("absl.flags").flags.FlagValues(), "", [])
"""


@pytest.fixture
def hosts(tmp_path):
    """start(workdir, steps, log, **environment) of a host; none outlives its test."""
    started = []

    def start_host(workdir, steps, log, **environment):
        quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        with open(tmp_path / log, "w") as output:
            started.append(subprocess.Popen(
                [sys.executable, "-c", HOST, str(workdir), str(steps)],
                env=os.environ | quiet | environment, stdout=output, stderr=subprocess.STDOUT,
            ))  # fmt: skip
        return started[-1]

    yield start_host
    for process in started:
        process.kill()


def start_two(hosts, workdir, steps):
    return [
        hosts(workdir, steps, f"{index}.log", TF_CONFIG=config)
        for index, config in enumerate(tf_configs())
    ]


def until_step(workdir, step, processes):
    end = time.monotonic() + 300
    while max(logged(workdir), default=0) < step:
        assert all(process.poll() is None for process in processes)
        assert time.monotonic() < end, f"step {step} never came"
        time.sleep(0.05)


def test_two_hosts_equal_one_and_outlive_a_death(tmp_path, hosts):
    """A host is killed; the other stops with one line; both started again end as one host does."""
    together, alone = tmp_path / "together", tmp_path / "alone"
    two = start_two(hosts, together, 100_000)
    until_step(together, 20, two)
    two[1].send_signal(signal.SIGKILL)
    assert two[0].wait(timeout=300) == 2
    lines = (tmp_path / "0.log").read_text().strip().splitlines()
    assert lines[-1].startswith("nwt host: error: Another host of the training stopped")
    assert "ckpt-" in lines[-1] and not any("Traceback" in line for line in lines)
    steps = max(logged(together)) + 20
    two = start_two(hosts, together, steps)
    one = hosts(alone, steps, "alone.log")
    assert [process.wait(timeout=300) for process in [*two, one]] == [0, 0, 0]
    for index in range(2):
        assert "resumed from" in (tmp_path / f"{index}.log").read_text()
    expected = presets.read_weights(alone, "prior")
    for name, value in presets.read_weights(together, "prior").items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5)
    losses = [
        [json.loads(line)["code"] for step in sorted(logged(of)) for line in logged(of)[step]]
        for of in (together, alone)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-4, atol=1e-6)


@pytest.mark.soak
def test_a_signal_to_any_host_ends_all_with_a_checkpoint(tmp_path, hosts):
    two = start_two(hosts, tmp_path / "work", 100_000)
    until_step(tmp_path / "work", 20, two)
    two[1].send_signal(signal.SIGTERM)
    assert [process.wait(timeout=300) for process in two] == [0, 0]
    ends = {(tmp_path / f"{index}.log").read_text().splitlines()[-1] for index in range(2)}
    assert len(ends) == 1 and ends.pop().startswith("finished")


@pytest.mark.soak
def test_the_same_command_on_two_hosts(tmp_path):
    """`nwt train_prior` over two hosts, and where one of them sees another workdir."""
    codes = write_codes(tmp_path / "codes")

    def train(*workdirs):
        processes = [
            start(codes, workdir, 6, log=tmp_path / f"{index}.log", TF_CONFIG=config)
            for index, (workdir, config) in enumerate(zip(workdirs, tf_configs(), strict=True))
        ]
        return [process.wait(timeout=600) for process in processes]

    shared = tmp_path / "work"
    assert train(shared, shared) == [0, 0]
    assert sorted(logged(shared)) == [2, 4, 6]
    assert presets.read_weights(shared, "prior")
    shutil.copytree(shared, tmp_path / "other")
    shutil.rmtree(tmp_path / "other" / "checkpoints")
    shutil.rmtree(tmp_path / "other" / "best")
    for path in (tmp_path / "other").glob("prior.weights.*.npz"):
        path.unlink()  # what is left is as before the first step
    assert train(shared, tmp_path / "other") == [2, 2]
    for index in range(2):
        last = (tmp_path / f"{index}.log").read_text().strip().splitlines()[-1]
        assert "The hosts resumed from different steps (6, 0)" in last
