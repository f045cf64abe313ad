"""Run lengths along time (section 3.6), the cheapest of several codes a chunk.

Most heads keep their code from frame to frame. Two layouts are tried, each with 24 codes of the run
lengths: `series` writes every head of every Memcode as its runs; `scan` writes the first codes and
then, over all series one behind the other, how many codes stay unchanged before the next change.
"""

import numpy as np
from numba import njit

from nwt_tf.codec.bits import put, take, width_of

FIXED, GOLOMB, RICE = 0, 8, 16  # numbers of the run-length codes; each kind has 8 parameters
SERIES, SCAN = 0, 32  # added to them: the layout
_MAX_LENGTH = 1 << 40  # above any run that a chunk can hold: damage


class RunLengths:
    """Coder `rle`.

    Args:
        shape: (h, w, heads) of a frame's codes.
        num_codes: codes a head.
    """

    def __init__(self, shape, num_codes):
        self.shape, self.num_codes = tuple(shape), num_codes
        self.width = width_of(num_codes)
        self.reset()

    def reset(self, first=0):
        """Forgets the frames before: the next chunk stands alone, from frame `first` on."""
        self.last = None

    def encode(self, codes):
        """uint8 [T, h, w, heads] -> bytes."""
        series = codes.reshape(len(codes), -1).T  # [series, T]
        layouts = {SERIES: _runs(series), SCAN: _scan(series, self.last)}
        self.last = codes[-1].reshape(-1).copy()
        cost, mode = min(
            (bits + len(first) * self.width + len(values) * self.width, layout + code)
            for layout, (first, lengths, values) in layouts.items()
            for code, bits in enumerate(_costs(lengths))
        )
        first, lengths, values = layouts[mode & SCAN]
        buffer = np.zeros(1 + (cost + 7) // 8, np.uint8)
        buffer[0] = mode
        arrays = (np.asarray(each, np.int64) for each in (first, lengths, values))
        _write(buffer, *arrays, self.width, mode & ~SCAN, bool(mode & SCAN))
        return buffer.tobytes()

    def decode(self, payload, frames):
        """bytes -> uint8 [frames, h, w, heads].

        Raises:
            ValueError: bytes that no encoder writes.
        """
        if not payload or payload[0] & ~SCAN >= RICE + 8:
            raise ValueError("its run-length code is unknown")
        buffer = np.frombuffer(payload, np.uint8)
        series = np.zeros((int(np.prod(self.shape)), frames), np.uint8)
        code, carried = payload[0] & ~SCAN, payload[0] & SCAN and self.last is not None
        if carried:
            last = np.concatenate([self.last[:, None], series], axis=1)
        else:
            last = series
        read = _read_scan if payload[0] & SCAN else _read_series
        if read(buffer, last, self.width, code, bool(carried)):
            raise ValueError("its run lengths do not fill its frames")
        series = last[:, 1:] if carried else last
        if series.size and series.max() >= self.num_codes:
            raise ValueError(f"it has codes above {self.num_codes - 1}")
        codes = np.ascontiguousarray(series.T).reshape(frames, *self.shape)
        self.last = codes[-1].reshape(-1).copy()
        return codes


def _runs(series):
    """(no first codes, lengths - 1 of the runs, their codes) of [series, T]."""
    starts = np.ones(series.shape, bool)
    starts[:, 1:] = series[:, 1:] != series[:, :-1]
    places = np.flatnonzero(starts)
    return series[:, :0].reshape(-1), np.diff(places, append=series.size) - 1, series[starts]


def _scan(series, last):
    """(first codes, unchanged codes before each change and behind the last, the new codes)."""
    first = series[:, 0] if last is None else series[:, :0].reshape(-1)
    before = series[:, :-1] if last is None else np.column_stack([last, series[:, :-1]])
    after = series[:, 1:] if last is None else series
    changes = np.flatnonzero(before != after)
    ends = np.concatenate([[-1], changes, [after.size]])
    return first, np.diff(ends) - 1, after.reshape(-1)[changes]


def _costs(lengths):
    """Bits that each of the 24 codes takes for all lengths: a list of int."""
    lengths, counts = np.unique(lengths, return_counts=True)
    lengths = lengths.astype(np.int64)
    costs = [counts @ ((b + 1) * (lengths // ((2 << b) - 1) + 1)) for b in range(8)]
    for k in range(8):
        digits = np.frexp(((lengths >> k) + 1).astype(np.float64))[1]  # exact: bits of an integer
        costs.append(counts @ (2 * digits - 1 + k))
    costs += [counts @ ((lengths >> k) + 1 + k) for k in range(8)]
    return [int(cost) for cost in costs]


@njit(cache=True)
def _put_length(buffer, position, length, code):
    if code < GOLOMB:  # Words of code + 1 bits; all ones: that many, and more to come.
        most = (2 << code) - 1
        while length >= most:
            position = put(buffer, position, most, code + 1)
            length -= most
        return put(buffer, position, length, code + 1)
    if code < RICE:  # Exponential Golomb of order code - GOLOMB.
        head = (length >> (code - GOLOMB)) + 1
        digits = 0
        while head >> (digits + 1):
            digits += 1
        position = put(buffer, position, 0, digits)
        position = put(buffer, position, head, digits + 1)
        return put(buffer, position, length, code - GOLOMB)
    for _ in range(length >> (code - RICE)):
        position = put(buffer, position, 1, 1)
    position = put(buffer, position, 0, 1)
    return put(buffer, position, length, code - RICE)


@njit(cache=True)
def _take_length(buffer, position, code):
    end, length = 8 * buffer.size, np.int64(0)
    if code < GOLOMB:
        most = (2 << code) - 1
        word, position = take(buffer, position, code + 1)
        while word == most and position <= end:
            length += most
            word, position = take(buffer, position, code + 1)
        return length + word, position
    if code < RICE:
        digits = 0
        bit, position = take(buffer, position, 1)
        while bit == 0 and digits < 40 and position <= end:
            digits += 1
            bit, position = take(buffer, position, 1)
        tail, position = take(buffer, position, digits)
        head = (np.int64(1) << digits) | tail
        low, position = take(buffer, position, code - GOLOMB)
        return ((head - 1) << (code - GOLOMB)) | low, position
    bit, position = take(buffer, position, 1)
    while bit == 1 and position <= end:
        length += 1
        bit, position = take(buffer, position, 1)
    low, position = take(buffer, position, code - RICE)
    return (length << (code - RICE)) | low, position


@njit(cache=True)
def _write(buffer, first, lengths, values, width, code, scan):
    position = 8
    for value in first:
        position = put(buffer, position, value, width)
    for i in range(lengths.size):
        if scan:
            position = _put_length(buffer, position, lengths[i], code)
        if i < values.size:
            position = put(buffer, position, values[i], width)
        if not scan:
            position = _put_length(buffer, position, lengths[i], code)


@njit(cache=True)
def _read_series(buffer, series, width, code, carried):
    """Fills [series, T]; returns whether the bytes do not fit. `carried` is for _read_scan."""
    position, end = 8, 8 * buffer.size
    for i in range(series.shape[0]):
        t = 0
        while t < series.shape[1]:
            value, position = take(buffer, position, width)
            length, position = _take_length(buffer, position, code)
            if position > end or length >= series.shape[1] - t:
                return True
            series[i, t : t + length + 1] = value
            t += length + 1
    return False


@njit(cache=True)
def _read_scan(buffer, series, width, code, carried):
    """Fills [series, T]; its first column is given if `carried`, else read."""
    position, end = 8, 8 * buffer.size
    if not carried:
        for i in range(series.shape[0]):
            series[i, 0], position = take(buffer, position, width)
    left, position = _take_length(buffer, position, code)
    for i in range(series.shape[0]):
        for t in range(1, series.shape[1]):
            if left:
                series[i, t] = series[i, t - 1]
                left -= 1
            else:
                value, position = take(buffer, position, width)
                series[i, t] = value
                left, position = _take_length(buffer, position, code)
                if position > end or left > _MAX_LENGTH:
                    return True
    return position > end or left != 0
