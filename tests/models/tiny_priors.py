"""Priors of a few channels, and codes and conditioning for them."""

import keras
import numpy as np
import tensorflow as tf

from nwt_tf.models.far import FAR
from nwt_tf.models.har import HAR
from nwt_tf.models.mar import MAR
from nwt_tf.models.prior import Conditioning

HEADS, CODES, EPISODES = 3, 5, 2
SHARED = {
    "num_heads": HEADS,
    "num_codes": CODES,
    "num_episodes": EPISODES,
    "episode_dim": 4,
    "audio_widths": (8,) * 7,
    "style_dim": 4,
    "style_widths": (6,) * 4,
    "embedding_dim": 4,
}
FRAMEWISE = {
    "grid": (4, 3),  # padded to 4 x 4
    "audio_pyramid": (8,),
    "style_pyramid": (8,),
    "width": 16,
    "hidden": 12,
    "strides": (2, 1),
}
RASTER = {
    "grid": (3, 2),  # cropped from 4 x 4
    "audio_pyramid": (8, 6),
    "style_pyramid": (8, 6),
    "projection": 12,
    "blocks": (((16, 1), (12, 2)), ((12, 1),)),
    "kernel_size": 3,
}
RASTER_FIELD = 1 + 2 * (1 + 2 + 1)  # Memcodes that RASTER's convolutions reach back over
KINDS = {
    "far": (FAR, SHARED | FRAMEWISE),
    "mar": (MAR, SHARED | RASTER),
    "har": (HAR, SHARED | RASTER | {"head_width": 8}),
}


def make(kind, dtype="float32", **arguments):
    """A built prior of KINDS with seeded weights."""
    keras.utils.set_random_seed(0)
    model, defaults = KINDS[kind]
    prior = model(**(defaults | arguments), dtype=dtype)
    prior.build()
    if kind == "far":
        # Untrained, its logits are ten times flatter than the others': too flat to compare.
        prior.output_layer.kernel.assign(10 * prior.output_layer.kernel)
    return prior


def codes_of(prior, frames, batch=1, seed=0):
    """Random codes int32 [B, T, h, w, heads]."""
    shape = (batch, frames, *prior.grid, HEADS)
    return np.random.default_rng(seed).integers(0, CODES, shape).astype(np.int32)


def mel_of(frames, batch=1, seed=0):
    """Random log-mel float32 [B, 4 T, 80]."""
    noise = np.random.default_rng(seed).normal(size=(batch, 4 * frames, 80))
    return np.float32(4 * noise - 6)


def conditioning_of(prior, frames, batch=1, seed=0):
    """Conditioning of random sound and style, episode 0."""
    style = np.float32(np.random.default_rng(seed).normal(size=(batch, prior.style_dim)))
    return prior.condition(mel_of(frames, batch, seed), style, tf.constant([0] * batch))


def repeated(conditioning, count):
    """The conditioning of one clip, for each of `count` clips."""
    return Conditioning(*(tf.repeat(each, count, axis=0) for each in conditioning))


def elements(prior, array):
    """[B, T, h, w, ...] -> [B, elements of the clip, *element_shape, ...]: frames or Memcodes."""
    array = np.asarray(array)
    tail = array.shape[5:]
    return array.reshape(len(array), -1, *prior.element_shape, *tail)


class Shown:
    """Stands in for an embedding and shows given vectors, so that gradients can be read there."""

    def __init__(self, vectors):
        self.vectors = vectors

    def __call__(self, codes):
        return tf.identity(self.vectors)
