"""Causal dilated convolutions with explicit state, as the Memcode decoders need (B.2.3).

A causal convolution is computed from its taps in time laid side by side in the channels: the same
sum, any dilation, and one code path for the full pass and for cached stepping (Paine et al., 2016).
The state of a convolution is a ring of its last `history` inputs, so that a step writes one slot
and moves nothing. Both decoders put a Mish behind each, hence the initial scale.
"""

import keras
import tensorflow as tf
from keras import ops

from nwt_tf.layers.initializers import mish_uniform


class _CausalConv(keras.layers.Layer):
    """What the causal convolutions share: taps, state and stepping.

    Args:
        filters: output width.
        kernel_size: of the convolution, time first.
        dilation: in time: output t reads inputs t, t - dilation, ...
    """

    def __init__(self, filters, kernel_size, dilation=1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = tuple(kernel_size)
        self.dilation = dilation

    @property
    def taps(self):
        """Inputs in time that one output reads."""
        return self.kernel_size[0]

    @property
    def history(self):
        """Past inputs that one output reaches back over."""
        return (self.taps - 1) * self.dilation

    def build(self, input_shape):
        self.channels = input_shape[-1]
        self.kernel = self.add_weight(
            shape=(*self.kernel_size, self.channels, self.filters),
            initializer=mish_uniform(),
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.built = True

    def _convolve(self, taps):
        """[n, ..., taps * channels] -> [n, ..., filters], n counting batch and time."""
        raise NotImplementedError

    def call(self, inputs):
        """The full pass: [B, T, ..., channels] -> [B, T, ..., filters]."""
        shape = tf.shape(inputs)
        space = [(0, 0)] * (len(inputs.shape) - 2)
        padded = ops.pad(inputs, [(0, 0), (self.history, 0), *space])
        taps = ops.concatenate(
            [padded[:, k * self.dilation :][:, : shape[1]] for k in range(self.taps)], axis=-1
        )
        folded = ops.reshape(taps, (-1, *inputs.shape[2:-1], self.taps * self.channels))
        outputs = self._convolve(folded)
        return ops.reshape(outputs, (shape[0], shape[1], *outputs.shape[1:]))

    def init_state(self, batch, *space):
        """The ring before the first input: zeros [history, batch, *space, channels]."""
        return tf.zeros((self.history, batch, *space, self.channels), self.compute_dtype)

    def step(self, inputs, state, position):
        """One output.

        Args:
            inputs: [B, ..., channels], the input at `position`.
            state: the ring, see init_state.
            position: int32 scalar, how many steps came before.

        Returns:
            ([B, ..., filters], next state).
        """
        back = tf.range(self.taps - 1, 0, -1) * self.dilation  # oldest tap first, as in call
        past = tf.gather(state, tf.math.floormod(position - back, max(self.history, 1)))
        taps = ops.concatenate([*tf.unstack(past, self.taps - 1), inputs], axis=-1)
        if self.history:
            slot = tf.math.floormod(position, self.history)
            state = tf.tensor_scatter_nd_update(state, [[slot]], inputs[None])
        return self._convolve(taps), state

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "dilation": self.dilation,
        }


class CausalConv1D(_CausalConv):
    """Causal in a sequence: float [B, N, C] -> [B, N, filters]; kernel_size is (time,)."""

    def _convolve(self, taps):
        kernel = ops.reshape(self.kernel, (self.taps * self.channels, self.filters))
        # Cast here: step() runs outside __call__, where Keras would cast.
        return ops.matmul(taps, ops.cast(kernel, taps.dtype)) + ops.cast(self.bias, taps.dtype)


class CausalConv3D(_CausalConv):
    """Causal in time, 'same' and undilated in space: float [B, T, H, W, C] -> [..., filters];
    kernel_size is (time, height, width)."""

    def _convolve(self, taps):
        _, height, width = self.kernel_size
        kernel = ops.transpose(self.kernel, (1, 2, 0, 3, 4))  # [kh, kw, kt, C, F]
        kernel = ops.reshape(kernel, (height, width, self.taps * self.channels, self.filters))
        outputs = ops.conv(taps, ops.cast(kernel, taps.dtype), padding="same")
        return outputs + ops.cast(self.bias, taps.dtype)
