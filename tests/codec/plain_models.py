"""Sections 6 and 7 of docs/codec.md, from the document alone, in plain Python."""

import math

import numpy as np

from tests.codec.plain_container import numbers

MASK = (1 << 64) - 1
STRETCH = [round(256 * math.log(x / (1 - x))) for x in ((i + 0.5) / 4096 for i in range(4096))]


def squash(logit):
    logit = min(max(logit, -3072), 3071)
    return min(max(round(65536 / (1 + math.exp(-logit / 256))), 8), 65528)


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


def close_calls(payload, position, values):
    """A list of close calls over numbers in steps: (the whole numbers, the position behind it)."""
    rounded = np.floor(values + 0.5).astype(int)
    (count,), position = numbers(payload, position, 1)
    listed, position = numbers(payload, position, count)
    place = -1
    for number in listed:
        place += number // 2 + 1
        border = round(values[place] + 0.5)
        rounded[place] = border if number % 2 else border - 1
    return rounded, position


def masses(log_p, rounded):
    """Section 7: mass of every code of every symbol, of 16 ln P as whole numbers."""
    k = np.clip(-rounded.reshape(log_p.shape), 0, 255)
    return [[round(2**20 * math.exp(-n / 16)) + 1 for n in row] for row in k.tolist()]


def share(a, b):
    return min(max(65536 * a // (a + b), 1), 65535)


class ContextReader:
    """Section 6, and with masses section 7."""

    def __init__(self, shape, num_codes):
        self.shape, self.num_codes = shape, num_codes
        self.width = max(1, (num_codes - 1).bit_length())
        self.reset()

    def reset(self):
        self.slots, self.weights = {}, {}
        self.frames, self.changed = [], []
        self.ages = np.zeros(self.shape, int)

    def decide(self, coder, contexts, rows, q=None):
        keys = [
            (k, ((((4096 * a + b) * 2**20 + c) * 32 + k) * 0x9E3779B97F4A7C15 & MASK) >> 32)
            for k, a, b, c in contexts
        ]
        if rows[2] is not None:
            keys = [(k, (h + rows[2] * 0x3D4D51CB & 0xFFFFFFFF) >> 7) for k, h in keys]
        keys = [(k, h % 65536) for k, h in keys]
        states = [self.slots.get(key, (1 << 21, 0)) for key in keys]
        told = [] if q is None else [q]
        inputs = [256, *told, *(STRETCH[p >> 10] for p, _ in states)]
        fresh = [10000, *([20000] * len(told)), *([10000] * len(states))]
        weights = [self.weights.setdefault(row, list(fresh)) for row in rows[:2]]
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

    def frame(self, coder, masses=None):
        """The next frame's codes; `masses` of its symbols for coder `prior`."""
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
            changed, four, q = 1, min(w + n + nw + ne, 3), None
            mass = masses[cell * heads + k] if masses is not None else None
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
                if mass:
                    q = STRETCH[share(sum(mass) - mass[old], mass[old]) >> 4]
                    contexts.append((12, k, q + 4096 >> 5, 0))
                    contexts.append((13, min(w + n + nw + ne, 2), q + 4096 >> 6, here))
                row = k, 2 * heads + 4 * here + four, None
                changed = self.decide(coder, contexts, row, q)
            value = old
            if changed:
                east, south = at(old_frame, y, x + 1, k, none), at(old_frame, y + 1, x, k, none)
                contexts = [
                    (16, k, old, 0), (17, k, 0, cell), (18, k, old, older), (19, k, west, north),
                    (20, k, one, two), (21, k, old, one), (22, k, east, south), (23, k, old, west),
                    (24, k, old, cell),
                ]  # fmt: skip
                node = 1
                for level in range(self.width - 1, -1, -1):
                    told = []
                    if mass:
                        sums = [
                            sum(
                                m for code, m in enumerate(mass)
                                if code != old and code + 2**self.width >> level == 2 * node + bit
                            )
                            for bit in (0, 1)
                        ]  # fmt: skip
                        q = STRETCH[share(sums[1] + 1, sums[0] + 1) >> 4]
                        told = [(25, k, q + 4096 >> 5, 0), (26, old, q + 4096 >> 6, k)]
                    row = heads + k, 2 * heads + 16 + node % 64, node
                    node = 2 * node + self.decide(coder, contexts + told, row, q)
                value = node - (1 << self.width)
            codes[y, x, k], changes[y, x, k] = value, changed if known else 0
            self.ages[y, x, k] = 0 if changed else min(self.ages[y, x, k] + 1, 255)
        self.frames.append(codes)
        self.changed.append(changes)
        return codes
