"""A bounded line of videos to make, and the one thread that makes them, one after the other.

One at a time: a second video on the same device would only slow the first down, and TensorFlow's
CPU kernels are not safe to run beside themselves (see generation.rendering).
"""

import asyncio
import collections
import contextlib
import logging
import threading
import time

from nwt_tf.serving.film import Event

LOG = logging.getLogger("nwt_tf.serving")


class Busy(Exception):
    """All places are taken."""


class _Stopped(Exception):
    """Nobody waits for this video any more."""


class Job:
    """One video in the line, followed from the event loop that it was made in.

    Args:
        make: function of `check` that yields Events; see film.film.
    """

    def __init__(self, make):
        self.make = make
        self.events = asyncio.Queue()  # of Event; None is the end
        self.stopped = threading.Event()
        self._loop = asyncio.get_running_loop()

    def stop(self):
        """Nobody listens any more: the video is not made to its end."""
        self.stopped.set()

    def tell(self, event):
        """Passes an event on, from any thread."""
        # The loop is closed when the server ends in the middle of a video.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.events.put_nowait, event)


class Jobs:
    """The line.

    Args:
        waiting: videos that may wait beside the one that is made.
        seconds: that one may take.
    """

    def __init__(self, waiting, seconds):
        self.places, self.seconds = waiting + 1, seconds
        self.taken = 0  # places; changed on the event loop alone
        self._line, self._news, self._closed = collections.deque(), threading.Condition(), False
        self._running = None
        self._thread = threading.Thread(target=self._work, name="videos", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def place(self):
        """A place, from before a request's sound is read to the end of its answer.

        Raises:
            Busy: there is none.
        """
        if self.taken >= self.places:
            raise Busy
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    def submit(self, make):
        """Joins the line; returns the Job, which has ended already once the line is closed."""
        job = Job(make)
        with self._news:
            if self._closed:
                job.tell(None)
                return job
            # Who hung up while waiting leaves the line, and their sound the memory.
            self._line = collections.deque(j for j in self._line if not j.stopped.is_set())
            self._line.append(job)
            self._tell_places()
            self._news.notify()
        return job

    def close(self):
        """Ends the video that is made, and all that wait; who follows them hears of it at once, not
        when the models are done with the frames that they draw."""
        with self._news:
            self._closed = True
            for job in filter(None, [self._running, *self._line]):
                job.stop()
                job.tell(None)
            self._news.notify()

    def alive(self):
        """Whether videos are still made."""
        return self._thread.is_alive() and not self._closed

    def _tell_places(self):
        waiting = [job for job in self._line if not job.stopped.is_set()]
        ahead = int(self._running is not None)
        for place, job in enumerate(waiting, ahead):
            if place:
                job.tell(Event("waiting", {"ahead": place}))

    def _work(self):
        while True:
            with self._news:
                self._running = None
                while not self._line and not self._closed:
                    self._news.wait()
                if self._closed:
                    return
                self._running = job = self._line.popleft()
                self._tell_places()
            self._make(job)
            job.tell(None)

    def _make(self, job):
        deadline = time.monotonic() + self.seconds

        def check():
            if job.stopped.is_set():
                raise _Stopped
            if time.monotonic() > deadline:
                raise ValueError(
                    f"The video took longer than {self.seconds:g} seconds to make and was given "
                    "up. Send a shorter sound."
                )

        try:
            check()
            for event in job.make(check):
                job.tell(event)
        except _Stopped:
            pass
        except ValueError as error:
            job.tell(Event("error", {"error": str(error), "status": 422}))
        except Exception:
            LOG.exception("a video failed")
            words = "The server failed at this video. Its log says why."
            job.tell(Event("error", {"error": words, "status": 500}))
