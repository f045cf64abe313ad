"""Worker processes: tasks in parallel, results in order."""

import collections
import concurrent.futures
import concurrent.futures.process
import contextlib
import itertools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator

_counter = _stop = None  # units of work done so far, and whether to stop; shared by all processes


def count(units: int) -> None:
    """Tells, within a task, that work was done; nothing to tell outside of a pool.

    Raises:
        concurrent.futures.CancelledError: The pool is closing; nobody waits for the task.
    """
    if _counter is None:
        return
    with _counter.get_lock():
        _counter.value += units
    if _stop.value:
        raise concurrent.futures.CancelledError()


def _share(counter, stop) -> None:
    global _counter, _stop
    _counter, _stop = counter, stop


def _start(counter, stop, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _share(counter, stop)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Ends this process when its parent is gone, by SIGKILL for example."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


class _InProcess(concurrent.futures.Executor):
    """Runs a task when it is submitted."""

    def submit(self, function, /, *arguments):
        future = concurrent.futures.Future()
        future.set_result(function(*arguments))
        return future


@contextlib.contextmanager
def _told_if_killed() -> Iterator[None]:
    try:
        yield
    except concurrent.futures.process.BrokenProcessPool as error:
        raise OSError(
            "a worker process was killed (out of memory?); use fewer with --num_workers, and in a "
            "script call this under if __name__ == '__main__'"
        ) from error


class WorkerPool:
    """Spawned processes, or this one where one worker is enough.  A context manager.

    Args:
        num_workers: Processes.
    """

    def __init__(self, num_workers: int):
        self.num_workers = num_workers
        context = multiprocessing.get_context("spawn")
        self._counter = context.Value("q", 0)
        self._stop = context.Value("b", 0)
        shared = (self._counter, self._stop)
        if num_workers == 1:
            _share(*shared)
            self._pool = _InProcess()
        else:
            self._pool = concurrent.futures.ProcessPoolExecutor(
                num_workers, context, _start, (*shared, os.getpid())
            )

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *exception) -> None:
        self._stop.value = 1
        workers = dict(getattr(self._pool, "_processes", None) or {})
        try:
            self._pool.shutdown(cancel_futures=True)
        except KeyboardInterrupt:  # a second Ctrl-C: what still runs is not waited for
            for process in workers.values():
                process.kill()
            raise
        finally:
            _share(None, None)

    def in_order(
        self, function: Callable, tasks: Iterable[tuple], progress: "Progress | None" = None
    ) -> Iterator:
        """Yields function(*task) for every task, in the tasks' order.

        At most four times as many tasks as workers are begun before their results are taken.

        Raises:
            OSError: A worker process was killed.
            Exception: What a task raised.
        """
        waiting, tasks = collections.deque(), iter(tasks)
        ahead = 4 * self.num_workers if self.num_workers > 1 else 1
        before = self._counter.value
        while True:
            for task in itertools.islice(tasks, ahead - len(waiting)):
                with _told_if_killed():
                    waiting.append(self._pool.submit(function, *task))
            if not waiting:
                if progress:
                    progress.clear()
                return
            future = waiting.popleft()
            while not future.done():
                concurrent.futures.wait([future], timeout=0.2)
                if progress:
                    progress.show(self._counter.value - before)
            if progress:
                progress.show(self._counter.value - before)
            with _told_if_killed():
                result = future.result()
            yield result


class Progress:
    """How far the work is, on stderr, with an estimate of the time left.

    One line that changes where stderr is a terminal, else (a log) a line a minute.

    Args:
        total: Units of work in all.
        unit: Their name.
    """

    def __init__(self, total: int, unit: str):
        self.total, self.unit = max(total, 1), unit
        self._start = self._shown = time.monotonic()
        self._on_terminal = sys.stderr.isatty()
        self._to_wipe = False

    def show(self, done: int) -> None:
        """Tells that so many units are done, if it is time to."""
        now = time.monotonic()
        if not done or now - self._shown < (0.5 if self._on_terminal else 60.0):
            return
        self._shown = now
        rate = done / (now - self._start)
        minutes, seconds = divmod(round(max(self.total - done, 0) / rate), 60)
        line = f"{done}/{self.total} {self.unit}, {rate:.0f}/s, {minutes}:{seconds:02d} left"
        if self._on_terminal:
            line, self._to_wipe = f"\r{line:<60}", True
        print(line, end="" if self._on_terminal else "\n", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Wipes the line from a terminal."""
        if self._to_wipe:
            print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)
