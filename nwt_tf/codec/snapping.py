"""Real numbers rounded alike on every machine (docs/codec.md, section 7).

Two machines that compute the same number differ by rounding errors, and where it lies near the
border of two steps they would round it to different ones. The encoder lists those numbers, and
which way it went; the decoder follows the list. Both agree wherever their numbers differ by less
than the guard.
"""

import numpy as np


def snap(values, guard):
    """Rounds to integers and says where that was close.

    Args:
        values: float64 [n].
        guard: distance from a border, in steps, below which a value is listed; a number or [n].

    Returns:
        (int64 [n], places int64 [k], ascending, upward bool [k]: whether each went up).
    """
    shifted = values + 0.5
    steps = np.floor(shifted).astype(np.int64)
    border = np.rint(shifted)
    places = np.flatnonzero(np.abs(shifted - border) < guard)
    return steps, places, steps[places] == border[places]


def follow(values, places, upward):
    """As snap, on the decoder's side: int64 [n]."""
    shifted = values + 0.5
    steps = np.floor(shifted).astype(np.int64)
    steps[places] = np.rint(shifted[places]).astype(np.int64) - ~upward
    return steps


def to_numbers(places, upward):
    """The list as numbers for varint.write: how many, then 2 x distance to the place before, plus
    1 for upward."""
    gaps = np.diff(places, prepend=-1) - 1
    return [len(places), *(2 * gaps + upward).tolist()]


def from_reader(reader, count):
    """(places, upward) of a list over `count` values.

    Raises:
        ValueError: places beyond them.
    """
    listed = reader.number()
    if listed > count:
        raise ValueError("it lists more borders than it has values")
    numbers = np.array([reader.number() for _ in range(listed)], np.int64)
    if listed and numbers.max() >= 2 * count:
        raise ValueError("it lists a border behind its values")
    places = np.cumsum((numbers >> 1) + 1) - 1
    if listed and places[-1] >= count:
        raise ValueError("it lists a border behind its values")
    return places, (numbers & 1).astype(bool)
