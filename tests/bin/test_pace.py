"""`nwt benchmark --what=train`: its line, its profile, and replicas, here two CPU devices."""

import contextlib
import io
import json
import os
import subprocess
import sys

import pytest

from nwt_tf.bin import nwt

REPLICAS = """
import dataclasses, json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from configs import dvae, prior
from nwt_tf.bin.benchmarks import pace
from nwt_tf.bin.training import assembly
from nwt_tf.training.distribution import mirrored

assembly.strategy = lambda num_gpus: mirrored(("CPU:0", "CPU:1"))
data = pace.Data(height=16, width=16, grid=(2, 2))
config = {"prior": prior, "dvae": dvae}[sys.argv[1]].get_config("tiny")
if sys.argv[1] == "prior":
    least = {"strides": (1,), "dilations": ((1, 1, 1),)}
    least |= {"audio_pyramid": (8,), "style_pyramid": (8,)}
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, **least))
print(json.dumps(pace.measure(config, data, steps=2, warmup=1)))
"""


def test_a_training_is_measured_and_profiled(tmp_path):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        nwt.main(["benchmark", "--what=train", "--config=prior:tiny", "--grid=8,7", "--steps=3",
                  "--warmup=1", "--config.train.learning_rate=0.01",
                  "--config.loss.window_frames=6",
                  f"--profile={tmp_path}"])  # fmt: skip
    figures = json.loads(printed.getvalue().splitlines()[-1])["prior"]
    assert figures["devices"] == 1 and figures["batch_size"] == 2 and figures["clip_frames"] == 8
    assert figures["steps_per_second"] > 0 and figures["warmup_seconds"] > 0
    assert 0 < figures["matrix_share"] < 1 and 0 <= figures["input_wait"] < 1
    first, last = figures["losses"]["code"]
    assert last < first  # of one batch, again and again
    name, milliseconds, calls = figures["slowest"][0]
    assert name in printed.getvalue() and milliseconds > 0 and calls > 0


@pytest.mark.parametrize("stage", ["prior", pytest.param("dvae", marks=pytest.mark.soak)])
def test_replicas_share_the_batch(stage):
    quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", REPLICAS, stage],
        capture_output=True,
        text=True,
        env=os.environ | quiet,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["devices"] == 2 and figures["batch_size"] == 2
    assert figures["steps_per_second"] > 0 and figures["matrix_share"] > 0
