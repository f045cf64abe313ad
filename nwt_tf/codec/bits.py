"""Bits in bytes, most significant first, as `raw` and `rle` write them."""

import numpy as np
from numba import njit


def width_of(num_codes):
    """Bits of a code written plainly: 3 for 8 codes."""
    return max(1, int(num_codes - 1).bit_length())


@njit(cache=True)
def put(buffer, position, value, count):
    """Writes the low `count` bits of `value` at a bit position of a zeroed buffer.

    Returns:
        The position behind them.
    """
    for i in range(count - 1, -1, -1):
        buffer[position >> 3] |= np.uint8(((value >> i) & 1) << (7 - (position & 7)))
        position += 1
    return position


@njit(cache=True)
def take(buffer, position, count):
    """Reads `count` bits: (value, the position behind them); zeros behind the buffer's end."""
    value = np.int64(0)
    for _ in range(count):
        byte = position >> 3
        bit = (buffer[byte] >> (7 - (position & 7))) & 1 if byte < buffer.size else 0
        value = (value << 1) | np.int64(bit)
        position += 1
    return value, position


def pack(codes, width):
    """Codes as `width` bits each: bytes, the last one padded with zeros.

    Args:
        codes: uint8 [...], in C order.
        width: bits a code, 1 to 8.
    """
    flat = np.ascontiguousarray(codes, np.uint8).reshape(-1, 1)
    return np.packbits(np.unpackbits(flat, axis=1)[:, 8 - width :]).tobytes()


def unpack(payload, width, count):
    """The first `count` codes of packed bytes: uint8 [count].

    Raises:
        ValueError: the bytes do not hold exactly so many codes.
    """
    if len(payload) != (count * width + 7) // 8:
        raise ValueError(f"{len(payload)} bytes cannot hold {count} codes of {width} bits")
    bits = np.unpackbits(np.frombuffer(payload, np.uint8))[: count * width].reshape(count, width)
    return np.packbits(np.pad(bits, ((0, 0), (8 - width, 0))), axis=1)[:, 0]
