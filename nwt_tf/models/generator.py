"""The two halves of the dVAE-Adv generator: encoder and decoder (section B.1.3, Table 4a)."""

import operator

import keras
from keras import ops

from nwt_tf.layers.feature_norm import FeatureNorm
from nwt_tf.layers.resample import fold_time, keep_valid, unfold_time, upsample
from nwt_tf.layers.residual import ResidualBlock2D, leaky_relu
from nwt_tf.models.input_checks import check_at_least

TEMPORAL_KERNELS = ((4, 2, 2), (2, 2, 2), (2, 2, 2))  # of the temporal block, Table 4a


def _conv3d(filters, kernel, policy, name):
    return keras.layers.Conv3D(
        filters, kernel, padding="same", activation=leaky_relu, dtype=policy, name=name
    )


def generator_arguments(stages, temporal, res_convs):
    """What a config tells of generator arguments, checked.

    Raises:
        ValueError: stages are no pairs of sizes, or temporal not a width for each kernel.
    """
    try:
        stages = [[operator.index(width), operator.index(blocks)] for width, blocks in stages]
    except (TypeError, ValueError):
        raise ValueError(
            f"stages must be pairs (width, residual blocks). Received: stages={stages}"
        ) from None
    if any(width < 1 or blocks < 0 for width, blocks in stages):
        raise ValueError(
            f"stages must have widths from 1 on and blocks from 0 on. Received: stages={stages}"
        )
    fits = len(temporal) == len(TEMPORAL_KERNELS)
    if not fits or any(not isinstance(width, int) for width in temporal):
        raise ValueError(
            f"temporal must be {len(TEMPORAL_KERNELS)} widths. Received: temporal={temporal}"
        )
    check_at_least(1, temporal=temporal)
    return {
        "stages": stages,
        "temporal": list(temporal),
        "res_convs": res_convs,
    }


class Encoder(keras.layers.Layer):
    """Frames to queries: frame-wise 2D downsampling, then the temporal block.

    Args:
        stem: width of the first convolution.
        stages: (width, residual blocks) of each stage; each ends in a convolution of stride 2.
        temporal: widths of the 3D convolutions.
        res_convs: convolutions a residual block.
        normalize: normalise the queries, see FeatureNorm. The paper does without; there, heads can
            settle on one code each in the first hundred steps, with queries that grow for ever.

    Input: [B, T, height, width, 3]. Output: [B, T, height / 2^n, width / 2^n, temporal[-1]].
    """

    def __init__(self, stem, stages, temporal, res_convs, normalize=False, **kwargs):
        super().__init__(**kwargs)
        arguments = {"stem": stem, "normalize": normalize}
        self._arguments = generator_arguments(stages, temporal, res_convs) | arguments
        policy = self.dtype_policy
        self.norm = FeatureNorm(4, dtype=policy, name="norm") if normalize else None
        conv = {"padding": "same", "activation": leaky_relu, "dtype": policy}
        self.frame_layers = [keras.layers.Conv2D(stem, 4, name="stem", **conv)]
        for i, (width, blocks) in enumerate(stages):
            self.frame_layers += [
                ResidualBlock2D(width, 4, res_convs, dtype=policy, name=f"stage{i}_res{j}")
                for j in range(blocks)
            ]
            self.frame_layers.append(
                keras.layers.Conv2D(width, 4, strides=2, name=f"stage{i}_down", **conv)
            )
        self.temporal_layers = [
            _conv3d(width, kernel, policy, f"temporal{i}")
            for i, (width, kernel) in enumerate(zip(temporal, TEMPORAL_KERNELS, strict=True))
        ]

    def _features(self, video):
        frames = fold_time(ops.cast(video, self.compute_dtype))
        for layer in self.frame_layers:
            frames = layer(frames)
        features = unfold_time(frames, like=video)
        for layer in self.temporal_layers:
            features = layer(features)
        return features

    def call(self, video, training=False):
        features = self._features(video)
        return self.norm(features, training=training) if self.norm else features

    def settle(self, video):
        """Measures what normalises outside training, see FeatureNorm; without effect where nothing
        is normalised.

        Args:
            video: as in call, of several clips.
        """
        if self.norm:
            self.norm.settle(self._features(video))

    def get_config(self):
        return {**super().get_config(), **self._arguments}


class Decoder(keras.layers.Layer):
    """Memcode values to frames: the encoder mirrored, with nearest-neighbour upsampling (B.1.3).

    Arguments are the encoder's. Input: [B, T, h, w, C]. Output: float32 [B, T, h 2^n, w 2^n, 3] in
    (-1, 1).
    """

    def __init__(self, stages, temporal, res_convs, **kwargs):
        super().__init__(**kwargs)
        self._arguments = generator_arguments(stages, temporal, res_convs)
        policy = self.dtype_policy
        conv = {"padding": "same", "dtype": policy}
        self.temporal_layers = [
            _conv3d(width, kernel, policy, f"temporal{i}")
            for i, (width, kernel) in enumerate(
                zip(reversed(temporal), reversed(TEMPORAL_KERNELS), strict=True)
            )
        ]
        self.stages = [
            (
                keras.layers.Conv2D(width, 4, activation=leaky_relu, name=f"stage{i}_up", **conv),
                [
                    ResidualBlock2D(width, 4, res_convs, dtype=policy, name=f"stage{i}_res{j}")
                    for j in range(blocks)
                ],
            )
            for i, (width, blocks) in enumerate(reversed(stages))
        ]
        self.pixels = keras.layers.Conv2D(3, 4, activation="tanh", name="pixels", **conv)

    def call(self, values):
        return self.frames(self.temporal(values))

    def temporal(self, values, valid=None):
        """The temporal block; of a window with `valid` [T], see keep_valid."""
        values = keep_valid(values, valid)
        for layer in self.temporal_layers:
            values = keep_valid(layer(values), valid)
        return values

    def frames(self, values):
        """Everything behind the temporal block, frame by frame."""
        frames = fold_time(values)
        for up, blocks in self.stages:
            frames = up(upsample(frames))
            for block in blocks:
                frames = block(frames)
        return ops.cast(unfold_time(self.pixels(frames), like=values), "float32")

    def get_config(self):
        return {**super().get_config(), **self._arguments}
