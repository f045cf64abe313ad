"""The same update by one replica, by two, and by two hosts: gradients and losses, noise off.

Logical devices are made, and hosts joined, before TensorFlow starts: each case has its process.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training.hosts import tf_configs
from tests.training.one_step import CLIP_NORM

ROOT = Path(__file__).parents[2]


def start(*words, module="one_step", **environment):
    quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [sys.executable, "-m", f"tests.training.{module}", *map(str, words)],
        cwd=ROOT, env=os.environ | quiet | environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """{case: what its step did}, the cases side by side."""
    folder = tmp_path_factory.mktemp("steps")
    first, second = tf_configs()
    processes = {
        "one": start(folder / "one.npz", 1),
        "two": start(folder / "two.npz", 2),
        "host_0": start(folder / "host_0.npz", 1, TF_CONFIG=first),
        "host_1": start(folder / "host_1.npz", 1, TF_CONFIG=second),
    }
    found = {}
    try:
        for name, process in processes.items():
            _, errors = process.communicate(timeout=500)
            assert process.returncode == 0, errors[-2000:]
            found[name] = dict(np.load(folder / f"{name}.npz"))
    finally:
        for process in processes.values():
            process.kill()  # a host waits for one that has failed
    return found


@pytest.mark.parametrize(("case", "like"), [("two", "one"), ("host_0", "two"), ("host_1", "two")])
def test_gradients_and_losses_agree(steps, case, like):
    assert steps[case].keys() == steps[like].keys()
    for name, expected in steps[like].items():
        if name == "seeds":
            continue
        # The keys' bias moves no softmax: its gradient is nothing but rounding. And the KL of new
        # weights, 1e-4 nats, is the difference of two logarithms near 2.
        floors = {"key/bias": 1e-4, "loss/kl": 1e-7}
        floor = max((floors[end] for end in floors if name.endswith(end)), default=0.0)
        difference = np.abs(steps[case][name] - expected).max()
        assert difference <= max(1e-5 * np.abs(expected).max(), floor), name


@pytest.mark.parametrize("case", ["one", "two", "host_0"])
def test_the_norm_is_that_of_the_summed_gradients_and_clipping_comes_after(steps, case):
    def norm(model):
        parts = (v for k, v in steps[case].items() if k.startswith(f"{model}_trainer/gradient"))
        return np.sqrt(sum(np.sum(np.square(part, dtype="float64")) for part in parts))

    assert steps[case]["prior_trainer/loss/gradient_norm"] > 2 * CLIP_NORM
    np.testing.assert_allclose(norm("prior"), CLIP_NORM, rtol=1e-5)
    both = [steps[case][f"dvae_trainer/loss/{of}gradient_norm"] for of in ("", "critic/")]
    np.testing.assert_allclose(norm("dvae"), np.hypot(*both), rtol=1e-5)


def test_every_replica_draws_its_own_noise(steps):
    one, two = steps["one"]["seeds"], steps["two"]["seeds"]
    hosts = np.concatenate([steps["host_0"]["seeds"], steps["host_1"]["seeds"]])
    assert len(np.unique(two, axis=0)) == 2
    np.testing.assert_array_equal(two[:1], one)
    np.testing.assert_array_equal(hosts, two)  # the noise does not depend on where replicas are


def test_updates_by_xla_are_tensorflow_s_and_alike_on_all_replicas(tmp_path):
    process = start(tmp_path / "steps.npz", module="xla_updates")
    _, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors[-2000:]
    found = np.load(tmp_path / "steps.npz")
    names = [name.partition("/")[2] for name in found if name.startswith("ops/")]
    assert len(names) > 6 and np.ptp(found["ops/losses"]) > 0.1
    for name in names:
        np.testing.assert_allclose(found[f"xla/{name}"], found[f"ops/{name}"], rtol=1e-5, atol=1e-7)
        if name != "losses":
            for case in ("ops", "xla"):
                np.testing.assert_array_equal(*found[f"{case}/{name}"])
