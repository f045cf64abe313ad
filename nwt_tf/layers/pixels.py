"""Pixels between uint8 and [-1, 1] (Appendix D, step 9)."""

import numpy as np
import tensorflow as tf


def to_unit_range(video):
    """uint8 pixels to float32 in [-1, 1]: x / 127.5 - 1."""
    return tf.cast(video, tf.float32) / 127.5 - 1.0


def quantize(video):
    """float in [-1, 1] to uint8 pixels, rounded: a tensor."""
    pixels = (tf.cast(video, tf.float32) + 1.0) * 127.5
    return tf.cast(tf.clip_by_value(tf.round(pixels), 0.0, 255.0), tf.uint8)


def to_pixels(video):
    """As `quantize`, a NumPy array."""
    return np.asarray(quantize(video))
