"""A reader of `.nwt` files written from docs/codec.md alone, in plain Python: sections 1 to 5."""

import struct

import numpy as np


def crc32c(data):
    """Bit by bit; reflected polynomial of Castagnoli."""
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (0x82F63B78 if remainder & 1 else 0)
    return remainder ^ 0xFFFFFFFF


def numbers(data, position, count):
    """So many LEB128 numbers: (list, the position behind them)."""
    found = []
    for _ in range(count):
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        found.append(value)
    return found, position


def header(data):
    """Section 2: ({field: value}, the header's length)."""
    assert data[:8] == bytes.fromhex("894E57540D0A1A0A")
    version, length = struct.unpack_from("<HH", data, 8)
    assert version == 1 and length <= 4096
    assert struct.unpack_from("<I", data, 12 + length)[0] == crc32c(data[: 12 + length])
    names = (
        "coder h w heads num_codes rate per height width chunk_frames frames weight dvae prior"
    ).split()
    found = dict(zip(names, struct.unpack_from("<BHHBHIIHHHIf8s8s", data, 12), strict=True))
    (size,) = struct.unpack_from("<H", data, 58)
    found["episode"] = data[60 : 60 + size].decode()
    names = "sound sample_rate channels base base_per".split()
    found |= dict(zip(names, struct.unpack_from("<BIBII", data, 60 + size), strict=True))
    (more,) = struct.unpack_from("<H", data, 74 + size)
    found["configuration"] = data[76 + size : 76 + size + more]
    return found, 16 + length


def records(data):
    """Section 3, all checksums compared: [(kind, key, frames, first, codes' CRC, payload)]."""
    about, position = header(data)
    found, lengths, frames_so_far = [], [], 0
    while True:
        marker, kind, flags, frames, first, n, codes_crc, payload_crc, own = struct.unpack_from(
            "<2sBBHIIIIH", data, position
        )
        payload = data[position + 24 : position + 24 + n]
        assert marker == b"\xc3\x9f" and first == frames_so_far
        assert own == crc32c(data[position : position + 22]) & 0xFFFF
        assert payload_crc == crc32c(payload)
        assert kind == 1 or (frames, codes_crc) == (0, 0)
        position += 24 + n
        if kind == 3:
            break
        found.append((kind, flags & 1, frames, first, codes_crc, payload))
        lengths += [24 + n, 4 * frames + 2 * (kind == 2) + (flags & 1)]
        frames_so_far += frames
    # Section 4.
    (count,), place = numbers(payload, 0, 1)
    assert count == len(found)
    assert numbers(payload, place, 2 * count) == (lengths, len(payload))
    assert struct.unpack("<I4s", data[position:]) == (24 + n, b"NWT\n")
    assert about["frames"] == frames_so_far
    return found


def sound(payload):
    """A sound payload: [(time, duration, bytes)]."""
    (count,), position = numbers(payload, 0, 1)
    packets = []
    for _ in range(count):
        (time, duration, size), position = numbers(payload, position, 3)
        time = -((time + 1) // 2) if time % 2 else time // 2
        packets.append((time, duration, payload[position : position + size]))
        position += size
    assert position == len(payload)
    return packets


class Bits:
    def __init__(self, payload):
        self.text, self.at = "".join(f"{byte:08b}" for byte in payload), 0

    def take(self, count):
        self.at += count
        return int(self.text[self.at - count : self.at] or "0", 2)

    def length(self, code):
        kind, k = divmod(code, 8)
        if kind == 0:
            total = 0
            while (word := self.take(k + 1)) == 2 ** (k + 1) - 1:
                total += word
            return total + word
        ones = 0
        while self.take(1) == (kind == 2):
            ones += 1
        if kind == 2:
            return (ones << k) + self.take(k)
        return (((1 << ones) + self.take(ones) - 1) << k) + self.take(k)


def read_rle(payload, frames, places, width, last):
    mode, bits, rows = payload[0], Bits(payload[1:]), []
    if mode < 32:
        for _ in range(places):
            row = []
            while len(row) < frames:
                code = bits.take(width)
                row += [code] * (bits.length(mode) + 1)
            rows.append(row)
        return np.array(rows).T
    rows = [[bits.take(width)] for _ in range(places)] if last is None else [[c] for c in last]
    wanted = frames + (last is not None)
    left = bits.length(mode - 32)
    for row in rows:
        while len(row) < wanted:
            if left:
                row.append(row[-1])
                left -= 1
            else:
                row.append(bits.take(width))
                left = bits.length(mode - 32)
    return np.array(rows).T[-frames:]


def read_raw(payload, frames, places, width):
    bits = Bits(payload)
    codes = [bits.take(width) for _ in range(frames * places)]
    assert len(payload) == (frames * places * width + 7) // 8
    return np.array(codes)
