"""Coded sound, AAC or Opus, as packets."""

import contextlib
import dataclasses
import io
import struct
from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from data_pipeline.sound import resampled, to_waveform


@dataclasses.dataclass(frozen=True)
class SoundStream:
    """What a decoder needs to know before the packets, which are (time, duration, bytes) with times
    in time_base, 0 being the first frame's."""

    codec: str  # "aac" or "opus"
    sample_rate: int  # Hz
    channels: int
    time_base: Fraction  # seconds
    extradata: bytes  # AudioSpecificConfig or OpusHead


Packets = Iterable[tuple[int, int, bytes]]


def decode_packets(stream: SoundStream, packets: Packets, sample_rate: int = 24000) -> np.ndarray:
    """Packets to sound: float32 [samples], mono, in [-1, 1]; sample 0 belongs to time 0.

    Packets that cannot be decoded are passed over.
    """
    import av

    decoder = av.CodecContext.create(stream.codec, "r")
    decoder.extradata, decoder.sample_rate = stream.extradata, stream.sample_rate

    def frames():
        first = True
        for time, duration, data in packets:
            packet = av.Packet(data)
            packet.pts, packet.time_base = time, stream.time_base
            with contextlib.suppress(av.error.FFmpegError):
                for frame in decoder.decode(packet):
                    begin = float(time * stream.time_base)
                    if first:  # Opus decoders drop their priming, but leave the time.
                        heard = frame.samples / frame.sample_rate
                        begin += max(0.0, float(duration * stream.time_base) - heard)
                        first = False
                    yield begin, frame

    waveform = to_waveform(resampled(frames(), sample_rate))
    return np.clip(np.nan_to_num(waveform), -1.0, 1.0)


def template_file(stream: SoundStream) -> io.BytesIO:
    """A Matroska file without packets that describes a stream: PyAV copies streams from files."""
    codec = {"aac": b"A_AAC", "opus": b"A_OPUS"}[stream.codec]
    audio = _element("b5", struct.pack(">d", stream.sample_rate))
    audio += _element("9f", bytes([stream.channels]))
    track = _element("d7", b"\1") + _element("73c5", b"\1") + _element("83", b"\2")
    track += _element("86", codec) + _element("63a2", stream.extradata) + _element("e1", audio)
    segment = _element("1549a966", _element("2ad7b1", (1_000_000).to_bytes(4, "big")))
    segment += _element("1654ae6b", _element("ae", track))
    segment += _element("1f43b675", _element("e7", b"\0"))  # an empty cluster ends the headers
    head = _element("1a45dfa3", _element("4282", b"matroska"))
    return io.BytesIO(head + _element("18538067", segment))


def _element(identifier: str, data: bytes) -> bytes:
    """An EBML element (RFC 8794) with its size in 8 bytes."""
    return bytes.fromhex(identifier) + struct.pack(">Q", len(data) | 1 << 56) + data
