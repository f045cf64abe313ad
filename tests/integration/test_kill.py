"""Trainings that are killed at random moments end where an unbroken one does, bit for bit."""

import random
import resource
import signal
import time

import numpy as np
import pytest

from nwt_tf import presets
from tests.integration.trainings import logged, start, write_codes


@pytest.fixture(scope="module")
def codes(tmp_path_factory):
    return write_codes(tmp_path_factory.mktemp("codes"))


def kill_and_compare(codes, folder, kills, steps, seed):
    rng = random.Random(seed)
    assert start(codes, folder / "unbroken", steps).wait(timeout=600) == 0
    unbroken = logged(folder / "unbroken")
    broken = folder / "broken"
    for _ in range(kills):
        seen = len(logged(broken))
        process = start(codes, broken, steps)
        while len(logged(broken)) <= seen and process.poll() is None:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    assert start(codes, broken, steps).wait(timeout=600) == 0
    assert logged(broken) == unbroken and max(unbroken) == steps
    for name, weights in presets.read_weights(folder / "unbroken", "prior").items():
        np.testing.assert_array_equal(weights, presets.read_weights(broken, "prior")[name])
    return broken


def test_a_killed_training_ends_as_an_unbroken_one(codes, tmp_path):
    broken = kill_and_compare(codes, tmp_path, kills=1, steps=16, seed=0)
    assert "resumed from" in broken.with_suffix(".log").read_text()


def test_a_full_disk_stops_with_one_line_and_what_was_finished_stays(codes, tmp_path):
    """The disk is full where a file may not grow beyond a size: below a checkpoint's."""
    work = tmp_path / "work"
    process = start(codes, work, 5000)
    while not logged(work):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    finished = {path.name: path.read_bytes() for path in (work / "checkpoints").glob("ckpt-*")}
    weights = presets.read_weights(work, "prior")
    room = max(map(len, finished.values())) // 2

    def fill():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    log = tmp_path / "full.log"
    assert start(codes, work, 5000, log=log, before=fill).wait(timeout=600) == 2
    lines = log.read_text().strip().splitlines()
    assert lines[-1].startswith("nwt train_prior: error: A checkpoint cannot be written"), lines[-1]
    assert "is whole: make room" in lines[-1]
    assert not any("Traceback" in line for line in lines)
    left = {path.name: path.read_bytes() for path in (work / "checkpoints").glob("ckpt-*")}
    assert left == finished
    for name, value in presets.read_weights(work, "prior").items():
        np.testing.assert_array_equal(value, weights[name])


@pytest.mark.soak
def test_five_kills(codes, tmp_path):
    kill_and_compare(codes, tmp_path, kills=5, steps=200, seed=1)
