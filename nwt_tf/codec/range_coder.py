"""A binary range coder and the integer arithmetic of its probabilities (docs/codec.md, section 6).

Everything a decoder must repeat exactly is integer arithmetic on 64-bit words, so that the same
bytes come out of any machine. Compiled by numba: the coder is called for every binary decision.
"""

import numpy as np
from numba import njit

TOP = 1 << 32
LOGIT_SCALE = 256  # a logit of 1 is 256
MAX_LOGIT = 3071  # of what squash takes: logits of nearly 12


def _stretch_table():
    """logit of (i + 1/2) / 4096, scaled: int32 [4096]."""
    p = (np.arange(4096) + 0.5) / 4096
    return np.round(LOGIT_SCALE * np.log(p / (1 - p))).astype(np.int32)


def _squash_table():
    """65536 / (1 + exp(-x / 256)) for x from -3072 to 3071, within [8, 65528]: int32 [6144]."""
    logits = np.arange(-MAX_LOGIT - 1, MAX_LOGIT + 1) / LOGIT_SCALE
    return np.clip(np.round(65536 / (1 + np.exp(-logits))), 8, 65528).astype(np.int32)


STRETCH = _stretch_table()
SQUASH = _squash_table()


@njit(cache=True)
def stretch(p):
    """The scaled logit of a probability of 16 bits."""
    return np.int64(STRETCH[p >> 4])


@njit(cache=True)
def squash(logit):
    """The probability of 16 bits, 8 to 65528, of a scaled logit."""
    return np.int64(SQUASH[min(max(logit, -MAX_LOGIT - 1), MAX_LOGIT) + MAX_LOGIT + 1])


def start_encoding(capacity):
    """(state int64 [4], buffer uint8 [capacity]) of an encoder."""
    return np.array([0, TOP - 1, 0, 0], np.int64), np.zeros(capacity, np.uint8)


def start_decoding(payload):
    """(state, buffer) of a decoder of `payload`, bytes; behind its end it reads zeros."""
    buffer = np.frombuffer(payload, np.uint8).copy()  # Writable, as an encoder's: one compilation.
    first = int.from_bytes(bytes(payload[:4]).ljust(4, b"\0"), "big")
    return np.array([0, TOP - 1, first, 4], np.int64), buffer


def finish_encoding(state, buffer):
    """The bytes of an encoder: the fewest that, followed by zeros, lie in its last interval."""
    written = bytes(buffer[: state[3]])
    if state[0]:  # The top bytes of both ends differ, so that the upper one's multiple is within.
        written += bytes([(int(state[0]) >> 24) + 1])
    return written.rstrip(b"\0")


@njit(cache=True)
def code_bit(state, buffer, decoding, bit, p):
    """Codes a binary decision.

    Args:
        state: int64 [4]: low, high, value (of a decoder), bytes written or read.
        buffer: uint8, written by an encoder and read by a decoder.
        decoding: True gives the bit that was written, False writes `bit`.
        bit: 0 or 1.
        p: probability of 1 in 65536ths, 1 to 65535.

    Returns:
        The bit.
    """
    low, high = state[0], state[1]
    width = high - low
    middle = low + (width >> 16) * p + (((width & 0xFFFF) * p) >> 16)
    if decoding:
        bit = 1 if state[2] <= middle else 0
    if bit:
        high = middle
    else:
        low = middle + 1
    while (low ^ high) < (1 << 24):
        if decoding:
            following = np.int64(buffer[state[3]]) if state[3] < buffer.size else np.int64(0)
            state[2] = ((state[2] << 8) & 0xFFFFFFFF) | following
        else:
            buffer[state[3]] = high >> 24
        state[3] += 1
        low = (low << 8) & 0xFFFFFFFF
        high = ((high << 8) & 0xFFFFFFFF) | 0xFF
    state[0], state[1] = low, high
    return bit
