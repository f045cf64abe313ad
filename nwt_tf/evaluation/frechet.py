"""Frechet distance between videos, on features of a fixed random network.

It has the form of FVD (Unterthiner et al., 2018), the Frechet distance between Gaussians fitted to
features of short clips, but not its features: those of a trained network would have to be
downloaded. Here they come from three 3D convolutions whose weights are drawn once and for all from
a seed, so that the distance is the same for every model and on every machine. It tells blur, noise,
flicker and freezing; it knows nothing of faces. Compare its figures with one another only, and only
over the same number of clips: it is no FVD.
"""

import numpy as np
import tensorflow as tf

WINDOW = 16  # frames of a feature vector
STRIDE = 8  # frames from one window to the next
SIZE = (64, 56)
_WIDTHS = (8, 8, 8)
_SEED = 20210608
_GAIN = (1.0, 8.0)  # of the frames, and of their differences, which are much smaller


class RandomFeatures:
    """Windows of video to features, by two networks of fixed random weights.

    One reads the frames, the other the differences of successive frames: looks and motion. Each of
    their three layers is a 3D convolution of 3x3x3 (the later two with stride 2 in space) and a
    rectifier; a window's features are the logarithms of all layers' mean activations.
    """

    def __init__(self):
        # RandomState's numbers are frozen: they are the same in every version of NumPy.
        draws = np.random.RandomState(_SEED)
        self.networks = [self._network(draws) for _ in _GAIN]

    @staticmethod
    def _network(draws):
        kernels, channels = [], 3
        for width in _WIDTHS:
            kernel = draws.standard_normal((3, 3, 3, channels, width))
            # Without a constant part a filter answers to edges and motion, not to brightness.
            kernel -= kernel.mean(axis=(0, 1, 2), keepdims=True)
            kernels.append(tf.constant(kernel / np.sqrt(27 * channels / 2), tf.float32))
            channels = width
        return kernels

    def __call__(self, video):
        """uint8 [T, H, W, 3] -> float64 [windows, features]; none for fewer than WINDOW frames."""
        starts = range(0, len(video) - WINDOW + 1, STRIDE)
        if not starts:
            return np.zeros((0, len(_GAIN) * sum(_WIDTHS)))
        frames = tf.image.resize(video, SIZE, method="area") / 127.5 - 1.0
        return np.float64(self._features(tf.stack([frames[s : s + WINDOW] for s in starts])))

    @tf.function(reduce_retracing=True)
    def _features(self, windows):
        found = []
        inputs = (windows, windows[:, 1:] - windows[:, :-1])
        for kernels, gain, values in zip(self.networks, _GAIN, inputs, strict=True):
            values = gain * values
            for depth, kernel in enumerate(kernels):
                stride = 2 if depth else 1
                values = tf.nn.conv3d(values, kernel, (1, 1, stride, stride, 1), "VALID")
                values = tf.nn.relu(values)
                found.append(tf.math.log(tf.reduce_mean(values, axis=(1, 2, 3)) + 1e-2))
        return tf.concat(found, axis=-1)


class Gaussian:
    """Mean and covariance of features, gathered piece by piece."""

    def __init__(self):
        self.count, self._sum, self._products = 0, 0.0, 0.0

    def add(self, features):
        """Adds float64 [N, features]."""
        self.count += len(features)
        self._sum = self._sum + features.sum(axis=0)
        self._products = self._products + features.T @ features

    @property
    def mean(self):
        """float64 [features]."""
        return self._sum / self.count

    @property
    def covariance(self):
        """float64 [features, features]."""
        return self._products / self.count - np.outer(self.mean, self.mean)

    def distance(self, other):
        """The Frechet distance: |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)); None without data."""
        if not (self.count and other.count):
            return None
        mine, theirs = self.covariance, other.covariance
        values, vectors = np.linalg.eigh(mine)
        root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        # tr((C1 C2)^(1/2)) by the symmetric matrix that has the eigenvalues of C1 C2.
        cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ theirs @ root), 0.0)).sum()
        difference = self.mean - other.mean
        spread = np.trace(mine) + np.trace(theirs) - 2.0 * cross
        return float(difference @ difference + max(spread, 0.0))
