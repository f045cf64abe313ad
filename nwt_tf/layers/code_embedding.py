"""Embedding of Memcodes for the priors (Tables 5 and 6)."""

import keras
import tensorflow as tf
from keras import ops


class CodeEmbedding(keras.layers.Layer):
    """Embeds each head's code by one shared table and concatenates the heads.

    A code of -1 stands for 'nothing there' and embeds to zeros: it fills the place before the first
    element of a clip.

    Args:
        num_codes: rows of the table.
        dim: width a head.

    Input: int [..., heads] in [-1, num_codes). Output: [..., heads * dim].
    """

    def __init__(self, num_codes=8, dim=128, **kwargs):
        super().__init__(**kwargs)
        self.num_codes = num_codes
        self.dim = dim

    def build(self, input_shape):
        self.heads = input_shape[-1]
        self.table = self.add_weight(
            shape=(self.num_codes, self.dim),
            initializer=keras.initializers.RandomNormal(stddev=0.5),
            name="table",
        )
        self.built = True

    def call(self, codes):
        one_hot = tf.one_hot(codes, self.num_codes, dtype=self.compute_dtype)
        embedded = ops.matmul(one_hot, self.table)  # [..., heads, dim]
        return ops.reshape(embedded, (*ops.shape(codes)[:-1], self.heads * self.dim))

    def get_config(self):
        return {**super().get_config(), "num_codes": self.num_codes, "dim": self.dim}
