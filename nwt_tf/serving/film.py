"""A video while it is made: pieces of mp4 with their figures, for a page or a pipe."""

import math
import time
from typing import NamedTuple

import numpy as np

from nwt_tf.codec.bits import width_of
from nwt_tf.codec.context_models import ContextCoder
from nwt_tf.layers.mel import SAMPLE_RATE

PEAKS = 160


class Event(NamedTuple):
    """Something that a client is told.

    kind: 'waiting' (`ahead`: videos before this one), 'start', 'frames', 'done' or 'error'.
    facts: JSON.
    mp4: bytes of a fragmented mp4 that follow those before; of 'done' the whole, ordinary mp4.
    """

    kind: str
    facts: dict
    mp4: bytes = b""


class CodeRate:
    """What the codec's coder `context` takes for codes, a second of frames at a time.

    Args:
        shape: (h, w, heads) of a frame's codes.
        num_codes: codes a head.
        fps: frames a second.
    """

    def __init__(self, shape, num_codes, fps):
        self._coder = ContextCoder(shape, num_codes)
        self._memcodes, self._fps = shape[0] * shape[1], fps
        self._waiting = np.zeros((0, *shape), np.uint8)
        self._chunk = max(1, round(fps))
        self.bytes = self.frames = 0

    def add(self, codes):
        """Takes codes that follow, integers [T, h, w, heads]."""
        self._waiting = np.concatenate([self._waiting, np.asarray(codes, np.uint8)])
        while len(self._waiting) >= self._chunk:
            self._encode(self._chunk)

    def finish(self):
        """Codes what is left."""
        if len(self._waiting):
            self._encode(len(self._waiting))

    def figures(self):
        """bits_per_memcode, kilobits_per_second, code_bytes; nothing before a second is coded."""
        if not self.frames:
            return {}
        bits = 8 * self.bytes
        return {
            "bits_per_memcode": bits / (self.frames * self._memcodes),
            "kilobits_per_second": bits / 1000 / (self.frames / self._fps),
            "code_bytes": self.bytes,
        }

    def _encode(self, frames):
        codes, self._waiting = self._waiting[:frames], self._waiting[frames:]
        self.bytes += len(self._coder.encode(np.ascontiguousarray(codes)))
        self.frames += frames


def film(model, waveform, options, media, check=lambda: None):
    """Generates a video and yields its Events: 'start', 'frames' as they come, 'done'.

    Args:
        model: an AudioToVideo.
        waveform: float32 [N], 24 kHz mono in [-1, 1]; see AudioToVideo.check.
        options: of AudioToVideo.session.
        media: a Media, see making.
        check: called every few frames; what it raises ends the video.

    Raises:
        ValueError: see AudioToVideo.session.
    """
    session, sink, start = model.session(**options), _Sink(), time.monotonic()
    rate = CodeRate((*model.dvae.grid, model.dvae.num_heads), model.dvae.num_codes, model.fps)
    facts = {
        "seconds": len(waveform) / SAMPLE_RATE,
        "fps": model.fps,
        "frames": max(1, round(len(waveform) / SAMPLE_RATE * model.fps)),
        "peaks": peaks(waveform),
    }
    yield Event("start", facts)
    frames, first = 0, None
    size = math.ceil(model.chunk_frames / model.fps * SAMPLE_RATE)
    with media.live_mp4(sink, model.fps) as video:
        for begin in range(0, len(waveform), size):
            check()
            piece, last = waveform[begin : begin + size], begin + size >= len(waveform)
            video.sound(piece)
            for picture in _pictures(session, piece, last, rate):
                video.picture(picture)
                frames += 1
            seconds = time.monotonic() - start
            if sink.pending:
                first = first or seconds
                yield Event("frames", _told(frames, seconds, rate, sink), sink.take())
    rate.finish()
    seconds = time.monotonic() - start
    if sink.pending:
        yield Event("frames", _told(frames, seconds, rate, sink), sink.take())
    done = {
        "frames": frames,
        "generation_seconds": seconds,
        "seconds_to_first_frames": first or seconds,
        "frames_per_second": frames / seconds,
        "raw_bits_per_memcode": model.dvae.num_heads * width_of(model.dvae.num_codes),
        "style": [float(value) for value in options["style"]],
        "draws": session.options.figures(),
        **rate.figures(),
    }
    yield Event("done", done, media.ordinary_mp4(bytes(sink.all)))


def peaks(waveform):
    """The sound's outline: PEAKS ints, 0 to 100, 100 its loudest."""
    edges = np.linspace(0, len(waveform), PEAKS + 1).astype(int)
    heights = [
        np.abs(waveform[begin : max(end, begin + 1)]).max()
        for begin, end in zip(edges[:-1], edges[1:], strict=True)
    ]
    top = max(float(max(heights)), 1e-6)
    return [round(100 * float(height) / top) for height in heights]


def mime_type(mp4):
    """What MediaSource must be told of LiveMp4's first bytes; None before its index is there."""
    place = mp4.find(b"avcC")
    if place < 0:
        return None
    return f'video/mp4; codecs="avc1.{mp4[place + 5 : place + 8].hex()}, mp4a.40.2"'


def _pictures(session, piece, last, rate):
    for codes in session.hear(piece, last):
        rate.add(codes[0])
        yield from session.render(codes)
    if last:
        yield from session.render()


def _told(frames, seconds, rate, sink):
    facts = {"frames": frames, "generation_seconds": seconds, **rate.figures()}
    if not sink.taken:
        facts["mime"] = mime_type(sink.all)
    return facts


class _Sink:
    """What LiveMp4 writes to: keeps it all, and what was not taken yet."""

    name = "mp4"

    def __init__(self):
        self.all, self.taken = bytearray(), 0

    def write(self, data):
        self.all += data
        return len(data)

    @property
    def pending(self):
        return len(self.all) > self.taken

    def take(self):
        taken, self.taken = bytes(self.all[self.taken :]), len(self.all)
        return taken
