"""Vector quantisation, a codebook a head: nearest rows by Euclidean distance (product VQ)."""

import keras
import tensorflow as tf
from keras import ops

from nwt_tf.studies.quantizers import Quantization, Quantizer


class VectorQuantizer(Quantizer):
    """VQ with straight-through gradients, codebook and commitment loss (van den Oord et al. 2017).

    Args:
        commitment: weight of the pull of queries towards their codes.
    """

    trainable_codebook = True

    def __init__(self, *args, commitment=0.25, **kwargs):
        super().__init__(*args, **kwargs)
        self.commitment = commitment
        self.project_in = keras.layers.Dense(self.code_dim, name="in")

    def build(self, input_shape):
        self.project_in.build(input_shape)
        # Uniform within 1 / num_codes of zero, as the authors start it.
        self.codebook = self.add_weight(
            shape=(self.num_heads, self.num_codes, self.key_dim),
            initializer=keras.initializers.RandomUniform(-1 / self.num_codes, 1 / self.num_codes),
            trainable=self.trainable_codebook,
            name="codebook",
        )
        self.built = True

    def _nearest(self, queries):
        """Queries [n, heads, key_dim] -> codes int32 [n, heads]."""
        squares = tf.reduce_sum(tf.square(self.codebook), axis=-1)
        products = tf.einsum("nhd,hcd->nhc", queries, self.codebook)
        return tf.argmin(squares - 2.0 * products, axis=-1, output_type=tf.int32)

    def call(self, queries, seed=None, temperature=1.0, training=False):
        lead = ops.shape(queries)[:-1]
        projected = tf.reshape(self.project_in(queries), (-1, self.num_heads, self.key_dim))
        codes = self._nearest(tf.stop_gradient(projected))
        rows = tf.reshape(self.lookup(codes), (-1, self.num_heads, self.key_dim))
        loss = self._loss(projected, rows)
        if training:
            self._learn(tf.stop_gradient(projected), codes)
        values = projected + tf.stop_gradient(rows - projected)
        return Quantization(
            ops.reshape(values, (*lead, self.code_dim)),
            ops.reshape(codes, (*lead, self.num_heads)),
            loss,
        )

    def _loss(self, projected, rows):
        towards_codes = tf.reduce_mean(tf.square(projected - tf.stop_gradient(rows)))
        towards_queries = tf.reduce_mean(tf.square(rows - tf.stop_gradient(projected)))
        return towards_queries + self.commitment * towards_codes

    def _learn(self, queries, codes):
        """What training does beside gradients: here nothing."""

    def lookup(self, codes):
        flat = tf.reshape(tf.cast(codes, tf.int32), (-1, self.num_heads))
        rows = tf.reshape(self.codebook, (-1, self.key_dim))
        picked = tf.gather(rows, flat + self.num_codes * tf.range(self.num_heads))
        return ops.reshape(picked, (*ops.shape(codes)[:-1], self.code_dim))

    def get_config(self):
        return {**super().get_config(), "commitment": self.commitment}


class VectorEMA(VectorQuantizer):
    """VQ whose rows are moving averages of their queries; only the commitment is a loss.

    Args:
        decay: of the averages, 0.99 in van den Oord et al.'s appendix.
    """

    trainable_codebook = False

    def __init__(self, *args, decay=0.99, **kwargs):
        super().__init__(*args, **kwargs)
        self.decay = decay

    def build(self, input_shape):
        super().build(input_shape)
        self.counts = self.add_weight(
            shape=(self.num_heads, self.num_codes),
            initializer="ones",
            trainable=False,
            name="counts",
        )
        self.sums = self.add_weight(
            shape=self.codebook.shape, initializer="zeros", trainable=False, name="sums"
        )
        self.sums.assign(self.codebook)

    def _loss(self, projected, rows):
        return self.commitment * tf.reduce_mean(tf.square(projected - tf.stop_gradient(rows)))

    def _learn(self, queries, codes):
        weights = tf.one_hot(codes, self.num_codes)  # [n, heads, codes]
        counts = self._moved(self.counts, tf.reduce_sum(weights, axis=0))
        sums = self._moved(self.sums, tf.einsum("nhc,nhd->hcd", weights, queries))
        # Laplace smoothing: a row that nothing chose for long keeps a finite average.
        total = tf.reduce_sum(counts, axis=-1, keepdims=True)
        smoothed = (counts + 1e-5) / (total + self.num_codes * 1e-5) * total
        self.codebook.assign(sums / smoothed[..., None])

    def _moved(self, average, now):
        average.assign(self.decay * average + (1.0 - self.decay) * now)
        return average.value

    def get_config(self):
        return {**super().get_config(), "decay": self.decay}
