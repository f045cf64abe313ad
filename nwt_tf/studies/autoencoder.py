"""The autoencoder of the studies, and the critic that may also name the digit (Appendix A)."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from nwt_tf.layers.feature_norm import FeatureNorm
from nwt_tf.layers.pixels import to_pixels, to_unit_range
from nwt_tf.layers.resample import upsample
from nwt_tf.layers.residual import leaky_relu
from nwt_tf.models.critics import Critic


class Autoencoder(keras.Model):
    """Strided convolutions, a quantiser, and the same mirrored: pictures to Memcodes and back.

    dVAE-Adv's generator made small: a strided convolution a stage, nearest-neighbour upsampling and
    a convolution on the way back, a tanh at its end.

    Args:
        quantizer: a studies Quantizer.
        height, width, channels: of the pictures; sides are multiples of 2 ** len(stages).
        stages: width of each convolution of stride 2. None at all leaves dense layers, which are
            convolutions with a kernel as large as the picture.
        hidden: width between the last stage and the quantiser.
        depth: 1x1 convolutions of that width on either side of the quantiser, in the place of
            dVAE-Adv's temporal block: so that a decoder can make more of codes than their sum.
        single: one Memcode a picture (Appendix A) instead of a grid of them.
        dense_decoder: draws with dense layers alone, of single Memcodes, whatever the stages: there
            are few codes to draw, and convolutions on the way back are most of a step's time.
        normalize: normalise the queries, see FeatureNorm.

    Raises:
        ValueError: for sides that do not divide, or a grid without stages.
    """

    def __init__(
        self,
        quantizer,
        height=28,
        width=28,
        channels=1,
        stages=(8, 24),
        hidden=256,
        depth=2,
        single=True,
        dense_decoder=False,
        normalize=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        stride = 2 ** len(stages)
        if height % stride or width % stride:
            raise ValueError(
                f"height and width must be multiples of {stride}. Received: {height}x{width}"
            )
        if not (stages or single):
            raise ValueError("a grid of Memcodes needs stages")
        if dense_decoder and not single:
            raise ValueError("a dense decoder draws single Memcodes, not a grid of them")
        self.picture_shape = (height, width, channels)
        self.rest = (height // stride, width // stride, stages[-1] if stages else channels)
        self.single = single
        self.grid = (1, 1) if single else self.rest[:2]
        conv = {"activation": leaky_relu, "padding": "same"}
        self.downs = [
            keras.layers.Conv2D(filters, 4, strides=2, name=f"down{i}", **conv)
            for i, filters in enumerate(stages)
        ]
        self.before, self.after = (
            [keras.layers.Dense(hidden, leaky_relu, name=f"{side}{i}") for i in range(depth + 1)]
            for side in ("before", "after")
        )
        self.norm = FeatureNorm(3, name="norm") if normalize else None
        self.quantizer = quantizer
        if dense_decoder:
            stages = ()
        self.start = self.rest if stages else self.picture_shape
        self.from_values = keras.layers.Dense(
            math.prod(self.start) if single else self.start[-1],
            leaky_relu if stages else "tanh",
            name="from_values",
        )
        self.ups = [
            keras.layers.Conv2D(filters, 4, name=f"up{i}", **conv)
            for i, filters in enumerate(reversed(stages[:-1]))
        ]
        if stages:
            self.ups.append(
                keras.layers.Conv2D(channels, 4, padding="same", activation="tanh", name="pixels")
            )

    def build(self, input_shape=None):
        if not self.built:
            self.built = True
            self(tf.zeros((1, *self.picture_shape)))

    def start_from(self, pictures):
        """Lets the untrained decoder draw the median of uint8 [N, height, width, channels].

        The first steps would otherwise teach it the common colour by way of the codes, and leave
        them on one value for all pictures.
        """
        pictures = np.asarray(to_unit_range(pictures))
        # Of each pixel, or where a convolution makes them all, of each channel.
        median = np.median(pictures, axis=(0, 1, 2) if self.ups else 0)
        last = self.ups[-1] if self.ups else self.from_values
        # Not where a tanh is flat.
        last.bias.assign(np.arctanh(np.clip(median.reshape(-1), -0.9, 0.9)))

    def queries(self, pictures, training=False):
        """float [B, height, width, channels] in [-1, 1] -> float [B, h, w, hidden]."""
        features = self._features(pictures)
        return self.norm(features, training=training) if self.norm else features

    def settle(self, pictures):
        """Measures what normalises outside training, see FeatureNorm, on uint8 pictures; without
        effect where nothing is normalised."""
        if self.norm:
            self.norm.settle(self._features(to_unit_range(pictures)))

    def _features(self, pictures):
        for layer in self.downs:
            pictures = layer(pictures)
        if self.single:
            pictures = ops.reshape(pictures, (-1, 1, 1, math.prod(self.rest)))
        for layer in self.before:
            pictures = layer(pictures)
        return pictures

    def render(self, values):
        """float [B, h, w, code_dim] -> float [B, height, width, channels] in (-1, 1)."""
        for layer in self.after:
            values = layer(values)
        features = self.from_values(values)
        if self.single:
            features = ops.reshape(features, (-1, *self.start))
        for layer in self.ups:
            features = layer(upsample(features))
        return features

    def call(self, pictures, seed=None, temperature=1.0, training=False):
        """Pictures in [-1, 1] -> (reconstruction, Quantization)."""
        quantized = self.quantizer(
            self.queries(pictures, training), seed=seed, temperature=temperature, training=training
        )
        return self.render(quantized.values), quantized

    def encode(self, pictures, batch=1000):
        """uint8 [N, height, width, channels] -> arg max codes int32 [N, h, w, heads], NumPy."""
        return _in_batches(self._encode, pictures, batch)

    def decode(self, codes, batch=1000):
        """int [N, h, w, heads] -> uint8 [N, height, width, channels], NumPy."""
        return to_pixels(_in_batches(self._decode, codes, batch))

    @tf.function(reduce_retracing=True)
    def _encode(self, pictures):
        return self.quantizer(self.queries(to_unit_range(pictures))).codes

    @tf.function(reduce_retracing=True)
    def _decode(self, codes):
        return self.render(self.quantizer.lookup(codes))


class DigitCritic(Critic):
    """A critic with a second output layer on the same last activations: the digit (A.2).

    Args:
        layers: see Critic; the last layer must leave one patch.
        num_classes: digits.
        last_activation: of the last hidden layer, a Keras name. A tanh with few channels keeps
            little but the digit (not in the paper, which assumes that a classifier discards the
            rest): of other features, codes spend their bits on the rest.
    """

    def __init__(self, layers, num_classes=10, last_activation="leaky_relu", **kwargs):
        super().__init__(layers, **kwargs)
        self.num_classes = num_classes
        self.last_activation = last_activation
        if last_activation != "leaky_relu":  # else as of all layers
            self.hidden[-1].activation = keras.activations.get(last_activation)
        self.class_layer = keras.layers.Dense(num_classes, name="class")

    def build(self, input_shape):
        shape = tuple(input_shape)
        for layer in self.hidden:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.output_layer.build(shape)
        self.class_layer.build((shape[0], shape[1] * shape[2] * shape[3]))
        self.built = True

    def classify(self, features):
        """The last feature map, `call`'s features[-1] -> logits float32 [N, num_classes]."""
        return self.class_layer(ops.reshape(features, (-1, self.class_layer.kernel.shape[0])))

    def digits(self, pictures, batch=1000):
        """uint8 [N, height, width, channels] -> the likeliest digit int64 [N], NumPy."""
        return _in_batches(self._digits, pictures, batch)

    @tf.function(reduce_retracing=True)
    def _digits(self, pictures):
        return tf.argmax(self.classify(self(to_unit_range(pictures))[0][-1]), axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "last_activation": self.last_activation,
        }


def _in_batches(function, arrays, batch):
    parts = [
        function(tf.constant(arrays[start : start + batch])).numpy()
        for start in range(0, len(arrays), batch)
    ]
    return np.concatenate(parts)
