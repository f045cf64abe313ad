"""Pixels between uint8 and [-1, 1] (Appendix D, step 9)."""

import numpy as np
import tensorflow as tf

from nwt_tf.layers.pixels import to_pixels, to_unit_range


def test_every_pixel_value_survives_the_round_trip():
    pixels = np.arange(256, dtype=np.uint8)
    unit = to_unit_range(pixels)
    np.testing.assert_allclose(unit, np.arange(256) / 127.5 - 1, atol=1e-6)
    assert unit.dtype == tf.float32
    np.testing.assert_array_equal(to_pixels(unit), pixels)
    assert to_pixels(unit).dtype == np.uint8


def test_values_outside_the_range_are_clipped_and_others_rounded():
    values = tf.constant([-1.7, -1.0, 0.4 / 127.5 - 1, 0.6 / 127.5 - 1, 1.0, 9.0])
    np.testing.assert_array_equal(to_pixels(values), [0, 0, 0, 1, 255, 255])
