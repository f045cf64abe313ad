"""Trainings that are killed at random moments end where an unbroken one does, bit for bit."""

import os
import random
import resource
import shutil
import signal
import time

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf import presets
from tests.integration.trainings import logged, start, write_codes, write_frames

STEPS = 8
HOUR = 3600  # on a busy machine
# Most of these tests' time goes into the compilation of a step: one stage, one block.
SMALLER = (
    "--config.model.strides=(2,)",
    "--config.model.dilations=((1,1,1),)",
    "--config.train.keep_best=0",
)


@pytest.fixture(scope="module")
def codes(tmp_path_factory):
    return write_codes(tmp_path_factory.mktemp("codes"))


def newest(workdir):
    return tf.train.latest_checkpoint(workdir / "checkpoints")


def until(condition, process):
    """Waits for the condition, which a training under way must bring about."""
    while not condition():
        assert process.poll() is None, "the training ended too early"
        time.sleep(0.02)


def same_end(broken, unbroken, steps, part="prior"):
    assert logged(broken) == logged(unbroken) and max(logged(unbroken)) == steps
    expected, weights = (presets.read_weights(folder, part) for folder in (unbroken, broken))
    assert expected.keys() == weights.keys()
    for name in expected:
        np.testing.assert_array_equal(weights[name], expected[name])


@pytest.fixture(scope="module")
def halted(codes, tmp_path_factory):
    """(process, workdir, copy) of a training under way. The copy was made while the process was
    halted after its first checkpoint, and has what SIGKILL would have left at that moment."""
    folder = tmp_path_factory.mktemp("halted")
    workdir, copy = folder / "unbroken", folder / "left"
    process = start(codes, workdir, STEPS, *SMALLER)
    try:
        until(lambda: newest(workdir) and any(workdir.glob("prior.weights.*.npz")), process)
        time.sleep(random.Random(0).uniform(0, 0.2))
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        shutil.copytree(workdir, copy)
        process.send_signal(signal.SIGCONT)
        assert not newest(copy).endswith(f"-{STEPS}"), "halted too late"
        yield process, workdir, copy
    finally:
        process.kill()
        process.wait()


def test_a_killed_training_ends_as_an_unbroken_one(codes, halted, tmp_path):
    process, unbroken, left = halted
    broken = shutil.copytree(left, tmp_path / "broken")
    assert start(codes, broken, STEPS, *SMALLER).wait(timeout=600) == 0
    assert process.wait(timeout=600) == 0
    assert f"resumed from {newest(left)}".replace(str(left), str(broken)) in (
        broken.with_suffix(".log").read_text()
    )
    same_end(broken, unbroken, STEPS)


def go_on_with_a_full_disk(codes, work, steps, log):
    """The disk is full where a file may not grow beyond a size: below a checkpoint's."""

    def checkpoints():
        files = (work / "checkpoints").glob("ckpt-*")
        return {path.name: path.read_bytes() for path in files if "temp" not in path.name}

    finished, weights = checkpoints(), presets.read_weights(work, "prior")
    room = max(map(len, finished.values())) // 2

    def fill():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    assert start(codes, work, steps, *SMALLER, log=log, before=fill).wait(timeout=600) == 2
    lines = log.read_text().strip().splitlines()
    assert lines[-1].startswith("nwt train_prior: error: A checkpoint cannot be written"), lines[-1]
    assert "is whole: make room" in lines[-1]
    assert not any("Traceback" in line for line in lines)
    assert checkpoints() == finished
    assert not list((work / "checkpoints").glob("*temp*"))
    for name, value in presets.read_weights(work, "prior").items():
        np.testing.assert_array_equal(value, weights[name])


def test_a_full_disk_stops_with_one_line_and_what_was_finished_stays(codes, halted, tmp_path):
    work = shutil.copytree(halted[-1], tmp_path / "work")
    go_on_with_a_full_disk(codes, work, STEPS, tmp_path / "full.log")


@pytest.mark.soak
@pytest.mark.parametrize("part", ["dvae", "prior"])
def test_five_kills(part, tmp_path):
    rng, kills, steps = random.Random(1), 5, 60
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    data = {"dvae": write_frames, "prior": write_codes}[part](tmp_path / "data")
    flags = SMALLER if part == "prior" else ("--config.train.keep_best=0",)

    def go(workdir):
        return start(data, workdir, steps, *flags, command=f"train_{part}")

    assert go(unbroken).wait(timeout=HOUR) == 0
    for _ in range(kills):
        before = newest(broken)
        process = go(broken)
        until(lambda before=before: newest(broken) != before, process)
        time.sleep(rng.uniform(0, 0.5))
        process.kill()
        assert process.wait(timeout=60) == -signal.SIGKILL, "killed too late"
    assert go(broken).wait(timeout=HOUR) == 0
    assert broken.with_suffix(".log").read_text().count("resumed from") == kills
    same_end(broken, unbroken, steps, part)


@pytest.mark.soak
def test_a_full_disk_after_a_regular_stop(codes, tmp_path):
    work = tmp_path / "work"
    process = start(codes, work, 5000, *SMALLER)
    until(lambda: logged(work), process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=600) == 0
    go_on_with_a_full_disk(codes, work, 5000, tmp_path / "full.log")
