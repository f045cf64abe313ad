"""Rounding that two machines agree on."""

import numpy as np
import pytest

from nwt_tf.codec import varint
from nwt_tf.codec.snapping import follow, from_reader, snap, to_numbers


def test_values_near_a_border_follow_the_encoder():
    draws = np.random.default_rng(0)
    guard = 1e-3
    values = draws.integers(-200, 0, 20_000) + draws.choice([0.1, 0.3, 0.5, 0.9], 20_000)
    values += draws.normal(size=20_000) * guard / 3
    steps, places, upward = snap(values, guard)
    assert 1000 < len(places) < 10_000
    other = values + draws.uniform(-0.9, 0.9, 20_000) * guard
    assert (np.floor(other + 0.5) != steps).any()  # without the list they would differ
    assert np.array_equal(follow(other, places, upward), steps)


def test_the_list_survives_the_file():
    values = np.array([0.5, -0.5, 3.2, 7.4999999, 1.0, -2.50000001])
    steps, places, upward = snap(values, 1e-6)
    assert places.tolist() == [0, 1, 3, 5]
    reader = varint.Reader(varint.write(to_numbers(places, upward)))
    told = from_reader(reader, len(values))
    assert np.array_equal(told[0], places) and np.array_equal(told[1], upward)
    assert np.array_equal(follow(values, *told), steps)
    assert reader.rest() == b""


@pytest.mark.parametrize("numbers", [[7], [1, 12], [3, 0, 0], [2, 10, 8], [1 << 62]])
def test_refuses_lists_beyond_the_values(numbers):
    with pytest.raises(ValueError):
        from_reader(varint.Reader(varint.write(numbers)), 6)
