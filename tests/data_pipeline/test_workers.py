import io
import os
import signal
import subprocess
import sys
import time

import pytest

from data_pipeline import workers
from data_pipeline.workers import Progress, WorkerPool


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()])
def test_progress_tells_how_long_it_will_take(stream, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(workers.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(workers.sys, "stderr", stream)
    progress = Progress(1000, "frames")
    for clock[0], done in ((100.4, 2), (160.0, 0), (200.0, 250), (200.1, 260)):
        progress.show(done)
    shown = "250/1000 frames, 2/s, 5:00 left"  # 250 in 100 s: 750 take 300 s
    assert stream.getvalue().strip() == shown
    progress.clear()
    # A terminal's line is overwritten and wiped, a log keeps its lines.
    wiped = stream.getvalue().rpartition("\r")[2] == ""
    assert wiped == stream.isatty() and stream.getvalue().endswith("\n") != wiped


def wait_and_tell(seconds, value):
    time.sleep(seconds)
    return value, os.getpid()


@pytest.mark.parametrize("num_workers", [1, 2])
def test_results_come_in_the_order_of_the_tasks(num_workers):
    tasks = [(0.05 * (n % 3 == 0), n) for n in range(12)]
    with WorkerPool(num_workers) as pool:
        found = list(pool.in_order(wait_and_tell, tasks))
    assert [value for value, _ in found] == list(range(12))
    assert (os.getpid() in {process for _, process in found}) == (num_workers == 1)


def die():
    os._exit(9)


def test_a_killed_worker_is_one_line():
    with WorkerPool(2) as pool, pytest.raises(OSError, match="a worker process was killed"):
        list(pool.in_order(die, [(), ()]))


def test_two_quick_interrupts_end_a_pool(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import pathlib, sys, time\n"
        "from data_pipeline.workers import WorkerPool\n"
        "def task(path):\n"
        "    pathlib.Path(path).touch()\n"
        "    time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        "    ending, *paths = sys.argv[1:]\n"
        "    with WorkerPool(2) as pool:\n"
        "        shutdown = pool._pool.shutdown\n"
        "        def told(**kwargs):\n"
        "            pathlib.Path(ending).touch()\n"
        "            shutdown(**kwargs)\n"
        "        pool._pool.shutdown = told\n"
        "        list(pool.in_order(task, [(path,) for path in paths]))\n"
    )
    ending, *begun = (tmp_path / name for name in ("ending", "a", "b"))
    process = subprocess.Popen(
        [sys.executable, program, ending, *begun], start_new_session=True, stderr=subprocess.DEVNULL
    )

    def wait_for(*paths):
        end = time.monotonic() + 60
        while not all(path.exists() for path in paths) and time.monotonic() < end:
            time.sleep(0.02)
        assert all(path.exists() for path in paths)

    try:
        wait_for(*begun)
        os.killpg(process.pid, signal.SIGINT)
        wait_for(ending)  # on a busy machine two signals may else arrive as one
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) == -signal.SIGINT
    finally:
        process.kill()
