"""Multi-head hard attention over a learned codebook (2.1.1, equations 1 to 3, Algorithm 1)."""

from typing import NamedTuple

import keras
import tensorflow as tf
from keras import ops


class Quantized(NamedTuple):
    """What hard attention gives back for queries of shape [..., D].

    values: [..., code_dim], the looked-up vectors, heads concatenated (equation 2).
    codes: [..., num_heads] int32 in [0, num_codes), the chosen code of each head: a Memcode.
    logits: [..., num_heads, num_codes] float32, the scaled dot products before the noise.
    """

    values: tf.Tensor
    codes: tf.Tensor
    logits: tf.Tensor


def gumbel_noise(shape, seed):
    """Standard Gumbel noise G = -log(-log(u)), u uniform on (0, 1), as in Algorithm 1.

    Args:
        shape: the noise's shape.
        seed: int32 [2], a stateless seed: the same seed gives the same noise, though XLA's
            generator is another than TensorFlow's own.
    """
    u = tf.random.stateless_uniform(shape, seed, minval=1e-20, maxval=1.0)
    return -tf.math.log(-tf.math.log(u))


def straight_through_one_hot(perturbed_logits):
    """One-hot arg max forward, softmax backward (the last three lines of Algorithm 1).

    Written as onehot + (alpha - SG(alpha)), which is SG(onehot - alpha) + alpha but leaves the
    forward value an exact one-hot in floating point.

    Args:
        perturbed_logits: float [..., num_codes], chi + G.

    Returns:
        weights: like the input, one-hot in the last axis; indices: int32 [...].
    """
    alpha = tf.nn.softmax(perturbed_logits)
    indices = tf.argmax(alpha, axis=-1, output_type=tf.int32)
    one_hot = tf.one_hot(indices, perturbed_logits.shape[-1], dtype=alpha.dtype)
    return one_hot + (alpha - tf.stop_gradient(alpha)), indices


class MultiHeadHardAttention(keras.layers.Layer):
    """Each query picks, in every head, one row of a learned codebook (equations 2 and 3).

    Queries are a linear projection of the input; keys and values are separate linear projections
    of the codebook e [num_codes, code_dim] (B.1.2). Heads are concatenated; there is no output
    projection after them.

    Args:
        num_heads: heads h; each Memcode is h codes.
        num_codes: rows N of the codebook, shared by the heads.
        code_dim: depth D of the codebook and width of the output; a multiple of num_heads.

    Raises:
        ValueError: for no heads, fewer than two codes, or a code_dim that the heads do not divide.
    """

    def __init__(self, num_heads=8, num_codes=8, code_dim=1024, **kwargs):
        super().__init__(**kwargs)
        if num_heads < 1:
            raise ValueError(f"num_heads must be at least 1. Received: num_heads={num_heads}")
        if num_codes < 2:
            raise ValueError(f"num_codes must be at least 2. Received: num_codes={num_codes}")
        if code_dim % num_heads:
            raise ValueError(
                "code_dim must be a multiple of num_heads. "
                f"Received: code_dim={code_dim}, num_heads={num_heads}"
            )
        self.num_heads = num_heads
        self.num_codes = num_codes
        self.code_dim = code_dim
        self.key_dim = code_dim // num_heads
        self.query_projection = keras.layers.Dense(code_dim, name="query", dtype=self.dtype_policy)
        self.key_projection = keras.layers.Dense(code_dim, name="key", dtype=self.dtype_policy)
        self.value_projection = keras.layers.Dense(code_dim, name="value", dtype=self.dtype_policy)

    def build(self, input_shape):
        self.codebook = self.add_weight(
            shape=(self.num_codes, self.code_dim),
            # Unit rows, so that logits differ and codes carry something from the first step on.
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            name="codebook",
        )
        self.query_projection.build(input_shape)
        self.key_projection.build((self.num_codes, self.code_dim))
        self.value_projection.build((self.num_codes, self.code_dim))
        self.built = True

    def _heads(self, projected):
        """[num_codes, code_dim] -> [heads, num_codes, key_dim]."""
        split = ops.reshape(projected, (self.num_codes, self.num_heads, self.key_dim))
        return ops.transpose(split, (1, 0, 2))

    def _read(self, weights):
        """One-hot weights [n, heads, codes] -> values [n, code_dim]."""
        values = self._heads(self.value_projection(self.codebook))  # [heads, codes, key_dim]
        picked = ops.einsum("nhc,hcd->nhd", ops.cast(weights, values.dtype), values)
        return ops.reshape(picked, (-1, self.code_dim))

    def logits(self, queries):
        """chi = Q K^T / sqrt(d_K) (equation 3): [..., D] -> float32 [..., heads, codes]."""
        keys = self._heads(self.key_projection(self.codebook))
        lead = ops.shape(queries)[:-1]
        projected = ops.reshape(self.query_projection(queries), (-1, self.num_heads, self.key_dim))
        chi = ops.einsum("nhd,hcd->nhc", projected, keys) / self.key_dim**0.5
        return ops.reshape(ops.cast(chi, "float32"), (*lead, self.num_heads, self.num_codes))

    def call(self, queries, seed=None, training=False):
        """Looks up one code a head.

        Args:
            queries: float [..., D].
            seed: int32 [2] for Gumbel-max sampling, or None for arg max codes.
            training: keep the softmax, so that gradients flow straight through (Algorithm 1).

        Returns:
            A Quantized tuple.
        """
        logits = self.logits(queries)
        lead = ops.shape(queries)[:-1]
        # Flattened: a softmax of more than five dimensions aborts on the CPU.
        perturbed = ops.reshape(logits, (-1, self.num_heads, self.num_codes))
        if seed is not None:
            perturbed = perturbed + gumbel_noise(tf.shape(perturbed), seed)
        if training:
            weights, codes = straight_through_one_hot(perturbed)
        else:
            codes = tf.argmax(perturbed, axis=-1, output_type=tf.int32)
            weights = tf.one_hot(codes, self.num_codes, dtype=self.compute_dtype)
        values = ops.reshape(self._read(weights), (*lead, self.code_dim))
        return Quantized(values, ops.reshape(codes, (*lead, self.num_heads)), logits)

    def lookup(self, codes):
        """Values of given codes: int [..., heads] -> [..., code_dim], equal to call's values."""
        lead = ops.shape(codes)[:-1]
        one_hot = tf.one_hot(
            ops.reshape(codes, (-1, self.num_heads)), self.num_codes, dtype=self.compute_dtype
        )
        return ops.reshape(self._read(one_hot), (*lead, self.code_dim))

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "num_codes": self.num_codes,
            "code_dim": self.code_dim,
        }
