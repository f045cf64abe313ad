"""Sound that strangers send: read from memory, within bounds, by a few known formats alone."""

import functools
import io
import math
import time
from collections.abc import Iterable, Iterator

import numpy as np

from data_pipeline.containers import check_whole, decoded, origin_of, packets_of, stream_of
from data_pipeline.sound import resampled, to_waveform

# No playlists: their demuxers would open other files and addresses.
FORMATS = "wav,aiff,flac,mp3,aac,ogg,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"
NAMES = "wav, mp3, m4a, ogg, flac or webm"  # of FORMATS, the ones to tell people
_RATES = (4_000, 768_000)  # of a sound; a slower one would grow without bounds when resampled
_MAX_CHANNELS = 16


def read_upload(
    data: bytes, max_seconds: float, sample_rate: int = 24000, patience: float = 20.0
) -> np.ndarray:
    """As media.read_audio, of a file that lies in memory; nothing is written.

    Args:
        data: the file.
        max_seconds: longer sound is refused, before it is decoded to its end.
        sample_rate: samples a second.
        patience: seconds that decoding may take.

    Returns:
        float32 [samples], mono, in [-1, 1].

    Raises:
        ValueError: in words for whoever sent it: no sound, damaged, too long, or not finite.
    """
    import av

    if not data:
        raise ValueError("The file is empty.")
    options = {"format_whitelist": FORMATS, "codec_whitelist": _sound_decoders()}
    try:
        container = av.open(io.BytesIO(data), metadata_errors="replace", options=options)
    except (av.error.FFmpegError, ValueError):
        raise ValueError(f"This is no sound that can be read. Send {NAMES}.") from None
    with container:
        stream = stream_of(container, "audio")
        if stream is None:
            raise ValueError("The file has no sound.")
        check_whole(container, io.BytesIO(data), "The file")
        origin, until = origin_of(container), time.monotonic() + patience
        packets = _patient(packets_of(container, stream), until)
        frames = ((frame.time - origin, frame) for frame in decoded(packets))
        pieces = resampled(_bounded(frames, max_seconds), sample_rate)
        try:
            waveform = to_waveform(_within(pieces, max_seconds, sample_rate))
        except av.error.FFmpegError:
            raise ValueError("The file's sound is damaged and cannot be read.") from None
    if not len(waveform):
        raise ValueError("The file has no sound in it.")
    if not np.isfinite(waveform).all():
        raise ValueError("The sound has samples that are not finite numbers.")
    return np.clip(waveform, -1.0, 1.0, out=waveform)


@functools.cache
def _sound_decoders() -> str:
    """All decoders of sound that FFmpeg has. Opening a file decodes the first pictures of those
    that it may, to know their format: half a gigabyte for a small file that claims large ones."""
    import av

    names = []
    for name in sorted(av.codec.codecs_available):
        try:
            if av.codec.Codec(name, "r").type == "audio":
                names.append(name)
        except av.codec.codec.UnknownCodecError:  # an encoder's name alone
            continue
    return ",".join(names)


def _patient(packets: Iterable, until: float) -> Iterator:
    for packet in packets:
        if time.monotonic() > until:
            raise ValueError("The file takes too long to read.")
        yield packet


def _bounded(frames: Iterable, max_seconds: float) -> Iterator:
    """Refuses a frame before it is resampled: it could claim any rate, and any time."""
    for start, frame in frames:
        low, high = _RATES
        if not low <= frame.sample_rate <= high or frame.layout.nb_channels > _MAX_CHANNELS:
            raise ValueError(
                f"The sound must have {low} to {high} samples a second, and at most "
                f"{_MAX_CHANNELS} channels."
            )
        if not math.isfinite(start) or start > max_seconds:
            raise _too_long(max_seconds)
        yield start, frame


def _within(pieces: Iterable, max_seconds: float, sample_rate: int) -> Iterator:
    for first, chunk in pieces:
        if first + len(chunk) > max_seconds * sample_rate:
            raise _too_long(max_seconds)
        yield first, chunk


def _too_long(max_seconds: float) -> ValueError:
    return ValueError(f"The sound is longer than {max_seconds:g} seconds.")
