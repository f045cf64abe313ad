"""Today's video codecs on the same frames: x264, x265 and SVT-AV1 out of PyAV's wheel."""

import contextlib
import dataclasses
import os
import re
from fractions import Fraction

import numpy as np


@dataclasses.dataclass(frozen=True)
class VideoCodec:
    """An encoder with a preset, and the qualities (CRF) to try, best first.

    name: as in tables; encoder, decoder: FFmpeg's; options: of the encoder beside crf.
    """

    name: str
    encoder: str
    decoder: str
    options: dict
    crfs: tuple[int, ...]


_QUIET = {"x265-params": "info=0:log-level=none"}  # info: the encoder's settings in the stream
# Below this many pixels the propagation trees of both encoders reach beyond their memory: x265 4.1
# breaks the heap at 64x48, x264 gives other streams for the same frames.
_SMALL = 64
_WITHOUT_TREES = {
    "libx264": {"x264-params": "mbtree=0"},
    "libx265": {"x265-params": f"{_QUIET['x265-params']}:cutree=0"},
}
_CRFS = (6, 12, 18, 24, 30, 36, 42, 48)
_AV1_CRFS = (10, 20, 30, 40, 50, 57, 63)
VIDEO_CODECS = (
    VideoCodec("x264 medium", "libx264", "h264", {"preset": "medium"}, _CRFS),
    VideoCodec("x264 veryslow", "libx264", "h264", {"preset": "veryslow"}, _CRFS),
    VideoCodec("x265 medium", "libx265", "hevc", {"preset": "medium"} | _QUIET, _CRFS),
    VideoCodec("x265 veryslow", "libx265", "hevc", {"preset": "veryslow"} | _QUIET, _CRFS),
    VideoCodec("svt-av1 8", "libsvtav1", "libdav1d", {"preset": "8"}, _AV1_CRFS),
    VideoCodec("svt-av1 2", "libsvtav1", "libdav1d", {"preset": "2"}, _AV1_CRFS),
)
ANCHOR = "x264 veryslow"
# libswscale's: to 4:2:0 by area and back by Lanczos, in full accuracy. By default it repeats chroma
# samples, which no player does: 36.6 dB of a GRID clip where this keeps 44.3, before any codec.
_ACCURATE = 0x40000 | 0x4000 | 0x2000  # accurate_rnd, full_chroma_inp, full_chroma_int
_TO_PLANES, _TO_PICTURE = _ACCURATE | 0x20, _ACCURATE | 0x200


def missing():
    """Names of the VIDEO_CODECS that this PyAV cannot encode or decode."""
    from av.codec import codecs_available

    return [
        codec.name
        for codec in VIDEO_CODECS
        if not {codec.encoder, codec.decoder} <= set(codecs_available)
    ]


def through(codec, video, fps, crf):
    """A clip through a video codec, at its own size and rate, with 4:2:0 chroma.

    Args:
        codec: a VideoCodec.
        video: uint8 [T, H, W, 3] RGB, H and W even.
        fps: frames a second.
        crf: quality.

    Returns:
        (size of the coded stream in bytes, without a container and without x264's note of its
        settings; uint8 [T, H, W, 3]).
    """
    import av

    os.environ.setdefault("SVT_LOG", "0")  # else SVT-AV1 tells its settings every time
    rate = Fraction(fps).limit_denominator(1001)
    encoder = av.CodecContext.create(codec.encoder, "w")
    encoder.height, encoder.width = video.shape[1:3]
    encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", 1 / rate, rate
    encoder.thread_count = 1
    encoder.options = codec.options | {"crf": str(crf)}
    if min(encoder.height, encoder.width) < _SMALL:
        encoder.options |= _WITHOUT_TREES.get(codec.encoder, {})
    packets = []
    with _scheduling_kept():
        for index, picture in enumerate(video):
            frame = planes_of(picture)
            frame.pts, frame.time_base = index, 1 / rate
            packets += encoder.encode(frame)
        packets += encoder.encode(None)
    decoder = av.CodecContext.create(codec.decoder, "r")
    frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    pictures = np.stack([picture_of(frame) for frame in frames])
    if pictures.shape != video.shape:
        raise ValueError(f"{codec.name} gave {len(pictures)} frames for {len(video)}")
    stream = b"".join(bytes(packet) for packet in packets)
    return len(stream) - (_notes(stream) if codec.decoder == "h264" else 0), pictures


def planes_of(picture):
    """uint8 [H, W, 3] RGB as a yuv420p frame."""
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    return frame.reformat(format="yuv420p", interpolation=_TO_PLANES)


def picture_of(frame):
    """A yuv420p frame of planes_of, as it is or decoded, as uint8 [H, W, 3] RGB."""
    import av

    # Decoders add where they take chroma samples to lie (H.264 and HEVC: at the left), which is not
    # where planes_of took them from: that alone would cost 4 dB.
    bare = av.VideoFrame.from_ndarray(frame.to_ndarray(), format="yuv420p")
    return bare.reformat(format="rgb24", interpolation=_TO_PICTURE).to_ndarray()


@contextlib.contextmanager
def _scheduling_kept():
    """SVT-AV1, where it may (as root), gives the thread that opens it the highest real-time
    priority, before all else on the machine, and all processes that the thread starts."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != before[0]:
            os.sched_setscheduler(0, *before)


def _notes(stream):
    """Bytes of the SEI units in an H.264 stream (Annex B): decoding takes none of them."""
    starts = [match.start() for match in re.finditer(b"\0?\0\0\1", stream)] + [len(stream)]
    units = [stream[a:b] for a, b in zip(starts, starts[1:], strict=False)]
    return sum(len(unit) for unit in units if unit[unit.index(b"\1") + 1] & 31 == 6)
