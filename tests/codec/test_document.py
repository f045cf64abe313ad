"""docs/codec.md suffices: a reader written from it alone, in plain Python, reads the files."""

import math
import struct

import numpy as np
import pytest

from tests.codec.files import file_of, speechlike

MASK = (1 << 64) - 1
STRETCH = [round(256 * math.log(x / (1 - x))) for x in ((i + 0.5) / 4096 for i in range(4096))]


def squash(logit):
    logit = min(max(logit, -3072), 3071)
    return min(max(round(65536 / (1 + math.exp(-logit / 256))), 8), 65528)


def records(data):
    """Sections 2 and 3: (coder, (h, w, heads), num_codes, [(frames, key, payload)])."""
    (length,) = struct.unpack_from("<H", data, 10)
    coder, h, w, heads, num_codes = struct.unpack_from("<BHHBH", data, 12)
    position, chunks = 16 + length, []
    while True:
        marker, kind, flags, frames, _, n, *_ = struct.unpack_from("<2sBBHIIII", data, position)
        assert marker == b"\xc3\x9f"
        payload = data[position + 24 : position + 24 + n]
        position += 24 + n
        if kind == 3:
            assert struct.unpack("<I4s", data[position:])[0] == n + 24
            return coder, (h, w, heads), num_codes, chunks
        chunks.append((frames, flags & 1, payload))


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


class RangeDecoder:
    def __init__(self, payload):
        self.data = payload + bytes(1 << 16)
        self.low, self.high, self.at = 0, 2**32 - 1, 4
        self.value = int.from_bytes(self.data[:4], "big")

    def bit(self, p):
        r = self.high - self.low
        middle = self.low + (r >> 16) * p + ((r % 65536) * p >> 16)
        bit = int(self.value <= middle)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while self.low >> 24 == self.high >> 24:
            self.low = self.low << 8 & 0xFFFFFFFF
            self.high = self.high << 8 & 0xFFFFFFFF | 255
            self.value = self.value << 8 & 0xFFFFFFFF | self.data[self.at]
            self.at += 1
        return bit


