"""Two hosts under MultiWorkerMirroredStrategy, here two processes on loopback."""

import json
import signal
import socket
import time

import numpy as np
import pytest

from nwt_tf import presets
from tests.integration.trainings import logged, start, write_codes

# No noise but the seeded style's, which differs between replicas: SGD-like steps of equal batches.
STEPS = 8


@pytest.fixture(scope="module")
def codes(tmp_path_factory):
    return write_codes(tmp_path_factory.mktemp("codes"))


def start_two(codes, workdir, steps):
    """The same command twice; TF_CONFIG says which host is which."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    processes = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": addresses}, "task": task})
        log = workdir.with_suffix(f".{index}.log")
        processes.append(start(codes, workdir, steps, log=log, TF_CONFIG=config))
    return processes


def output(workdir, index):
    return workdir.with_suffix(f".{index}.log").read_text()


def test_two_hosts_train_and_a_dead_one_stops_the_other_which_resumes(codes, tmp_path):
    workdir = tmp_path / "work"
    two = start_two(codes, workdir, 5000)
    while len(logged(workdir)) < 3 and two[0].poll() is None:
        time.sleep(0.05)
    two[1].send_signal(signal.SIGKILL)
    assert two[0].wait(timeout=120) == 2, output(workdir, 0)
    last = output(workdir, 0).strip().splitlines()[-1]
    assert "Another host of the training stopped" in last and "ckpt-" in last
    assert "Traceback" not in output(workdir, 0)
