"""MAR: the prior that predicts a Memcode a step, in raster order (2.2.2, B.2.3, Table 6)."""

import keras
import tensorflow as tf
from keras import ops

from nwt_tf.layers.causal_conv import CausalConv1D
from nwt_tf.layers.code_embedding import CodeEmbedding
from nwt_tf.layers.conditioned_projection import ConditionedProjection
from nwt_tf.models.input_checks import check_at_least, check_count
from nwt_tf.models.prior import Prior


def check_blocks(blocks):
    """Refuses what is not (filters, dilation) of one convolution or more a block, for one block or
    more.

    Raises:
        ValueError: see above.
    """
    try:
        counts = [[len(conv) for conv in block] for block in blocks]
    except TypeError:
        counts = []
    if not counts or not all(counts) or any(count != 2 for block in counts for count in block):
        raise ValueError(
            "blocks must be (filters, dilation) of each convolution, one or more a block. "
            f"Received: blocks={blocks}"
        )


class MAR(Prior):
    """Memcode-level autoregressive prior.

    The Memcodes of a clip, frame after frame and row after row, are one sequence. It passes blocks
    of dilated causal 1D convolutions; audio, style and episode of the Memcode to be predicted are
    concatenated and linearly projected before every block. Widths that agree are added across a
    block. All heads of a Memcode are predicted in parallel.

    Args:
        projection: width of the linear projections.
        blocks: (filters, dilation) of each block's convolutions.
        kernel_size: of the convolutions.
        Others: see Prior. Defaults are Table 6; the pyramids go up to a square that covers the grid
            and are cropped.

    Raises:
        ValueError: for sizes below 1, or a pyramid that does not cover the grid.
    """

    def __init__(
        self,
        grid=(16, 14),
        episode_dim=64,
        audio_pyramid=(256, 128, 64, 64),
        style_pyramid=(256, 128, 64, 64),
        embedding_dim=64,
        projection=512,
        blocks=(
            ((1024, 1), (2048, 2), (1024, 4)),
            ((1024, 8), (2048, 16), (1024, 32)),
            ((1024, 64), (1024, 128), (1024, 256), (1024, 512)),
        ),
        kernel_size=4,
        **kwargs,
    ):
        check_count(2, "sizes, (height, width)", grid=grid)
        check_blocks(blocks)
        check_at_least(1, projection=projection, blocks=blocks, kernel_size=kernel_size)
        for name, pyramid in (("audio_pyramid", audio_pyramid), ("style_pyramid", style_pyramid)):
            if 2 ** len(pyramid) < max(grid):
                raise ValueError(
                    f"{name} must have levels up to the grid {tuple(grid)}. "
                    f"Received: {name}={tuple(pyramid)}"
                )
        super().__init__(
            grid=grid,
            episode_dim=episode_dim,
            audio_pyramid=audio_pyramid,
            style_pyramid=style_pyramid,
            embedding_dim=embedding_dim,
            merge="sum",
            padded_grid=grid,
            element_grid=(),
            **kwargs,
        )
        self._arguments |= {
            "projection": projection,
            "blocks": [[list(conv) for conv in block] for block in blocks],
            "kernel_size": kernel_size,
        }
        policy = self.dtype_policy
        self.embedding = CodeEmbedding(
            self.num_codes, embedding_dim, "sum", dtype=policy, name="embedding"
        )
        self.projections = [
            ConditionedProjection(projection, dtype=policy, name=f"project{i}")
            for i in range(len(blocks))
        ]
        self.blocks = [
            [
                CausalConv1D(filters, (kernel_size,), dilation, dtype=policy, name=f"block{i}_{j}")
                for j, (filters, dilation) in enumerate(block)
            ]
            for i, block in enumerate(blocks)
        ]
        self.output_layer = keras.layers.Dense(self._output_width(), dtype=policy, name="logits")

    def _output_width(self):
        """Logits that the output layer gives at once: those of all heads."""
        return self.num_heads * self.num_codes

    def _crop(self, grids):
        """[B, T, 2^n, 2^n, C] -> [B, T, h, w, C]."""
        height, width = self.grid
        return grids[..., :height, :width, :]

    def hear(self, mel, valid=None, training=False):
        """Audio features cropped to the grid; see Prior.hear."""
        return self._crop(super().hear(mel, valid, training))

    def style_features(self, style):
        """Style cropped to the grid; see Prior.style_features."""
        return self._crop(super().style_features(style))

    def project(self, conditioning):
        """As Prior.project, with a frame's Memcodes in raster order: [B, T h w, projection]."""
        batch = tf.shape(conditioning.audio)[0]
        return tuple(
            share._replace(values=ops.reshape(share.values, (batch, -1, share.values.shape[-1])))
            for share in super().project(conditioning)
        )

    def _run(self, codes, project, convolve):
        """The decoder's body: int [B, (N,) heads] -> [B, (N,) width].

        Args:
            codes: those before each Memcode.
            project: (number of a block, its projection, activations) -> projected.
            convolve: (number of a convolution, the convolution, its input) -> its output.
        """
        activations = self.embedding(codes)
        number = 0
        for i, block in enumerate(self.blocks):
            branch = project(i, self.projections[i], activations)
            for conv in block:
                branch = keras.activations.mish(convolve(number, conv, branch))
                number += 1
            same = activations.shape[-1] == branch.shape[-1]
            activations = activations + branch if same else branch
        return activations

    def body(self, codes, conditioning):
        """Features of every Memcode of a clip from the Memcodes before it: [B, N, width]."""
        past = ops.reshape(codes, (tf.shape(codes)[0], -1, self.num_heads))  # raster order
        past = ops.concatenate([-tf.ones_like(past[:, :1]), past[:, :-1]], axis=1)
        return self._run(
            past,
            lambda i, projection, activations: projection(activations, *conditioning),
            lambda number, conv, branch: conv(branch),
        )

    def _cached(self, codes, state, shares, method):
        """Body by a method of the convolutions that takes and gives their rings."""
        position, rings = state
        after = []

        def convolve(number, conv, branch):
            branch, ring = getattr(conv, method)(branch, rings[number], position)
            after.append(ring)
            return branch

        features = self._run(
            codes,
            lambda i, projection, activations: projection.combine(activations, shares[i]),
            convolve,
        )
        return features, tuple(after)

    def body_step(self, codes, state, shares):
        """One Memcode's features [B, width] and the next state."""
        features, rings = self._cached(codes, state, shares, "step")
        return features, (self.after(state[0], 1), rings)

    def body_extend(self, codes, state, shares):
        """Features of the N Memcodes that come next, and the state behind them: N steps at once.

        Args:
            codes: int32 [B, N, heads] with static N, the Memcode before each; -1 everywhere before
                the first.
            state: see init_state.
            shares: of these Memcodes, values [B, N, projection].

        Returns:
            ([B, N, width], next state).
        """
        features, rings = self._cached(codes, state, shares, "extend")
        return features, (self.after(state[0], codes.shape[1]), rings)

    def _logits(self, features):
        """[..., width] -> float32 [..., heads, num_codes]."""
        logits = self.as_logits(self.output_layer(features))
        return ops.reshape(logits, (*ops.shape(logits)[:-1], self.num_heads, self.num_codes))

    def logits(self, codes, conditioning):
        """Logits of every Memcode from the Memcodes before it.

        Args:
            codes: int32 [B, T, h, w, heads].
            conditioning: of T frames.

        Returns:
            float32 [B, T, h, w, heads, num_codes].
        """
        logits = self._logits(self.body(codes, conditioning))
        return tf.reshape(logits, tf.concat([tf.shape(codes), [self.num_codes]], axis=0))

    def init_state(self, batch):
        """State before the first Memcode: (position, a ring a causal convolution)."""
        rings = tuple(conv.init_state(batch) for block in self.blocks for conv in block)
        return tf.zeros((), tf.int32), rings

    def step(self, codes, state, shares):
        """Logits of one Memcode.

        Args:
            codes: int32 [B, heads] of the Memcode before; -1 everywhere before the first.
            state: from init_state or the last step.
            shares: of this Memcode, see `at`.

        Returns:
            (logits float32 [B, heads, num_codes], next state).
        """
        features, state = self.body_step(codes, state, shares)
        return self._logits(features), state

    def guess_logits(self, features, codes):
        """Logits of Memcodes whose codes are guessed; only HAR's depend on the guess.

        Args:
            features: [B, N, width], see body_extend.
            codes: int32 [B, N, heads], the guess.

        Returns:
            float32 [B, N, heads, num_codes].
        """
        return self._logits(features)
