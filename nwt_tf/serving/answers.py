"""The three forms of an answer: lines of JSON, an mp4 as it grows, and a whole one.

Each follows its job for as long as somebody listens: a client that goes away stops its video.
"""

import asyncio
import base64
import contextlib
import json

from nwt_tf.serving.film import Event
from nwt_tf.serving.web import refusal

STALL_SECONDS = 60.0  # that a client may take nothing of what it is sent
PIECE_BYTES = 1 << 16
ENDED = "The server ended before the video was done."

# Headers of a whole mp4, and the figures that they tell.
FIGURES = {
    "nwt-frames": "frames",
    "nwt-seconds": "generation_seconds",
    "nwt-bits-per-memcode": "bits_per_memcode",
    "nwt-kilobits-per-second": "kilobits_per_second",
}


async def follow(job, receive):
    """Yields a job's events, 'done' or 'error' the last; stops it when nobody listens any more."""
    gone, event = asyncio.create_task(_gone(receive)), None
    try:
        while True:
            following = asyncio.create_task(job.events.get())
            await asyncio.wait({following, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                following.cancel()
                return
            last, event = event, following.result()
            if event is None:
                if last is None or last.kind not in ("done", "error"):
                    yield Event("error", {"error": ENDED, "status": 503})
                return
            yield event
    finally:
        gone.cancel()
        job.stop()


async def _gone(receive):
    while (await receive())["type"] != "http.disconnect":
        pass


class Lines:
    """Every event as a line of JSON, `mp4` in base64: what the page reads."""

    media_type = "application/x-ndjson"

    async def __call__(self, events, scope, receive, send):
        body = _Body(send, self.media_type)
        async for kind, facts, mp4 in events:
            line = {"event": kind, **facts}
            if mp4:
                line["mp4"] = base64.b64encode(mp4).decode()
            await body.add(json.dumps(line).encode() + b"\n")
        await body.end()


class Stream:
    """A fragmented mp4 as it grows. An error after its first bytes breaks it off."""

    media_type = "video/mp4"

    async def __call__(self, events, scope, receive, send):
        body = _Body(send, self.media_type)
        async for kind, facts, mp4 in events:
            if kind == "frames":
                await body.add(mp4)
            elif kind == "done":
                await body.end()
            elif kind == "error" and not body.begun:
                await refusal(facts["error"], facts["status"])(scope, receive, send)


class Whole:
    """An ordinary mp4 when it is done, with figures as headers."""

    media_type = "video/mp4"

    async def __call__(self, events, scope, receive, send):
        async for kind, facts, mp4 in events:
            if kind == "done":
                headers = {
                    name: f"{facts[key]:.6g}" for name, key in FIGURES.items() if key in facts
                }
                headers["content-disposition"] = 'attachment; filename="generated.mp4"'
                headers["content-length"] = str(len(mp4))
                body = _Body(send, self.media_type, headers)
                for first in range(0, len(mp4), PIECE_BYTES):
                    await body.add(mp4[first : first + PIECE_BYTES])
                await body.end()
            elif kind == "error":
                await refusal(facts["error"], facts["status"])(scope, receive, send)


class _Body:
    """A body that is sent piece by piece, its head with the first."""

    def __init__(self, send, media_type, headers=None):
        # Proxies must pass pieces on as they come.
        named = {"content-type": media_type, "x-accel-buffering": "no", **(headers or {})}
        headers = [(name.encode(), value.encode()) for name, value in named.items()]
        self._head = {"type": "http.response.start", "status": 200, "headers": headers}
        self._send, self.begun = send, False

    async def add(self, piece):
        if not self.begun:
            self.begun = True
            await self._within_time(self._head)
        await self._within_time({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self):
        await self._within_time({"type": "http.response.body", "body": b""})

    async def _within_time(self, message):
        await asyncio.wait_for(self._send(message), STALL_SECONDS)


@contextlib.asynccontextmanager
async def until_end(events):
    """Closes an asynchronous generator however its reader ends; a client that stalls, until its
    time is up or the server ends and cancels, is no error."""
    try:
        async with contextlib.aclosing(events):
            yield events
    except (TimeoutError, OSError, asyncio.CancelledError):
        pass
