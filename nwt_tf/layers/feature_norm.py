"""Batch normalisation whose statistics are measured once, when weights are measured or saved."""

import keras
import tensorflow as tf
from keras import ops

EPSILON = 1e-6  # added to variances


class FeatureNorm(keras.layers.Layer):
    """Brings every feature to zero mean and unit spread (Ioffe & Szegedy 2015), without a learnt
    scale or offset: over the batch in training, otherwise by what `settle` measured.

    The paper does without. What does not vary over a batch is of use to the rest of a model from
    the first step, and outgrows what does vary: an audio encoder that is not listened to, heads of
    Memcodes that are the same everywhere.

    Args:
        axes: number of leading axes that the statistics are taken over.

    Input and output: [..., *places], with `axes` axes before the places. Statistics are float32;
    replicas take each its own.
    """

    def __init__(self, axes, **kwargs):
        super().__init__(**kwargs)
        self.axes = axes

    def build(self, input_shape):
        # Weights that no gradient moves, for presets and checkpoints to carry.
        places = {
            "shape": tuple(input_shape)[self.axes :],
            "trainable": False,
            "dtype": "float32",
            "autocast": False,
        }
        self.mean = self.add_weight(name="mean", initializer="zeros", **places)
        self.variance = self.add_weight(name="variance", initializer="ones", **places)
        self.built = True

    def call(self, features, training=False):
        # float64 stays: the codec counts on two devices that agree to far below float32.
        exact = "float64" if features.dtype == "float64" else "float32"
        mean, variance = self._moments(features) if training else (self.mean, self.variance)
        scale = tf.math.rsqrt(ops.cast(variance, exact) + EPSILON)
        centred = ops.cast(features, exact) - ops.cast(mean, exact)
        return ops.cast(centred * scale, features.dtype)

    def settle(self, features):
        """Takes the statistics of these features for all calls outside training.

        Once, when a training's weights are measured or saved, in place of averages that follow the
        training: they belong to just these weights, moving averages of them included.
        """
        mean, variance = self._moments(features)
        self.mean.assign(mean)
        self.variance.assign(variance)

    def _moments(self, features):
        return tf.nn.moments(tf.cast(features, tf.float32), tuple(range(self.axes)))

    def get_config(self):
        return {**super().get_config(), "axes": self.axes}
