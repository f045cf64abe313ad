"""CRC32C (Castagnoli, RFC 3720), which the standard library lacks."""

import numpy as np
from numba import njit


def _table():
    rows = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        rows = (rows >> 1) ^ np.where(rows & 1, np.uint32(0x82F63B78), np.uint32(0))
    return rows


_ROWS = _table()


@njit(cache=True)
def _update(data, remainder):
    for byte in data:
        remainder = (remainder >> np.uint32(8)) ^ _ROWS[(remainder ^ byte) & np.uint32(0xFF)]
    return remainder


def crc32c(data):
    """Checksum of bytes or of a uint8 array in C order: int in [0, 2 ** 32)."""
    if not isinstance(data, np.ndarray):
        data = np.frombuffer(data, np.uint8)
    flat = np.ascontiguousarray(data).reshape(-1)
    return int(_update(flat, np.uint32(0xFFFFFFFF))) ^ 0xFFFFFFFF
