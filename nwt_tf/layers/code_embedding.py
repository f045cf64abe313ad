"""Embedding of Memcodes for the priors (Tables 5 and 6)."""

import keras
import tensorflow as tf
from keras import ops


class CodeEmbedding(keras.layers.Layer):
    """Embeds each head's code and merges the heads.

    A code of -1 stands for 'nothing there' and embeds to zeros: it fills the place before the first
    element of a clip.

    Args:
        num_codes: rows of a table.
        dim: width of a code's embedding.
        merge: 'concat', one table that all heads share, heads side by side (FAR's 8 x 128 = 1024);
            or 'sum', a table a head, since a sum over a shared one would not tell the heads apart
            (MAR's 64).

    Input: int [..., heads] in [-1, num_codes). Output: [..., heads * dim] or [..., dim].
    """

    def __init__(self, num_codes=8, dim=128, merge="concat", **kwargs):
        super().__init__(**kwargs)
        if merge not in ("concat", "sum"):
            raise ValueError(f"merge must be 'concat' or 'sum'. Received: merge={merge!r}")
        self.num_codes = num_codes
        self.dim = dim
        self.merge = merge

    def build(self, input_shape):
        self.heads = input_shape[-1]
        tables = (self.heads,) if self.merge == "sum" else ()
        self.table = self.add_weight(
            shape=(*tables, self.num_codes, self.dim),
            initializer=keras.initializers.RandomNormal(stddev=0.5),
            name="table",
        )
        self.built = True

    def call(self, codes):
        one_hot = tf.one_hot(codes, self.num_codes, dtype=self.compute_dtype)
        lead = ops.shape(codes)[:-1]
        if self.merge == "concat":
            return ops.reshape(ops.matmul(one_hot, self.table), (*lead, self.heads * self.dim))
        flat = ops.reshape(one_hot, (*lead, self.heads * self.num_codes))
        return ops.matmul(flat, ops.reshape(self.table, (-1, self.dim)))

    def get_config(self):
        return {
            **super().get_config(),
            "num_codes": self.num_codes,
            "dim": self.dim,
            "merge": self.merge,
        }
