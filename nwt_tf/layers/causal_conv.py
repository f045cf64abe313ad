"""Causal dilated convolutions with explicit state, as the Memcode decoders need (B.2.3).

A causal convolution is computed from its taps in time laid side by side in the channels: the same
sum, any dilation, and one code path for the full pass and for cached stepping (Paine et al., 2016).
The state of a convolution is a ring of its last `history` inputs, so that a step writes one slot
and moves nothing. A step is one matrix product with the kernel as it lies in memory: at batch 1 the
kernel is all that counts, and it is read once. Both decoders put a Mish behind each convolution,
hence the initial scale.
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

    def _patches(self, taps):
        """What each place of one moment reads: a list of [B, ..., channels], the oldest first, to
        [B, ..., fan in] in the order of the kernel."""
        raise NotImplementedError

    def _slide(self, padded):
        """[B, history + T, ..., channels] -> [B, T, ..., filters]."""
        steps = tf.shape(padded)[1] - self.history
        rest = len(padded.shape) - 2
        taps = ops.concatenate(
            [  # tf.slice: its gradient is cheaper than that of `padded[...]`
                tf.slice(padded, (0, k * self.dilation, *rest * [0]), (-1, steps, *rest * [-1]))
                for k in range(self.taps)
            ],
            axis=-1,
        )
        folded = ops.reshape(taps, (-1, *padded.shape[2:-1], self.taps * self.channels))
        outputs = self._convolve(folded)
        return ops.reshape(outputs, (tf.shape(padded)[0], steps, *outputs.shape[1:]))

    def call(self, inputs):
        """The full pass: [B, T, ..., channels] -> [B, T, ..., filters]."""
        space = [(0, 0)] * (len(inputs.shape) - 2)
        return self._slide(ops.pad(inputs, [(0, 0), (self.history, 0), *space]))

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
        patches = self._patches([*tf.unstack(past, self.taps - 1), inputs])
        if self.history:
            slot = tf.math.floormod(position, self.history)
            state = tf.tensor_scatter_nd_update(state, [[slot]], inputs[None])
        # Cast here: step() runs outside __call__, where Keras would cast.
        kernel = ops.cast(ops.reshape(self.kernel, (-1, self.filters)), inputs.dtype)
        outputs = ops.matmul(ops.reshape(patches, (-1, patches.shape[-1])), kernel)
        outputs = outputs + ops.cast(self.bias, inputs.dtype)
        return ops.reshape(outputs, (-1, *inputs.shape[1:-1], self.filters)), state

    def extend(self, inputs, state, position):
        """As many outputs as there are inputs: equal to that many steps.

        Args:
            inputs: [B, T, ..., channels] with static T, those from `position` on.
            state, position: see step.

        Returns:
            ([B, T, ..., filters], next state).
        """
        if not self.history:
            return self._slide(inputs), state
        slots = tf.math.floormod(position + tf.range(self.history), self.history)
        past = ops.moveaxis(tf.gather(state, slots), 0, 1)  # [B, history, ..., channels]
        kept = min(inputs.shape[1], self.history)
        last = position + tf.range(inputs.shape[1] - kept, inputs.shape[1])
        state = tf.tensor_scatter_nd_update(
            state,
            tf.math.floormod(last, self.history)[:, None],
            ops.moveaxis(inputs[:, inputs.shape[1] - kept :], 1, 0),
        )
        return self._slide(ops.concatenate([past, inputs], axis=1)), state

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
        return ops.matmul(taps, ops.cast(kernel, taps.dtype)) + ops.cast(self.bias, taps.dtype)

    def _patches(self, taps):
        return ops.concatenate(taps, axis=-1)


class CausalConv3D(_CausalConv):
    """Causal in time, 'same' and undilated in space: float [B, T, H, W, C] -> [..., filters];
    kernel_size is (time, height, width)."""

    def _convolve(self, taps):
        _, height, width = self.kernel_size
        kernel = ops.transpose(self.kernel, (1, 2, 0, 3, 4))  # [kh, kw, kt, C, F]
        kernel = ops.reshape(kernel, (height, width, self.taps * self.channels, self.filters))
        outputs = ops.conv(taps, ops.cast(kernel, taps.dtype), padding="same")
        return outputs + ops.cast(self.bias, taps.dtype)

    def _patches(self, taps):
        _, high, wide = self.kernel_size
        around = [(0, 0), ((high - 1) // 2, high // 2), ((wide - 1) // 2, wide // 2), (0, 0)]
        height, width = taps[-1].shape[1:3]
        padded = [ops.pad(tap, around) for tap in taps]
        return ops.concatenate(
            [
                tap[:, y : y + height, x : x + width]
                for tap in padded
                for y in range(high)
                for x in range(wide)
            ],
            axis=-1,
        )
