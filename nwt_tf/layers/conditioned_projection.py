"""Linear projection of activations and what they are conditioned on (B.2.3, B.3)."""

from typing import NamedTuple

import keras
import tensorflow as tf
from keras import ops


class Share(NamedTuple):
    """What a projection needs beside the activations.

    values: [B, ..., filters], what the conditioning adds.
    rows: [C, filters], the kernel's rows of the activations: taken out once, since XLA would copy
        them anew in every turn of a loop.
    """

    values: tf.Tensor
    rows: tf.Tensor


class ConditionedProjection(keras.layers.Layer):
    """A dense layer on activations with audio, style and episode concatenated behind them.

    The concatenation is never made: each input meets its rows of the kernel where it lies, style
    and episode before they are spread over time and space. `share` is what the conditioning adds;
    it does not depend on the codes, so that sampling computes it for many frames at once, outside
    its loop.

    Args:
        filters: output width.

    Input: activations [B, ..., C] with as many places as the audio; audio [B, T, h, w, A]; style
    [B, 1, h, w, S]; episode [B, E]. Output: [B, ..., filters].
    """

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters

    def build(self, activations_shape, audio_shape, style_shape, episode_shape):
        self.widths = [
            shape[-1] for shape in (activations_shape, audio_shape, style_shape, episode_shape)
        ]
        self.kernel = self.add_weight(
            shape=(sum(self.widths), self.filters), initializer="glorot_uniform", name="kernel"
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.built = True

    def _rows(self, first, inputs):
        """Inputs times their rows of the kernel, the `first` of which is given."""
        rows = self.kernel[first : first + inputs.shape[-1]]
        return ops.matmul(
            ops.cast(inputs, self.compute_dtype), ops.cast(rows, self.compute_dtype)
        )

    def share(self, audio, style, episode):
        """The Share of every place: values [B, T, h, w, filters]."""
        before_audio, before_style = self.widths[0], sum(self.widths[:2])
        constant = self._rows(before_style, style) + (
            self._rows(before_style + self.widths[2], episode)[:, None, None, None]
        )
        constant = constant + ops.cast(self.bias, self.compute_dtype)
        rows = ops.cast(self.kernel[:before_audio], self.compute_dtype)
        return Share(self._rows(before_audio, audio) + constant, rows)

    def combine(self, activations, share):
        """Projection of activations [..., C] whose places' Share [..., filters] is known."""
        return ops.matmul(ops.cast(activations, self.compute_dtype), share.rows) + share.values

    def call(self, activations, audio, style, episode):
        values, rows = self.share(audio, style, episode)
        places = ops.shape(activations)[:-1]
        values = ops.reshape(values, (*places, self.filters))
        return self.combine(activations, Share(values, rows))

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}
