"""Memcodes to frames as they come: fixed windows, state passed in and out (compare listening)."""

from typing import NamedTuple

import tensorflow as tf

from nwt_tf.layers.pixels import quantize


class RenderingState(NamedTuple):
    """What is known of a clip between two pieces of its codes.

    codes: int32 [B, n, h, w, heads], those that are still needed.
    first: int64 scalar, the frame of the first of them.
    frame: int64 scalar, where the next window begins; the first one begins before the clip, by the
        frames that the decoder looks ahead.
    episode: float32 [B, episode_dim].
    """

    codes: tf.Tensor
    first: tf.Tensor
    frame: tf.Tensor
    episode: tf.Tensor


class Rendering:
    """Memcodes to pixels, piece by piece.

    Args:
        dvae: a built DVAE.
        window: frames rendered at a time.
        jit_compile: compile by XLA; None does so where there is a GPU.
    """

    def __init__(self, dvae, window, jit_compile=None):
        if jit_compile is None:
            jit_compile = bool(tf.config.list_physical_devices("GPU"))
        self.dvae, self.window = dvae, window
        self._render = tf.function(
            lambda *inputs: quantize(dvae.decode_window(*inputs)),
            jit_compile=jit_compile,
            reduce_retracing=True,
        )

    def start(self, episode):
        """State before any codes; episode float32 [B, episode_dim], see DVAE.decode_window."""
        shape = (*self.dvae.grid, self.dvae.num_heads)
        return RenderingState(
            tf.zeros((tf.shape(episode)[0], 0, *shape), tf.int32),
            tf.zeros((), tf.int64),
            tf.constant(-self.dvae.context, tf.int64),
            episode,
        )

    def step(self, state, codes, last):
        """Takes the codes that come next and renders what they allow.

        Args:
            state: see start.
            codes: int32 [B, n, h, w, heads], any n.
            last: bool scalar, whether the clip ends here.

        Returns:
            (uint8 [B, F, height, width, 3], the F frames that follow; next state).
        """
        context, window = self.dvae.context, self.window
        codes = tf.concat([state.codes, codes], axis=1)
        total = state.first + tf.shape(codes, out_type=tf.int64)[1]
        whole = tf.maximum(total - context - state.frame, 0) // window
        windows = tf.cast(tf.where(last, -(-(total - state.frame) // window), whole), tf.int32)
        # Between the clip's own ends windows hang over by no more than this.
        around = [(0, 0), (2 * context, window + context), *[(0, 0)] * 3]
        padded = tf.pad(codes, around)

        def render(i, frames):
            begin = state.frame + tf.cast(i, tf.int64) * window - context
            places = begin + tf.range(window + 2 * context, dtype=tf.int64)
            valid = (places >= 0) & (places < total)
            offset = begin - state.first + 2 * context
            part = padded[:, offset : offset + window + 2 * context]
            part = tf.ensure_shape(part, (None, window + 2 * context, *codes.shape[2:]))
            pixels = self._render(part, valid, state.episode)
            kept = valid[context:-context]  # The clip's frames are its own.
            return i + 1, tf.concat([frames, tf.boolean_mask(pixels, kept, axis=1)], axis=1)

        size = (self.dvae.height, self.dvae.width, 3)
        carried = (tf.constant(0), tf.zeros((tf.shape(codes)[0], 0, *size), tf.uint8))
        if tf.executing_eagerly():
            while carried[0] < windows:
                carried = render(*carried)
        else:
            spec = tf.TensorShape([codes.shape[0], None, *size])
            # One at a time: oneDNN's kernels are not safe to run beside themselves (TF 2.21: a
            # window of garbage now and then, or a crash).
            carried = tf.while_loop(
                lambda i, *_: i < windows,
                render,
                carried,
                (tf.TensorShape([]), spec),
                parallel_iterations=1,
            )
        frame = state.frame + tf.cast(windows, tf.int64) * window
        drop = tf.clip_by_value(frame - context - state.first, 0, total - state.first)
        state = state._replace(codes=codes[:, drop:], first=state.first + drop, frame=frame)
        return carried[1], state
