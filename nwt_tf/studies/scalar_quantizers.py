"""Scalar quantisation: numbers are rounded where they stand, and no codebook is learnt."""

import math

import keras
import tensorflow as tf
from keras import ops

from nwt_tf.studies.quantizers import Quantization, Quantizer


class FiniteScalar(Quantizer):
    """FSQ (Mentzer et al. 2023): a bounded number a head, rounded to one of num_codes levels.

    Nothing is learnt in between, so there is no loss.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.project_in = keras.layers.Dense(self.num_heads, name="in")
        self.project_out = keras.layers.Dense(self.code_dim, name="out")

    def build(self, input_shape):
        self.project_in.build(input_shape)
        self.project_out.build((*input_shape[:-1], self.num_heads))
        self.built = True

    def call(self, queries, seed=None, temperature=1.0, training=False):
        # Bounded a thousandth short of the outer levels' edges. With an even number of levels they
        # lie at halves, and the tanh is shifted so that a query of zero stays in the middle.
        half = (self.num_codes - 1) * (1 - 1e-3) / 2
        offset = 0.0 if self.num_codes % 2 else 0.5
        shift = math.atanh(offset / half) if offset < half else 0.0
        bounded = ops.tanh(self.project_in(queries) + shift) * half - offset
        rounded = bounded + tf.stop_gradient(ops.round(bounded) - bounded)
        codes = ops.cast(ops.round(bounded), "int32") + self.num_codes // 2
        return Quantization(self._values(rounded), codes, tf.constant(0.0))

    def _values(self, levels):
        return self.project_out(levels / (self.num_codes // 2))

    def lookup(self, codes):
        return self._values(ops.cast(codes - self.num_codes // 2, "float32"))


class LookupFree(Quantizer):
    """LFQ (Yu et al. 2023): log2(num_codes) signs a head.

    Its losses are an entropy penalty and the commitment that VQ has: without the latter, numbers
    run away from their signs and the straight-through gradient says little of them.

    Args:
        entropy: weight of E[H(p)] - H(E[p]) a bit, p = sigmoid(4 x): sure of each query, even over
            the batch. Bits are taken as independent.
        commitment: weight of the pull of numbers towards their signs.

    Raises:
        ValueError: for a num_codes that is no power of two.
    """

    def __init__(self, *args, entropy=0.1, commitment=0.25, **kwargs):
        super().__init__(*args, **kwargs)
        self.bits = self.num_codes.bit_length() - 1
        if 2**self.bits != self.num_codes:
            raise ValueError(
                f"LookupFree needs a power of two. Received: num_codes={self.num_codes}"
            )
        self.entropy, self.commitment = entropy, commitment
        self.project_in = keras.layers.Dense(self.num_heads * self.bits, name="in")
        self.project_out = keras.layers.Dense(self.code_dim, name="out")

    def build(self, input_shape):
        self.project_in.build(input_shape)
        self.project_out.build((*input_shape[:-1], self.num_heads * self.bits))
        self.built = True

    def call(self, queries, seed=None, temperature=1.0, training=False):
        projected = self.project_in(queries)
        signs = tf.where(projected > 0, 1.0, -1.0)
        straight = projected + tf.stop_gradient(signs - projected)
        bits = ops.reshape(
            ops.cast(projected > 0, "int32"),
            (*ops.shape(queries)[:-1], self.num_heads, self.bits),
        )
        codes = ops.sum(bits * 2 ** ops.arange(self.bits), axis=-1)
        chance = tf.reshape(tf.sigmoid(4.0 * projected), (-1, self.num_heads * self.bits))
        sure = tf.reduce_mean(_bit_entropy(chance), axis=0)
        even = _bit_entropy(tf.reduce_mean(chance, axis=0))
        loss = self.entropy * tf.reduce_sum(sure - even)
        loss += self.commitment * tf.reduce_mean(tf.square(projected - signs))
        return Quantization(self.project_out(straight), codes, loss)

    def lookup(self, codes):
        bits = tf.bitwise.right_shift(ops.cast(codes, "int32")[..., None], tf.range(self.bits)) & 1
        signs = ops.cast(2 * bits - 1, "float32")
        return self.project_out(
            ops.reshape(signs, (*ops.shape(codes)[:-1], self.num_heads * self.bits))
        )

    def get_config(self):
        return {
            **super().get_config(),
            "entropy": self.entropy,
            "commitment": self.commitment,
        }


def _bit_entropy(chance):
    """Entropy in nats of bits that are 1 with a chance."""
    chance = tf.clip_by_value(chance, 1e-6, 1.0 - 1e-6)
    return -(chance * tf.math.log(chance) + (1.0 - chance) * tf.math.log(1.0 - chance))
