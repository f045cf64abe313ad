"""Spatially connected 3D layers (SC3D, B.2.1): a place has its own weights, time shares them."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from nwt_tf.layers.initializers import MISH_GAIN, standardize, time_centred
from nwt_tf.layers.resample import keep_valid, upsample


class SpatiallyConnected3D(keras.layers.Layer):
    """Locally connected in space, convolutional in time.

    Output (t, y, x) is a matrix of its own for (y, x) times the patch of inputs around (t, y, x),
    plus a bias that all places share. As the paper suggests, patches are taken out first and one
    batched matrix product follows, so that it costs about as much as a convolution.

    Args:
        filters: output width.
        kernel_size: (time, height, width).
        time_padding: 'same' (zeros on both sides), 'causal' (zeros before) or 'valid' (none).

    Input: float [B, T, H, W, C] with static H, W, C. Output: [B, T', H, W, filters], T' = T but for
    'valid', which gives T - time + 1.

    Raises:
        ValueError: for another time_padding.
    """

    def __init__(self, filters, kernel_size=(3, 2, 2), time_padding="same", **kwargs):
        super().__init__(**kwargs)
        if time_padding not in ("same", "causal", "valid"):
            raise ValueError(
                "time_padding must be 'same', 'causal' or 'valid'. "
                f"Received: time_padding={time_padding!r}"
            )
        self.filters = filters
        self.kernel_size = tuple(kernel_size)
        self.time_padding = time_padding

    def build(self, input_shape):
        _, _, height, width, channels = input_shape
        taps = self.kernel_size[0] * self.kernel_size[1] * self.kernel_size[2]
        fan_in = taps * channels
        # mish_uniform's limit for one place: Keras would count the places into the fan.
        limit = MISH_GAIN * (6.0 / (fan_in + taps * self.filters)) ** 0.5
        self.kernel = self.add_weight(
            shape=(height, width, fan_in, self.filters),
            initializer=self._initial_kernel(limit),
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.built = True

    def _initial_kernel(self, limit):
        """Uniform within the limit, then centred in time, see TimeCentred."""
        time, height, width = self.kernel_size
        centre = time - 1 if self.time_padding == "causal" else (time - 1) // 2

        def initial(shape, dtype=None):
            uniform = keras.initializers.RandomUniform(-limit, limit)(shape, dtype)
            rows = np.repeat(time_centred(time, centre), shape[2] // time)
            return uniform * ops.cast(rows[:, None], uniform.dtype)

        return initial

    def _patches(self, inputs):
        """[B, T, H, W, C] -> [B, T', H, W, taps * C], taps in the order time, height, width."""
        time, high, wide = self.kernel_size
        around = {"same": ((time - 1) // 2, time // 2), "causal": (time - 1, 0), "valid": (0, 0)}
        padded = ops.pad(
            inputs,
            [
                (0, 0),
                around[self.time_padding],
                ((high - 1) // 2, high // 2),
                ((wide - 1) // 2, wide // 2),
                (0, 0),
            ],
        )
        frames = ops.shape(padded)[1] - time + 1
        height, width = inputs.shape[2], inputs.shape[3]
        # tf.slice, for its gradient is a padding: half of a CPU's time for that of `padded[...]`.
        return ops.concatenate(
            [
                tf.slice(padded, (0, t, y, x, 0), (-1, frames, height, width, -1))
                for t in range(time)
                for y in range(high)
                for x in range(wide)
            ],
            axis=-1,
        )

    def call(self, inputs):
        return ops.einsum("bthwp,hwpf->bthwf", self._patches(inputs), self.kernel) + self.bias

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "time_padding": self.time_padding,
        }


class SpatialPyramid(keras.layers.Layer):
    """Features without a place become a grid: NNU + SC3D, SC3D, SC3D a level (B.2.1, Tables 5, 6).

    Args:
        widths: SC3D width of each level; level i has a grid of 2^(i+1) x 2^(i+1).
        kernel_size: of every SC3D.
        time_padding: see SpatiallyConnected3D.

    Input: float [B, T, C], and `valid` [T] or None, see keep_valid. Output:
    [B, T', 2^n, 2^n, widths[-1]] through the Mish activation.
    """

    DEPTH = 3  # SC3D layers a level

    def __init__(self, widths, kernel_size=(3, 2, 2), time_padding="same", **kwargs):
        super().__init__(**kwargs)
        self.widths = tuple(widths)
        self.kernel_size = tuple(kernel_size)
        self.time_padding = time_padding
        self.levels = [
            [
                SpatiallyConnected3D(
                    width, kernel_size, time_padding, dtype=self.dtype_policy, name=f"sc{i}_{j}"
                )
                for j in range(self.DEPTH)
            ]
            for i, width in enumerate(self.widths)
        ]

    @property
    def time_span(self):
        """Frames that one output frame reads."""
        return 1 + len(self.widths) * self.DEPTH * (self.kernel_size[0] - 1)

    def build(self, input_shape):
        channels = input_shape[-1]
        for i, (width, level) in enumerate(zip(self.widths, self.levels, strict=True)):
            for layer in level:
                layer.build((None, None, 2 ** (i + 1), 2 ** (i + 1), channels))
                channels = width
        self.built = True

    def calibrate(self, features):
        """Starts every layer at zero mean and unit spread over a batch, see standardize."""
        grids = features[:, :, None, None]  # [B, T, 1, 1, C]
        for level in self.levels:
            grids = upsample(grids)
            for layer in level:
                standardize(layer, layer(grids))
                grids = keras.activations.mish(layer(grids))

    def call(self, features, valid=None):
        grids = features[:, :, None, None]  # [B, T, 1, 1, C]
        for level in self.levels:
            grids = upsample(grids)
            for layer in level:
                grids = keep_valid(keras.activations.mish(layer(grids)), valid)
        return grids

    def get_config(self):
        return {
            **super().get_config(),
            "widths": self.widths,
            "kernel_size": self.kernel_size,
            "time_padding": self.time_padding,
        }
