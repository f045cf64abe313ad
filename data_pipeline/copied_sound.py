"""The sound of a file as packets: copied where it is AAC or Opus, else made AAC."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from data_pipeline.media import open_sound
from data_pipeline.packets import Packets, SoundStream

_COPIED = {"aac": "aac", "opus": "opus", "libopus": "opus"}
_TRANSCODED_BIT_RATE = 96000
_GAP = 0.02  # seconds; less is rounding of timestamps
_LONGEST_GAP = 3600.0  # more is a damaged timestamp


@contextlib.contextmanager
def copied_sound(path: str | os.PathLike, start: float) -> Iterator[tuple[SoundStream, Packets]]:
    """The sound of a file as packets: as they are where they are AAC or Opus, else made AAC.

    Args:
        path: Video file with sound.
        start: What becomes time 0, in seconds on the file's timeline.

    Raises:
        ValueError, OSError: The file has no sound, or it cannot be read.
    """
    with open_sound(path) as (container, stream, origin, packets):
        context = stream.codec_context
        codec = _COPIED.get(context.name)
        if codec and context.extradata:
            base = stream.time_base
            zero = round((origin + start) / base)
            found = SoundStream(
                codec, context.sample_rate, context.layout.nb_channels, base, context.extradata
            )
            # The timeline of the coded file knows no packets that end before it begins.
            timed = (packet for packet in packets if packet.size and packet.pts is not None)
            yield (
                found,
                ((packet.pts - zero, packet.duration or 0, bytes(packet)) for packet in timed),
            )
        else:
            yield _transcoded(path, packets, origin + start)


def _transcoded(path, packets, zero: float) -> tuple[SoundStream, Packets]:
    """AAC of any sound: the encoder is opened with the first frame's rate and channels. Silence
    fills gaps, so that what is behind them stays in its place."""
    import av

    frames = (frame for frame in _decoded(packets) if frame.pts is not None)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"{path}: has an audio stream without any samples")
    layout = "mono" if first.layout.nb_channels == 1 else "stereo"
    encoder = av.CodecContext.create("aac", "w")
    rates = [rate for rate in encoder.codec.audio_rates if 8000 <= rate <= 48000]
    rate = first.sample_rate if first.sample_rate in rates else 48000
    encoder.sample_rate, encoder.layout, encoder.format = rate, layout, "fltp"
    encoder.bit_rate, encoder.time_base = _TRANSCODED_BIT_RATE, Fraction(1, rate)
    encoder.flags |= av.codec.context.Flags.global_header
    encoder.open()
    offset = round((first.time - zero) * rate)

    def coded():
        sent = 0
        for block in _blocks(itertools.chain([first], frames), layout, rate, encoder.frame_size):
            block.pts, block.time_base = sent, Fraction(1, rate)
            sent += block.samples
            yield from encoder.encode(block)
        yield from encoder.encode(None)

    stream = SoundStream("aac", rate, 1 if layout == "mono" else 2, Fraction(1, rate),
                         bytes(encoder.extradata))  # fmt: skip
    timed = ((p.pts + offset, p.duration or 0, bytes(p)) for p in coded())
    return stream, timed


def _blocks(frames, layout: str, rate: int, size: int) -> Iterator:
    """Frames of any kind and time to blocks of `size` samples (the last of fewer), without gaps."""
    import av

    fifo, resampler, kind, begin = av.AudioFifo(), None, None, None
    for frame in frames:
        begin = frame.time if begin is None else begin
        now = (frame.sample_rate, frame.layout.name, frame.format.name)
        gap = frame.time - begin - fifo.samples_written / rate
        if gap > _LONGEST_GAP:
            begin, gap = begin + gap, 0.0
        if resampler is None or kind != now or gap > _GAP:
            for rest in resampler.resample(None) if resampler else ():
                _write(fifo, rest)
            resampler, kind = av.AudioResampler("fltp", layout, rate), now
            missing = round(gap * rate) if gap > _GAP else 0
            for begun in range(0, missing, size):
                length = min(size, missing - begun)
                silence = np.zeros((1 if layout == "mono" else 2, length), np.float32)
                still = av.AudioFrame.from_ndarray(silence, format="fltp", layout=layout)
                still.sample_rate = rate
                _write(fifo, still)
                yield from fifo.read_many(size)
        frame.pts = None
        for piece in resampler.resample(frame):
            _write(fifo, piece)
        yield from fifo.read_many(size)
    for rest in resampler.resample(None):
        _write(fifo, rest)
    yield from fifo.read_many(size)
    if last := fifo.read(partial=True):
        yield last


def _write(fifo, frame) -> None:
    frame.pts = None  # told by what was written before
    fifo.write(frame)


def _decoded(packets) -> Iterator:
    import av

    for packet in packets:
        with contextlib.suppress(av.error.FFmpegError):
            yield from packet.decode()
