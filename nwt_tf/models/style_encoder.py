"""The variational style encoder of the priors (B.2.2, second part of Tables 5 and 6)."""

from typing import NamedTuple

import keras
import tensorflow as tf
from keras import ops

from nwt_tf.layers.code_embedding import CodeEmbedding
from nwt_tf.layers.initializers import mish_uniform
from nwt_tf.layers.resample import pad_grid
from nwt_tf.layers.spatially_connected import SpatialPyramid

# Kernel, strides and dilation in time of its four Conv3D.
LAYERS = (
    ((2, 2, 2), (1, 2, 2), 1),
    ((2, 2, 2), 1, 1),
    ((3, 2, 2), 1, 3),
    ((3, 2, 2), 1, 9),
)
MINIMUM_STD = 0.01831563888873418  # exp(-4), C.2.2


class StylePosterior(NamedTuple):
    """q(z_l | z), a diagonal Gaussian: mean and std, float32 [B, style_dim]."""

    mean: tf.Tensor
    std: tf.Tensor

    def sample(self, seed):
        """One draw, float32 [B, style_dim]; seed int32 [2]."""
        return self.mean + self.std * tf.random.stateless_normal(tf.shape(self.mean), seed)


class StyleEncoder(keras.layers.Layer):
    """Memcodes of a clip to the posterior of its style latent.

    Args:
        num_codes, embedding_dim, merge: of the code embedding.
        grid: (height, width) that the Memcodes' grid is padded to.
        widths: of the four Conv3D, see LAYERS.
        style_dim: of z_l.

    Input: int [B, T, h, w, heads]. Output: StylePosterior.
    """

    def __init__(self, num_codes, embedding_dim, merge, grid, widths, style_dim, **kwargs):
        super().__init__(**kwargs)
        self._arguments = {
            "num_codes": num_codes,
            "embedding_dim": embedding_dim,
            "merge": merge,
            "grid": list(grid),
            "widths": list(widths),
            "style_dim": style_dim,
        }
        self.grid = tuple(grid)
        self.embedding = CodeEmbedding(
            num_codes, embedding_dim, merge, dtype=self.dtype_policy, name="embedding"
        )
        self.convs = [
            keras.layers.Conv3D(
                width,
                kernel,
                strides=stride,
                dilation_rate=(dilation, 1, 1),
                padding="same",
                activation=keras.activations.mish,
                kernel_initializer=mish_uniform(),
                dtype=self.dtype_policy,
                name=f"conv{i}",
            )
            for i, (width, (kernel, stride, dilation)) in enumerate(
                zip(widths, LAYERS, strict=True)
            )
        ]
        self.posterior = keras.layers.Dense(2 * style_dim, dtype="float32", name="posterior")

    def call(self, codes):
        features = pad_grid(self.embedding(codes), *self.grid)
        for conv in self.convs:
            features = conv(features)
        pooled = ops.mean(ops.cast(features, "float32"), axis=(1, 2, 3))
        mean, spread = ops.split(self.posterior(pooled), 2, axis=-1)
        return StylePosterior(mean, ops.softplus(spread) + MINIMUM_STD)

    def get_config(self):
        return {**super().get_config(), **self._arguments}


class StylePyramid(keras.layers.Layer):
    """Style latent to a grid of features, the same for every frame: [B, D] -> [B, 1, 2^n, 2^n, C].

    A latent that is constant in time stays so under SC3D. Computing it once, with as many equal
    frames as the pyramid reads and no padding, keeps a clip's ends free of padding's trace, so that
    clips of any length and streams see the same style.

    Args:
        pyramid: widths of the SC3D levels.
    """

    def __init__(self, pyramid, **kwargs):
        super().__init__(**kwargs)
        self._widths = list(pyramid)
        self.pyramid = SpatialPyramid(
            pyramid, time_padding="valid", dtype=self.dtype_policy, name="pyramid"
        )

    def build(self, input_shape):
        self.pyramid.build(input_shape)
        self.built = True

    def call(self, style):
        style = ops.cast(style, self.compute_dtype)[:, None]
        return self.pyramid(ops.repeat(style, self.pyramid.time_span, axis=1))

    def get_config(self):
        return {**super().get_config(), "pyramid": self._widths}
