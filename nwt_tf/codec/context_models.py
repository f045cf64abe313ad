"""Adaptive context mixing over Memcodes (docs/codec.md, section 6).

Codes go in raster order, heads inner. Where there is a frame before, a first decision says whether
a code changed; the code itself follows, if it must, bit by bit. Each decision is seen in several
contexts (the last frames, the neighbours, the heads before), each with an adaptive probability of
its own; an online logistic regression mixes them, and where a prior network predicts, its
probabilities too. All of it is integer arithmetic.
"""

import numpy as np
from numba import njit

from nwt_tf.codec import range_coder
from nwt_tf.codec.bits import width_of
from nwt_tf.codec.range_coder import LOGIT_SCALE, code_bit, squash, stretch

SLOTS = 1 << 16  # adaptive probabilities a context
CHANGE_CONTEXTS, CODE_CONTEXTS, PRIOR_CONTEXTS = 12, 9, 2
_CONTEXTS = CHANGE_CONTEXTS + PRIOR_CONTEXTS + CODE_CONTEXTS + PRIOR_CONTEXTS
_INPUTS = CHANGE_CONTEXTS + PRIOR_CONTEXTS + 2  # the most of a decision: a bias, the prior itself
_LIMIT = 255  # observations after which a probability's rate of change stays
_START_WEIGHT, _PRIOR_WEIGHT = 10000, 20000  # of the mixture, in 65536ths
_LEARNING_RATE = 20  # of the mixture's weights
_UNSEEN = np.uint32((1 << 21) << 10)  # probability 1/2 in the upper 22 bits, 0 observations
_RATES = np.array([65536 * 2 // (2 * n + 3) for n in range(_LIMIT + 1)], np.int64)
_NODES = 64  # rows of the code bits' second mixture
_GRID = 16  # rows of the changes' second mixture


class ContextModels:
    """The adaptive state that encoder and decoder share.

    Args:
        shape: (h, w, heads) of a frame's codes.
        num_codes: codes a head.
        with_prior: whether a prior's probabilities are mixed in.
    """

    def __init__(self, shape, num_codes, with_prior=False):
        self.shape, self.num_codes, self.with_prior = tuple(shape), num_codes, with_prior
        self.symbols = int(np.prod(self.shape))
        rows = 2 * shape[2] + _GRID + _NODES
        self._tables = np.empty((_CONTEXTS, SLOTS), np.uint32)
        self._weights = np.empty((rows, _INPUTS), np.int64)
        # The codes of this frame and the two before it; changes of this one and the last; frames
        # since the last change.
        self._codes = np.empty((3, *self.shape), np.uint8)
        self._changes = np.empty((2, *self.shape), np.uint8)
        self._ages = np.empty(self.shape, np.uint8)
        self._coder, self._buffer, self._decoding = None, None, False
        self.reset()

    def reset(self, first=0):
        """Forgets all that was coded: the next chunk stands alone."""
        self._tables[:] = _UNSEEN
        self._weights[:] = _START_WEIGHT
        if self.with_prior:
            self._weights[:, 1] = _PRIOR_WEIGHT
        self._codes[:] = 0
        self._changes[:] = 0
        self._ages[:] = 0
        self._frame, self._place = 0, 0

    def start_encoding(self, frames):
        """Begins a payload of at most so many frames."""
        decisions = 1 + width_of(self.num_codes)
        capacity = 16 + 2 * frames * self.symbols * decisions
        self._coder, self._buffer = range_coder.start_encoding(capacity)
        self._decoding = False

    def start_decoding(self, payload):
        """Begins to read a payload, bytes."""
        self._coder, self._buffer = range_coder.start_decoding(payload)
        self._decoding = True

    def finish(self):
        """The encoder's payload."""
        return range_coder.finish_encoding(self._coder, self._buffer)

    def code(self, codes, masses=None):
        """Codes what follows in raster order: up to the end of a frame, not beyond.

        Args:
            codes: uint8 [n], written by a decoder and read by an encoder.
            masses: int64 [n, num_codes], the prior's probabilities as positive integers of any
                sum below 2 ** 40; with_prior needs them.

        Raises:
            ValueError: a payload that no encoder writes.
        """
        if masses is None:
            masses = np.zeros((0, self.num_codes), np.int64)
        stop = self._place + len(codes)
        flat = self._codes[0].reshape(-1)
        if not self._decoding:
            flat[self._place : stop] = codes
        known = min(self._frame, 2)
        width = width_of(self.num_codes)
        wrong = _code(
            self._coder, self._buffer, self._decoding, self._codes, self._changes, self._ages,
            known, self._place, stop, self.num_codes, width, masses, self._tables, self._weights,
        )  # fmt: skip
        if wrong:
            raise ValueError(f"it has codes above {self.num_codes - 1}")
        codes[:] = flat[self._place : stop]
        self._place = stop
        if stop == self.symbols:
            self._codes[2], self._codes[1] = self._codes[1], self._codes[0]
            self._changes[1] = self._changes[0]
            self._frame, self._place = self._frame + 1, 0


class ContextCoder:
    """Coder `context`.

    Args:
        shape: (h, w, heads) of a frame's codes.
        num_codes: codes a head.
    """

    def __init__(self, shape, num_codes):
        self.shape, self.models = tuple(shape), ContextModels(shape, num_codes)

    def reset(self, first=0):
        """Forgets the frames before: the next chunk stands alone, from frame `first` on."""
        self.models.reset()

    def encode(self, codes):
        """uint8 [T, h, w, heads] -> bytes."""
        self.models.start_encoding(len(codes))
        for frame in codes:
            self.models.code(frame.reshape(-1).copy())
        return self.models.finish()

    def decode(self, payload, frames):
        """bytes -> uint8 [frames, h, w, heads].

        Raises:
            ValueError: bytes that no encoder writes.
        """
        codes = np.zeros((frames, *self.shape), np.uint8)
        self.models.start_decoding(payload)
        for frame in codes:
            self.models.code(frame.reshape(-1))
        return codes


@njit(cache=True)
def _slot(kind, a, b, c):
    """Where a context lies in its table; `kind` keeps the contexts' sequences apart."""
    key = (np.uint64(a) * np.uint64(4096) + np.uint64(b)) * np.uint64(1 << 20) + np.uint64(c)
    key = (key * np.uint64(32) + np.uint64(kind)) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64(key >> np.uint64(32))


@njit(cache=True)
def _decide(coder, buffer, decoding, bit, tables, where, first, count, inputs, given, weights, one,
            two):  # fmt: skip
    """Codes a decision with the mean of two mixtures, then learns from it.

    Args:
        tables, where: contexts first to first + count, slot where[i] of each.
        inputs: scaled logits; the first `given` are filled in.
        weights, one, two: rows of the two mixtures.
    """
    used = given + count
    for i in range(count):
        inputs[given + i] = stretch(np.int64(tables[first + i, where[i]] >> 16))
    dot_one, dot_two = np.int64(0), np.int64(0)
    for i in range(used):
        dot_one += inputs[i] * weights[one, i]
        dot_two += inputs[i] * weights[two, i]
    bit = code_bit(coder, buffer, decoding, bit, squash((dot_one + dot_two) >> 17))
    error_one = ((bit << 16) - squash(dot_one >> 16)) * _LEARNING_RATE
    error_two = ((bit << 16) - squash(dot_two >> 16)) * _LEARNING_RATE
    for i in range(used):
        weights[one, i] += (inputs[i] * error_one + (1 << 19)) >> 20
        weights[two, i] += (inputs[i] * error_two + (1 << 19)) >> 20
    for i in range(count):
        state = np.int64(tables[first + i, where[i]])
        seen, p = state & 1023, state >> 10
        p += (((bit << 22) - bit - p) * _RATES[seen]) >> 16
        tables[first + i, where[i]] = (p << 10) | min(seen + 1, _LIMIT)
    return bit


@njit(cache=True)
def _share(part, rest):
    """part / (part + rest) in 65536ths, within [1, 65535]."""
    return min(max((part << 16) // max(part + rest, 1), 1), 65535)


@njit(cache=True)
def _code(coder, buffer, decoding, frames, all_changes, ages, known, start, stop, num_codes, width,
          masses, tables, weights):  # fmt: skip
    """Codes symbols start to stop of a frame; returns whether a code is none.

    Args:
        known: frames before this one: 0, 1, or 2 for more.
        masses: int64 [stop - start, num_codes] of a prior, or of no rows.
    """
    codes, previous, earlier = frames[0], frames[1], frames[2]
    changes, last_changes = all_changes[0], all_changes[1]
    rows, columns, heads = codes.shape
    none = num_codes  # stands for a code that is not there
    with_prior = masses.shape[0] > 0
    given = 2 if with_prior else 1
    prior_contexts = PRIOR_CONTEXTS if with_prior else 0
    where = np.zeros(_INPUTS, np.int64)
    bases = np.zeros(_INPUTS, np.int64)
    inputs = np.zeros(_INPUTS + 2, np.int64)
    inputs[0] = LOGIT_SCALE
    before, recent, changed_here = np.int64(0), np.int64(0), np.int64(0)
    cell_w, cell_n, cell_ne = np.int64(0), np.int64(0), np.int64(0)
    for place in range(start, stop):
        cell, head = place // heads, place % heads
        y, x = cell // columns, cell % columns
        west, north = x > 0, y > 0
        east, south = x + 1 < columns, y + 1 < rows
        old = np.int64(previous[y, x, head]) if known else none
        older = np.int64(earlier[y, x, head]) if known > 1 else none
        code_w = np.int64(codes[y, x - 1, head]) if west else none
        code_n = np.int64(codes[y - 1, x, head]) if north else none
        code_1 = np.int64(codes[y, x, head - 1]) if head > 0 else none
        code_2 = np.int64(codes[y, x, head - 2]) if head > 1 else none
        value = np.int64(codes[y, x, head])
        total = np.int64(0)
        if with_prior:
            for mass in masses[place - start]:
                total += mass
        changed = np.int64(1)
        if known:
            w = np.int64(changes[y, x - 1, head]) if west else 0
            n = np.int64(changes[y - 1, x, head]) if north else 0
            nw = np.int64(changes[y - 1, x - 1, head]) if west and north else 0
            ne = np.int64(changes[y - 1, x + 1, head]) if north and east else 0
            around = 8 * w + 4 * n + 2 * nw + ne
            if head == 0 or place == start:  # Of the cell as a whole.
                before, recent, changed_here = np.int64(0), np.int64(0), np.int64(0)
                cell_w, cell_n, cell_ne = np.int64(0), np.int64(0), np.int64(0)
                for k in range(heads):
                    before += last_changes[y, x, k]
                    cell_w += changes[y, x - 1, k] if west else 0
                    cell_n += changes[y - 1, x, k] if north else 0
                    cell_ne += changes[y - 1, x + 1, k] if north and east else 0
                for k in range(head):  # Changes of the heads before, as bits too.
                    recent = ((recent << 1) | changes[y, x, k]) & 255
                    changed_here += changes[y, x, k]
            here = min(changed_here, 3)
            past = np.int64(last_changes[y, x, head])
            cross = 8 * np.int64(last_changes[y, x + 1, head]) if east else 0
            cross += 4 * np.int64(last_changes[y + 1, x, head]) if south else 0
            cross += 2 * np.int64(last_changes[y, x - 1, head]) if west else 0
            cross += np.int64(last_changes[y - 1, x, head]) if north else 0
            age = np.int64(0)
            while ages[y, x, head] >> age:
                age += 1
            where[0] = _slot(0, head, recent, 0)
            where[1] = _slot(1, head, old, around)
            where[2] = _slot(2, head, 0, cell)
            where[3] = _slot(3, head, age, here)
            where[4] = _slot(4, here, min(cell_w, 7) * 64 + min(cell_n, 7) * 8 + min(cell_ne, 7), 0)
            where[5] = _slot(5, head, past * 16 + cross, w + n)
            where[6] = _slot(6, head, old, code_n * 512 + code_w)
            where[7] = _slot(7, head, old, older * 16 + age)
            where[8] = _slot(8, min(here, 2), 0, cell)
            where[9] = _slot(9, head, old, code_1 * 512 + code_2)
            where[10] = _slot(10, head, min(before, 7) * 2 + past, here * 16 + around)
            where[11] = _slot(11, head, old, cell)
            if with_prior:
                logit = stretch(_share(total - masses[place - start, old],
                                       masses[place - start, old]))  # fmt: skip
                inputs[1] = logit
                where[12] = _slot(12, head, (logit + 4096) >> 5, 0)
                where[13] = _slot(13, min(w + n + nw + ne, 2), (logit + 4096) >> 6, here)
            for i in range(CHANGE_CONTEXTS + prior_contexts):
                where[i] &= SLOTS - 1
            changed = _decide(
                coder, buffer, decoding, np.int64(value != old), tables, where, 0,
                CHANGE_CONTEXTS + prior_contexts, inputs, given, weights, head,
                2 * heads + 4 * here + min(w + n + nw + ne, 3),
            )  # fmt: skip
        if changed:
            code_e = np.int64(previous[y, x + 1, head]) if known and east else none
            code_s = np.int64(previous[y + 1, x, head]) if known and south else none
            bases[0] = _slot(16, head, old, 0)
            bases[1] = _slot(17, head, 0, cell)
            bases[2] = _slot(18, head, old, older)
            bases[3] = _slot(19, head, code_w, code_n)
            bases[4] = _slot(20, head, code_1, code_2)
            bases[5] = _slot(21, head, old, code_1)
            bases[6] = _slot(22, head, code_e, code_s)
            bases[7] = _slot(23, head, old, code_w)
            bases[8] = _slot(24, head, old, cell)
            node = np.int64(1)
            for level in range(width - 1, -1, -1):
                if with_prior:
                    zero, one = np.int64(0), np.int64(0)
                    first = node << (level + 1)
                    half = np.int64(1) << level
                    for code in range(first - (1 << width), first - (1 << width) + 2 * half):
                        if code < num_codes and code != old:
                            if code - (first - (1 << width)) < half:
                                zero += masses[place - start, code]
                            else:
                                one += masses[place - start, code]
                    logit = stretch(_share(one + 1, zero + 1))
                    inputs[1] = logit
                    bases[9] = _slot(25, head, (logit + 4096) >> 5, 0)
                    bases[10] = _slot(26, old, (logit + 4096) >> 6, head)
                for i in range(CODE_CONTEXTS + prior_contexts):
                    where[i] = (bases[i] + node * 0x3D4D51CB) & 0xFFFFFFFF
                    where[i] = (where[i] >> 7) & (SLOTS - 1)
                bit = _decide(
                    coder, buffer, decoding, (value >> level) & 1, tables, where,
                    CHANGE_CONTEXTS + PRIOR_CONTEXTS, CODE_CONTEXTS + prior_contexts, inputs, given,
                    weights, heads + head, 2 * heads + 16 + node % 64,
                )  # fmt: skip
                node = 2 * node + bit
            value = node - (np.int64(1) << width)
            if value >= num_codes:
                return True
        else:
            value = old
        codes[y, x, head] = value
        changes[y, x, head] = changed if known else 0
        recent = ((recent << 1) | changes[y, x, head]) & 255
        changed_here += changes[y, x, head]
        ages[y, x, head] = 0 if changed else min(ages[y, x, head] + 1, 255)
    return False