class ContextReader:
    """Section 5, without a prior."""

    def __init__(self, shape, num_codes):
        self.shape, self.num_codes = shape, num_codes
        self.width = max(1, (num_codes - 1).bit_length())
        self.reset()

    def reset(self):
        self.slots, self.weights = {}, {}
        self.frames, self.changed = [], []
        self.ages = np.zeros(self.shape, int)

    def decide(self, coder, contexts, rows):
        keys = [
            (k, ((((4096 * a + b) * 2**20 + c) * 32 + k) * 0x9E3779B97F4A7C15 & MASK) >> 32)
            for k, a, b, c in contexts
        ]
        if rows[2] is not None:
            keys = [(k, (h + rows[2] * 0x3D4D51CB & 0xFFFFFFFF) >> 7) for k, h in keys]
        keys = [(k, h % 65536) for k, h in keys]
        states = [self.slots.get(key, (1 << 21, 0)) for key in keys]
        inputs = [256] + [STRETCH[p >> 10] for p, _ in states]
        weights = [self.weights.setdefault(row, [10000] * len(inputs)) for row in rows[:2]]
        sums = [sum(x * y for x, y in zip(inputs, row, strict=True)) for row in weights]
        bit = coder.bit(squash(sum(sums) >> 17))
        for total, row in zip(sums, weights, strict=True):
            error = (bit << 16) - squash(total >> 16)
            row[:] = [
                y + ((x * error * 20 + 2**19) >> 20) for x, y in zip(inputs, row, strict=True)
            ]
        for key, (p, m) in zip(keys, states, strict=True):
            p += (((bit << 22) - bit - p) * (131072 // (2 * m + 3))) >> 16
            self.slots[key] = p, min(m + 1, 255)
        return bit

    def frame(self, coder):
        rows, columns, heads = self.shape
        codes, changes = np.zeros(self.shape, int), np.zeros(self.shape, int)
        known, none = len(self.frames), self.num_codes

        def at(picture, y, x, k, otherwise):
            inside = 0 <= y < rows and 0 <= x < columns and k >= 0
            return int(picture[y, x, k]) if picture is not None and inside else otherwise

        old_frame = self.frames[-1] if known else None
        last = self.changed[-1] if known else None
        for y, x, k in np.ndindex(*self.shape):
            cell = y * columns + x
            old = at(old_frame, y, x, k, none)
            older = at(self.frames[-2] if known > 1 else None, y, x, k, none)
            west, north = at(codes, y, x - 1, k, none), at(codes, y - 1, x, k, none)
            one, two = at(codes, y, x, k - 1, none), at(codes, y, x, k - 2, none)
            w, n = at(changes, y, x - 1, k, 0), at(changes, y - 1, x, k, 0)
            nw, ne = at(changes, y - 1, x - 1, k, 0), at(changes, y - 1, x + 1, k, 0)
            changed, four = 1, min(w + n + nw + ne, 3)
            if known:
                around = 8 * w + 4 * n + 2 * nw + ne
                cross = 8 * at(last, y, x + 1, k, 0) + 4 * at(last, y + 1, x, k, 0)
                cross += 2 * at(last, y, x - 1, k, 0) + at(last, y - 1, x, k, 0)
                o, before = at(last, y, x, k, 0), min(int(last[y, x].sum()), 7)
                here = min(int(changes[y, x, :k].sum()), 3)
                recent = sum(int(bit) << i for i, bit in enumerate(changes[y, x, :k][::-1][:8]))
                cw, cn, cne = (
                    min(sum(at(changes, *place, j, 0) for j in range(heads)), 7)
                    for place in ((y, x - 1), (y - 1, x), (y - 1, x + 1))
                )
                age = int(self.ages[y, x, k]).bit_length()
                contexts = [
                    (0, k, recent, 0), (1, k, old, around), (2, k, 0, cell), (3, k, age, here),
                    (4, here, 64 * cw + 8 * cn + cne, 0), (5, k, 16 * o + cross, w + n),
                    (6, k, old, 512 * north + west), (7, k, old, 16 * older + age),
                    (8, min(here, 2), 0, cell), (9, k, old, 512 * one + two),
                    (10, k, 2 * before + o, 16 * here + around), (11, k, old, cell),
                ]  # fmt: skip
                row = k, 2 * heads + 4 * here + four, None
                changed = self.decide(coder, contexts, row)
            value = old
            if changed:
                east, south = at(old_frame, y, x + 1, k, none), at(old_frame, y + 1, x, k, none)
                contexts = [
                    (16, k, old, 0), (17, k, 0, cell), (18, k, old, older), (19, k, west, north),
                    (20, k, one, two), (21, k, old, one), (22, k, east, south), (23, k, old, west),
                    (24, k, old, cell),
                ]  # fmt: skip
                node = 1
                for _ in range(self.width):
                    row = heads + k, 2 * heads + 16 + node % 64, node
                    node = 2 * node + self.decide(coder, contexts, row)
                value = node - (1 << self.width)
            codes[y, x, k], changes[y, x, k] = value, changed if known else 0
            self.ages[y, x, k] = 0 if changed else min(self.ages[y, x, k] + 1, 255)
        self.frames.append(codes)
        self.changed.append(changes)
        return codes


def read(data):
    """All codes of a file."""
    coder, shape, num_codes, chunks = records(data)
    places, width = math.prod(shape), max(1, (num_codes - 1).bit_length())
    contexts, last, found = ContextReader(shape, num_codes), None, []
    for frames, key, payload in chunks:
        if key:
            contexts.reset()
            last = None
        if coder == 0:
            bits = Bits(payload)
            codes = np.array([bits.take(width) for _ in range(frames * places)])
        elif coder == 1:
            codes = read_rle(payload, frames, places, width, last)
        else:
            decoder = RangeDecoder(payload)
            codes = np.array([contexts.frame(decoder) for _ in range(frames)])
        found.append(codes.reshape(frames, *shape))
        last = found[-1][-1].reshape(-1)
    return np.concatenate(found)


@pytest.mark.parametrize("coder", ["raw", "rle", "context"])
@pytest.mark.parametrize(("num_codes", "rate"), [(8, 0.05), (5, 0.6), (200, 0.3)])
def test_a_reader_written_from_the_document(coder, num_codes, rate):
    for shape, key_chunks in (((3, 4, 3), 1), ((2, 3, 10), 2)):
        codes = speechlike(16, shape, num_codes, rate=rate)
        assert np.array_equal(read(file_of(coder, codes, num_codes, key_chunks, 5)), codes)


def test_every_run_length_code_is_read():
    """Each of the 48, by codes that make it the cheapest or by forcing it."""
    from nwt_tf.codec import rle

    codes = speechlike(40, (2, 2, 2), 4, rate=0.1)
    for mode in [*range(24), *range(32, 56)]:
        with pytest.MonkeyPatch.context() as patch:
            costs = rle._costs
            layout = iter((mode < 32, mode >= 32))
            patch.setattr(
                rle, "_costs",
                lambda lengths, costs=costs, layout=layout, mode=mode: [
                    cost - (10**9 if i == mode % 32 and chosen else 0)
                    for chosen in [next(layout)] for i, cost in enumerate(costs(lengths))
                ],
            )  # fmt: skip
            patch.setattr(rle.np, "zeros", lambda *a, zeros=np.zeros: zeros(max(a[0], 4000), a[1]))
            payload = rle.RunLengths((2, 2, 2), 4).encode(codes)
        assert payload[0] == mode
        assert np.array_equal(read_rle(payload, 40, 8, 2, None), codes.reshape(40, -1))
        back = rle.RunLengths((2, 2, 2), 4).decode(payload, 40)
        assert np.array_equal(back, codes)
