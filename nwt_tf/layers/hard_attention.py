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


def look_up(values, codes):
    """Rows of each head's values, heads concatenated (equation 2): exact copies.

    Args:
        values: float [heads, num_codes, key_dim].
        codes: int32 [n, heads].

    Returns:
        float [n, heads * key_dim].
    """
    heads, num_codes, key_dim = values.shape
    rows = codes + num_codes * tf.range(heads)  # of all heads' values, one below the other
    picked = tf.gather(tf.reshape(values, (heads * num_codes, key_dim)), rows)
    return tf.reshape(picked, (-1, heads * key_dim))


@tf.custom_gradient
def look_up_straight_through(values, codes, chances):
    """look_up forward; backward as if the rows had been mixed by the softmax of `chances`.

    That is Algorithm 1 multiplied with V: the weights SG(onehot - alpha) + alpha give V the one-hot
    weights' gradient and the logits the softmax's. Written out, neither weights nor products with
    a row a query are kept for the backward pass, which is two matrix products.

    Args:
        values: float [heads, num_codes, key_dim].
        codes: int32 [n, heads].
        chances: float32 [n, heads, num_codes], logits of alpha: chi + G.

    Returns:
        float [n, heads * key_dim].
    """
    heads, num_codes, key_dim = values.shape

    def gradient(upstream):
        # Heads side by side in one product each: [heads * num_codes, heads * key_dim], of which
        # the blocks on the diagonal count. Cheaper than to bring the heads of `upstream` to front.
        own = tf.eye(heads, dtype=values.dtype)
        blocks = tf.reshape(
            tf.einsum("hcd,hg->hcgd", values, own), (heads * num_codes, heads * key_dim)
        )
        slopes = tf.reshape(tf.matmul(upstream, blocks, transpose_b=True), tf.shape(chances))
        slopes = tf.cast(slopes, chances.dtype)
        alpha = tf.nn.softmax(chances)
        along = tf.reduce_sum(alpha * slopes, axis=-1, keepdims=True)
        weights = tf.reshape(
            tf.one_hot(codes, num_codes, dtype=upstream.dtype), (-1, heads * num_codes)
        )
        products = tf.matmul(weights, upstream, transpose_a=True)
        products = tf.reshape(products, (heads, num_codes, heads, key_dim))
        return tf.einsum("hcgd,hg->hcd", products, own), None, alpha * (slopes - along)

    return look_up(values, codes), gradient


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

    def _values(self):
        """V: [heads, num_codes, key_dim]."""
        return self._heads(self.value_projection(self.codebook))

    def logits(self, queries):
        """chi = Q K^T / sqrt(d_K) (equation 3): [..., D] -> float32 [..., heads, codes]."""
        # (x W + b) K^T = x (W K^T) + b K^T: with few codes, W K^T is small, and Q is never formed.
        keys = self._heads(self.key_projection(self.codebook))
        width = queries.shape[-1]
        kernel = ops.reshape(
            ops.cast(self.query_projection.kernel, keys.dtype),
            (width, self.num_heads, self.key_dim),
        )
        bias = ops.reshape(
            ops.cast(self.query_projection.bias, keys.dtype), (self.num_heads, self.key_dim)
        )
        scale = self.key_dim**-0.5
        onto_codes = ops.reshape(ops.einsum("qhd,hcd->qhc", kernel, keys) * scale, (width, -1))
        offset = ops.reshape(ops.einsum("hd,hcd->hc", bias, keys) * scale, (-1,))
        lead = ops.shape(queries)[:-1]
        flat = ops.reshape(ops.cast(queries, keys.dtype), (-1, width))
        chi = ops.cast(ops.matmul(flat, onto_codes), "float32") + ops.cast(offset, "float32")
        return ops.reshape(chi, (*lead, self.num_heads, self.num_codes))

    def call(self, queries, seed=None, training=False):
        """Looks up one code a head.

        Args:
            queries: float [..., D].
            seed: int32 [2] for Gumbel-max sampling, or None for arg max codes.
            training: let gradients flow straight through the softmax (Algorithm 1).

        Returns:
            A Quantized tuple.
        """
        logits = self.logits(queries)
        lead = ops.shape(queries)[:-1]
        # Flattened: a softmax of more than five dimensions aborts on the CPU.
        flat = ops.reshape(logits, (-1, self.num_heads, self.num_codes))
        perturbed = flat
        if seed is not None:
            perturbed = flat + gumbel_noise(tf.shape(flat), seed)
        codes = tf.argmax(perturbed, axis=-1, output_type=tf.int32)
        if training:
            values = look_up_straight_through(self._values(), codes, self.chances(flat, perturbed))
        else:
            values = look_up(self._values(), codes)
        values = ops.reshape(values, (*lead, self.code_dim))
        return Quantized(values, ops.reshape(codes, (*lead, self.num_heads)), logits)

    def chances(self, logits, perturbed):
        """What the gradient takes for the draw's logits: chi + G, the noise included (B.1.5).

        Args:
            logits, perturbed: float32 [n, heads, codes], chi and chi + G.
        """
        return perturbed

    def lookup(self, codes):
        """Values of given codes: int [..., heads] -> [..., code_dim], equal to call's values."""
        lead = ops.shape(codes)[:-1]
        flat = ops.reshape(ops.cast(codes, "int32"), (-1, self.num_heads))
        return ops.reshape(look_up(self._values(), flat), (*lead, self.code_dim))

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "num_codes": self.num_codes,
            "code_dim": self.code_dim,
        }
