"""H.264 whose pictures are coded as two fields each (PAFF), as camcorders and television have it
and x264 does not write it: of uncompressed macroblocks (I_PCM), so that nothing is lost."""

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

TICKS = 90_000  # a second
KEY_FRAMES = 10  # so many frames a key frame


class Bits:
    """A NAL unit in the making (ITU-T H.264, 7.3 and 9.1)."""

    def __init__(self):
        self.text = ""

    def fixed(self, *pairs):
        """Numbers in so many bits each: (bits, number)."""
        for bits, number in pairs:
            self.text += f"{number:0{bits}b}"
        return self

    def golomb(self, *numbers):
        for number in numbers:
            code = f"{number + 1:b}"
            self.text += "0" * (len(code) - 1) + code
        return self

    def sample(self, values):
        """Bytes, from the next whole byte on."""
        self.text += "0" * (-len(self.text) % 8)
        self.text += "".join(f"{value:08b}" for value in np.ravel(values).tolist())
        return self

    def unit(self, kind) -> bytes:
        bits = self.text + "1"
        bits += "0" * (-len(bits) % 8)
        data = int(bits, 2).to_bytes(len(bits) // 8)
        escaped, zeros = bytearray(), 0
        for byte in data:
            if zeros >= 2 and byte <= 3:
                escaped.append(3)
                zeros = 0
            escaped.append(byte)
            zeros = 0 if byte else zeros + 1
        return b"\0\0\0\1" + bytes([3 << 5 | kind]) + bytes(escaped)


def _parameters(height, width) -> bytes:
    sequence = Bits().fixed((8, 77), (8, 0), (8, 40)).golomb(0, 0, 2, 1).fixed((1, 0))
    # Not of frames alone, no macroblock pairs, 8x8 inference, no cropping, no further information.
    sequence.golomb(width // 16 - 1, height // 32 - 1).fixed((1, 0), (1, 0), (1, 1), (2, 0))
    picture = Bits().golomb(0, 0).fixed((2, 0)).golomb(0, 0, 0).fixed((3, 0))
    return sequence.unit(7) + picture.golomb(0, 0, 0).fixed((3, 0)).unit(8)


def _field(luma, number, bottom, first_of_all) -> bytes:
    """A field's slice, grey: luma uint8 [height / 2, width]."""
    bits = Bits().golomb(0, 7, 0).fixed((4, number), (1, 1), (1, int(bottom)))
    if first_of_all:
        bits.golomb(0).fixed((2, 0))
    else:
        bits.fixed((1, 0))
    bits.golomb(0)
    for top in range(0, luma.shape[0], 16):
        for left in range(0, luma.shape[1], 16):
            bits.golomb(25).sample(luma[top : top + 16, left : left + 16]).sample([128] * 128)
    return bits.unit(5 if first_of_all else 1)


def _fields(video) -> Iterator[tuple[int, bool, bytes]]:
    """(frame, whether it is the second one, coded field) of uint8 [T, height, width]."""
    for frame, picture in enumerate(video):
        number = frame % KEY_FRAMES
        for bottom in (False, True):
            begins = number == 0 and not bottom
            head = _parameters(*picture.shape) if begins else b""
            yield frame, bottom, head + _field(picture[int(bottom) :: 2], number, bottom, begins)


def write(path, video, sound, fps=25, rate=48_000) -> None:
    """A file with a packet and a timestamp a field.

    Args:
        path: .ts, .mkv or .mp4.
        video: uint8 [T, height, width], grey; sides are multiples of 32 and 16.
        sound: float [samples] in [-1, 1].
        fps: of frames.
        rate: of the sound.
    """
    fields, raw = list(_fields(video)), path.with_suffix(".h264")
    raw.write_bytes(b"".join(data for *_, data in fields))
    with av.open(str(raw), format="h264") as source, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        stream.time_base = Fraction(1, TICKS)
        track = output.add_stream("aac", rate=rate, layout="mono")
        packets = []
        for frame, second, data in fields:
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, stream.time_base
            packet.duration = TICKS // fps // 2
            packet.pts = packet.dts = (2 * frame + second) * packet.duration
            packet.is_keyframe = frame % KEY_FRAMES == 0 and not second
            packets.append(packet)
        heard = av.AudioFrame.from_ndarray(np.float32(sound)[None], format="fltp", layout="mono")
        heard.sample_rate, heard.pts = rate, 0
        packets += [*track.encode(heard), *track.encode(None)]
        for packet in sorted(packets, key=lambda each: each.dts * each.time_base):
            output.mux(packet)
    raw.unlink()
