"""Between clips and frames, and between grids: reshapes, nearest upsampling, padding, windows."""

import tensorflow as tf
from keras import ops


def fold_time(clips):
    """[B, T, H, W, C] -> [B * T, H, W, C], so that 2D layers see independent frames."""
    return ops.reshape(clips, (-1, *clips.shape[2:]))


def unfold_time(frames, like):
    """[B * T, H, W, C] -> [B, T, H, W, C] with B and T of the clips `like`."""
    batch_time = tf.shape(like)[:2]
    shape = tf.concat([batch_time, tf.shape(frames)[1:]], axis=0)
    clips = tf.reshape(frames, shape)
    clips.set_shape([like.shape[0], like.shape[1], *frames.shape[1:]])
    return clips


def upsample(grids, factor=2):
    """Nearest-neighbour upsampling (NNU) of the two axes before the channels by `factor`."""
    return ops.repeat(ops.repeat(grids, factor, axis=-3), factor, axis=-2)


def pad_grid(grids, height, width):
    """Zero-pads [..., H, W, C] at bottom and right to height x width (C.2.2: 16x14 to 16x16)."""
    bottom, right = height - grids.shape[-3], width - grids.shape[-2]
    lead = [(0, 0)] * (len(grids.shape) - 3)
    return ops.pad(grids, [*lead, (0, bottom), (0, right), (0, 0)])


def keep_valid(clips, valid):
    """Zeros the frames of [B, T, ...] that lie outside of the clip.

    A window of a clip that hangs over its end, zeroed behind every layer, meets there what the
    layer's own padding would give the whole clip.

    Args:
        clips: float [B, T, ...].
        valid: [T], 1 for frames of the clip and 0 for others; None for all.
    """
    if valid is None:
        return clips
    sides = [1] * (len(clips.shape) - 2)
    return clips * ops.cast(ops.reshape(valid, (1, -1, *sides)), clips.dtype)
