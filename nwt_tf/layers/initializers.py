"""Initial weights of embeddings, and of layers that Mish follows."""

import keras
import numpy as np
import tensorflow as tf

MISH_GAIN = 1.6  # about 1 / mish'(0): keeps small signals alive through the dozen layers of a prior
SIDE_TAPS = 0.2  # of a time-centred kernel's taps beside the centre, against the centre


def unit_normal():
    """For embeddings that stand beside activations: of their size. Keras' own start, within 0.05,
    leaves them unheard for the whole of a short training."""
    return keras.initializers.RandomNormal(stddev=1.0)


def standardize(layer, outputs):
    """Changes a linear layer so that these outputs of it have zero mean and unit spread a channel.

    Args:
        layer: with `kernel` [..., C] and `bias` [C].
        outputs: float [..., C], of a batch.
    """
    axes = list(range(len(outputs.shape) - 1))
    mean, variance = tf.nn.moments(tf.cast(outputs, tf.float32), axes)
    scale = tf.math.rsqrt(variance + 1e-6)
    layer.kernel.assign(layer.kernel * scale)
    layer.bias.assign((layer.bias - mean) * scale)


def mish_uniform():
    """Glorot's uniform times MISH_GAIN, for kernels before a Mish activation.

    With Glorot's own scale, the audio features would reach the decoder 400 times smaller than the
    codes, and a prior would take long to notice the sound.
    """
    return keras.initializers.VarianceScaling(MISH_GAIN**2, "fan_avg", "uniform")


def time_centred(taps, centre):
    """Factors of a kernel's taps in time that keep its output variance: float32 [taps]."""
    factors = np.full(taps, SIDE_TAPS, np.float32)
    factors[centre] = 1.0
    return factors * np.sqrt(taps / np.sum(np.square(factors)))


class TimeCentred(keras.initializers.Initializer):
    """mish_uniform with most of the weight on one tap in time, at the same output variance.

    A stack of plain dilated convolutions starts as a random mixture of all the moments that it
    reads, in which the present one drowns; centred kernels start local in time, and learn to look
    around (compare delta-orthogonal initialisation, Xiao et al. 2018).

    Args:
        axis: the kernel's time axis.
        centre: its tap of the present.
    """

    def __init__(self, axis=0, centre=1):
        self.axis, self.centre = axis, centre

    def __call__(self, shape, dtype=None):
        sides = [1] * len(shape)
        sides[self.axis] = -1
        factors = time_centred(shape[self.axis], self.centre).reshape(sides)
        return mish_uniform()(shape, dtype) * tf.cast(factors, dtype or "float32")

    def get_config(self):
        return {"axis": self.axis, "centre": self.centre}
