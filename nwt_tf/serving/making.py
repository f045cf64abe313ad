"""A request for a video from its first byte to its last: place, sound, line, answer."""

import asyncio
import contextlib
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from nwt_tf.serving import answers, settings
from nwt_tf.serving.film import film
from nwt_tf.serving.jobs import Busy
from nwt_tf.serving.web import refusal


class Limits(NamedTuple):
    """What a request may be.

    seconds, megabytes: of its sound; characters: of its text; waiting: requests that may wait
    beside the one whose video is made; timeout: seconds that this may take; upload_seconds: that
    the sound may take to arrive.
    """

    seconds: float = 60.0
    megabytes: float = 20.0
    characters: int = 1000
    waiting: int = 4
    timeout: float = 300.0
    upload_seconds: float = 60.0


class Media(NamedTuple):
    """What data_pipeline does for the server, handed in because only nwt_tf.bin joins the two.

    read_upload: bytes, seconds -> float32 [N] at 24 kHz; ValueError in words.
    speak: text -> float32 [N] at 24 kHz, ValueError in words; or None, for sound alone.
    live_mp4: a fragmented mp4's writer, see data_pipeline.mp4.LiveMp4.
    ordinary_mp4: bytes of that one -> bytes of an mp4 with its index in front.
    """

    read_upload: Callable
    speak: Callable | None
    live_mp4: Callable
    ordinary_mp4: Callable


class Refused(Exception):
    """Why there is no video, in words, and the HTTP status."""

    def __init__(self, words, status=422):
        super().__init__(words)
        self.status = status


class Making(Response):
    """The answer to a request for a video.

    Args:
        studio: a Studio, see server.
        asked: Settings.
        form: Lines, Stream or Whole.
    """

    def __init__(self, studio, asked, form):
        self._studio, self._asked, self._form = studio, asked, form
        self.background, self.status_code = None, 200

    async def __call__(self, scope, receive, send):
        studio, request = self._studio, Request(scope, receive)
        try:
            with contextlib.ExitStack() as stack:
                with _farewell():
                    try:
                        stack.enter_context(studio.jobs.place())
                    except Busy:
                        await _body(request, 0, studio.limits.upload_seconds)
                        words = f"{studio.jobs.places} videos are being made or wait already."
                        raise Refused(f"{words} Try again in a minute.", 503) from None
                    make = await self._order(request)
                job = studio.jobs.submit(make)
                async with answers.until_end(answers.follow(job, receive)) as events:
                    await self._form(events, scope, receive, send)
        except ClientDisconnect:
            pass
        except Refused as refused:
            await refusal(str(refused), refused.status)(scope, receive, send)

    async def _order(self, request):
        """What to make, as Jobs.submit takes it.

        Raises:
            Refused: nothing can be made of this.
        """
        studio, limits = self._studio, self._studio.limits
        try:
            options = settings.options(self._asked, studio.model)
        except ValueError as error:
            await _body(request, 0, limits.upload_seconds)
            raise Refused(str(error)) from None
        data = await _body(request, int(limits.megabytes * 1e6), limits.upload_seconds)
        if data is None:
            raise Refused(f"The file is larger than {limits.megabytes:g} MB.", 413)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if kind == "text/plain":
                waveform = await asyncio.to_thread(_spoken, data, studio.media, limits)
            else:
                waveform = await asyncio.to_thread(studio.media.read_upload, data, limits.seconds)
            studio.model.check(waveform)
        except ValueError as error:
            raise Refused(str(error)) from None
        return lambda check: film(studio.model, waveform, options, studio.media, check)


@contextlib.contextmanager
def _farewell():
    """Within, what the server cancels because it ends is refused: uvicorn would log a traceback."""
    try:
        yield
    except asyncio.CancelledError:
        raise Refused(answers.ENDED, 503) from None


async def _body(request, max_bytes, seconds):
    """The body; None where it is larger.

    What is not wanted is read as well, and dropped: a browser whose upload is cut off shows its own
    error instead of ours. Clients that ask before they send (`Expect`) are spared that.

    Raises:
        Refused: it came too slowly.
    """
    parts, size = [], 0
    told = request.headers.get("content-length", "")
    asks = request.headers.get("expect") and (max_bytes == 0 or int(told or 0) > max_bytes)
    if asks:
        return None
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > max_bytes:
                    parts.clear()
                else:
                    parts.append(part)
    except TimeoutError:
        raise Refused(f"The sound did not arrive within {seconds:g} seconds.", 408) from None
    return None if size > max_bytes else b"".join(parts)


def _spoken(data, media, limits):
    """Words to sound.

    Raises:
        ValueError: no words, too many, or nothing that speaks them.
    """
    if media.speak is None:
        raise ValueError("This server cannot speak text: send sound.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("The text must be UTF-8.") from None
    if len(text) > limits.characters:
        raise ValueError(f"The text is longer than {limits.characters} characters.")
    # Control characters mean something to programs, not to listeners.
    kept = (" " if unicodedata.category(each) in ("Cc", "Cs") else each for each in text)
    text = " ".join("".join(kept).split())
    if not any(each.isalnum() for each in text):
        raise ValueError("There are no words to speak.")
    waveform = media.speak(text)
    if len(waveform) > limits.seconds * 24_000:
        raise ValueError(f"The text takes longer than {limits.seconds:g} seconds to speak.")
    return waveform
