"""Causal convolutions over time with explicit state, as the Memcode decoders need (B.2.3).

A frame-wise causal 3D convolution is computed as a 2D convolution over its time taps laid side by
side in the channels: the same sum, any dilation, and one code path for the full pass and for
cached stepping (Paine et al., 2016).
"""

import keras
import tensorflow as tf
from keras import ops


class CausalConv3D(keras.layers.Layer):
    """3D convolution, causal and dilated in time, 'same' and undilated in space.

    Args:
        filters: output width.
        kernel_size: (time, height, width).
        dilation: time dilation; output frame t reads frames t, t - dilation, ...

    Input and output: float [B, T, H, W, C] -> [B, T, H, W, filters].
    """

    def __init__(self, filters, kernel_size=(3, 2, 2), dilation=1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = tuple(kernel_size)
        self.dilation = dilation

    @property
    def history(self):
        """Frames of past input that one output frame reads."""
        return (self.kernel_size[0] - 1) * self.dilation

    def build(self, input_shape):
        self.channels = input_shape[-1]
        self.kernel = self.add_weight(
            shape=(*self.kernel_size, self.channels, self.filters), name="kernel"
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.built = True

    def _convolve(self, taps):
        """[n, H, W, time * C] -> [n, H, W, filters]."""
        time, height, width = self.kernel_size
        # Cast here: step() runs outside __call__, where Keras would cast.
        kernel = ops.cast(ops.transpose(self.kernel, (1, 2, 0, 3, 4)), taps.dtype)
        kernel = ops.reshape(kernel, (height, width, time * self.channels, self.filters))
        return ops.conv(taps, kernel, padding="same") + ops.cast(self.bias, taps.dtype)

    def call(self, inputs):
        _, _, height, width, channels = inputs.shape
        batch, frames = tf.shape(inputs)[0], tf.shape(inputs)[1]
        padded = ops.pad(inputs, [(0, 0), (self.history, 0), (0, 0), (0, 0), (0, 0)])
        taps = ops.concatenate(
            [padded[:, k * self.dilation :][:, :frames] for k in range(self.kernel_size[0])], -1
        )
        folded = ops.reshape(taps, (-1, height, width, self.kernel_size[0] * channels))
        outputs = self._convolve(folded)
        return ops.reshape(outputs, (batch, frames, height, width, self.filters))

    def init_state(self, batch, height, width):
        """The state before the first frame: zeros [batch, history, height, width, C]."""
        return tf.zeros((batch, self.history, height, width, self.channels), self.compute_dtype)

    def step(self, inputs, state):
        """One frame: [B, H, W, C] and state -> ([B, H, W, filters], next state)."""
        window = ops.concatenate([state, inputs[:, None]], axis=1)  # [B, history + 1, H, W, C]
        taps = ops.concatenate(
            [window[:, k * self.dilation] for k in range(self.kernel_size[0])], axis=-1
        )
        return self._convolve(taps), window[:, 1:]

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "dilation": self.dilation,
        }
