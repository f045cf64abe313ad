"""FAR: the prior that predicts a frame a step (section 2.2.2, B.2.3, Table 5)."""

import math

import keras
import tensorflow as tf
from keras import ops

from nwt_tf.layers.causal_conv import CausalConv3D
from nwt_tf.layers.code_embedding import CodeEmbedding
from nwt_tf.layers.conditioned_projection import ConditionedProjection
from nwt_tf.layers.initializers import mish_uniform
from nwt_tf.layers.resample import fold_time, pad_grid, unfold_time, upsample
from nwt_tf.models.input_checks import check_at_least, check_count
from nwt_tf.models.prior import Prior


class FAR(Prior):
    """Frame-level autoregressive prior.

    The codes of the frames before are embedded, downsampled frame by frame, and pass residual
    blocks of three causal convolutions; audio, style and episode are concatenated and linearly
    projected before every block. All codes of a frame are predicted in parallel.

    Args:
        width: of the decoder's activations.
        hidden: of each block's middle convolution.
        strides: of the frame-wise convolutions before the blocks; mirrored by NNU after them.
        dilations: in time, of each block's convolutions.
        Others: see Prior. Defaults are Table 5 at 16x14, padded to 16x16.

    Raises:
        ValueError: for sizes below 1, or pyramids whose grids do not meet the downsampled grid.
    """

    def __init__(
        self,
        grid=(16, 14),
        episode_dim=128,
        audio_pyramid=(256, 256),
        style_pyramid=(256, 128),
        embedding_dim=128,
        width=1024,
        hidden=2048,
        strides=(2, 1, 2),
        dilations=((1, 1, 2), (1, 2, 2), (1, 2, 1)),
        **kwargs,
    ):
        check_count(2, "sizes, (height, width)", grid=grid)
        check_at_least(1, grid=grid, width=width, hidden=hidden)
        check_at_least(1, strides=strides, dilations=dilations)
        for i, block in enumerate(dilations):
            check_count(3, "dilations, one a convolution", **{f"dilations[{i}]": block})
        stride = math.prod(strides)
        # A pyramid's side is a power of two: the grid is padded until its downsampled side is, too.
        small = 2 ** (-(-max(grid) // stride) - 1).bit_length()
        side = small * stride
        for name, pyramid in (("audio_pyramid", audio_pyramid), ("style_pyramid", style_pyramid)):
            if 2 ** len(pyramid) != small:
                raise ValueError(
                    f"{name} must have {small.bit_length() - 1} levels, up to {small}x{small}, the "
                    f"grid {tuple(grid)} padded to {side}x{side} and downsampled by {stride}. "
                    f"Received: {name}={tuple(pyramid)}"
                )
        super().__init__(
            grid=grid,
            episode_dim=episode_dim,
            audio_pyramid=audio_pyramid,
            style_pyramid=style_pyramid,
            embedding_dim=embedding_dim,
            merge="concat",
            padded_grid=(side, side),
            element_grid=grid,
            **kwargs,
        )
        self._arguments |= {
            "width": width,
            "hidden": hidden,
            "strides": list(strides),
            "dilations": [list(block) for block in dilations],
        }
        self.side, self.small = side, small
        policy = self.dtype_policy
        conv = {
            "padding": "same",
            "activation": keras.activations.mish,
            "kernel_initializer": mish_uniform(),
            "dtype": policy,
        }
        self.embedding = CodeEmbedding(
            self.num_codes, embedding_dim, dtype=policy, name="embedding"
        )
        self.down = [
            keras.layers.Conv2D(width, 4, strides=factor, name=f"down{i}", **conv)
            for i, factor in enumerate(strides)
        ]
        self.projections = [
            ConditionedProjection(width, dtype=policy, name=f"project{i}")
            for i in range(len(dilations))
        ]
        self.blocks = [
            [
                CausalConv3D(filters, (3, 2, 2), dilation, dtype=policy, name=f"block{i}_{j}")
                for j, (filters, dilation) in enumerate(
                    zip((width, hidden, width), block, strict=True)
                )
            ]
            for i, block in enumerate(dilations)
        ]
        self.up_factors = tuple(reversed(strides))
        self.up = [
            keras.layers.Conv2D(width, 4, name=f"up{i}", **conv) for i in range(len(strides))
        ]
        self.output_layer = keras.layers.Dense(
            self.num_heads * self.num_codes, dtype=policy, name="logits"
        )

    def _downsample(self, codes):
        """int [N, h, w, heads] -> [N, small, small, width]."""
        frames = pad_grid(self.embedding(codes), self.side, self.side)
        for conv in self.down:
            frames = conv(frames)
        return frames

    def _upsample(self, frames):
        """[N, small, small, width] -> float32 logits [N, h, w, heads, num_codes]."""
        for factor, conv in zip(self.up_factors, self.up, strict=True):
            frames = conv(upsample(frames, factor) if factor > 1 else frames)
        height, width = self.grid
        frames = tf.slice(frames, (0, 0, 0, 0), (-1, height, width, -1))
        logits = self.as_logits(self.output_layer(frames))
        return ops.reshape(logits, (-1, height, width, self.num_heads, self.num_codes))

    def logits(self, codes, conditioning):
        """Logits of every frame from the frames before it.

        Args:
            codes: int32 [B, T, h, w, heads].
            conditioning: of T frames.

        Returns:
            float32 [B, T, h, w, heads, num_codes].
        """
        past = ops.concatenate([-tf.ones_like(codes[:, :1]), codes[:, :-1]], axis=1)
        activations = unfold_time(self._downsample(fold_time(past)), like=codes)
        for projection, block in zip(self.projections, self.blocks, strict=True):
            branch = projection(activations, *conditioning)
            for conv in block:
                branch = keras.activations.mish(conv(branch))
            activations = activations + branch
        logits = self._upsample(fold_time(activations))
        return tf.reshape(logits, tf.concat([tf.shape(codes), [self.num_codes]], axis=0))

    def init_state(self, batch):
        """State before the first frame: (position, a ring a causal convolution)."""
        small = self.small
        rings = tuple(
            conv.init_state(batch, small, small) for block in self.blocks for conv in block
        )
        return tf.zeros((), tf.int32), rings

    def step(self, codes, state, shares):
        """Logits of one frame.

        Args:
            codes: int32 [B, h, w, heads] of the frame before; -1 everywhere before the first.
            state: from init_state or the last step.
            shares: of this frame, see `at`.

        Returns:
            (logits float32 [B, h, w, heads, num_codes], next state).
        """
        position, rings = state
        activations = self._downsample(codes)
        after = []
        for projection, block, share in zip(self.projections, self.blocks, shares, strict=True):
            branch = projection.combine(activations, share)
            for conv in block:
                branch, ring = conv.step(branch, rings[len(after)], position)
                branch = keras.activations.mish(branch)
                after.append(ring)
            activations = activations + branch
        return self._upsample(activations), (self.after(position, 1), tuple(after))
