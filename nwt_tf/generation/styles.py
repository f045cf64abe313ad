"""Where a style latent z_l comes from: a reference, the prior, or by hand (3.5, B.2.2)."""

import numpy as np
import tensorflow as tf

from nwt_tf.layers.pixels import to_unit_range


def check(style, style_dim):
    """A style as the prior takes it.

    Args:
        style: numbers, [style_dim].
        style_dim: of the prior.

    Returns:
        float32 [style_dim].

    Raises:
        ValueError: for another size, which the message names, or values that are not finite.
    """
    style = np.asarray(style, np.float64)
    if style.shape != (style_dim,):
        found = len(style) if style.ndim == 1 else f"shape {list(style.shape)}"
        raise ValueError(f"style must have {style_dim} numbers. Received: {found}")
    if not (np.abs(style) <= np.finfo(np.float32).max).all():
        raise ValueError(f"style must be finite, as float32 too. Received: {style.tolist()}")
    return np.float32(style)


def sample(style_dim, seed):
    """Style sampling: a draw from p(z_l), the standard normal.

    Args:
        style_dim: of the prior.
        seed: int from 0 on; the same seed gives the same style.

    Returns:
        float32 [style_dim].
    """
    return np.random.default_rng(seed).standard_normal(style_dim).astype(np.float32)


def copy(dvae, prior, clips, seed=None, sampled=True):
    """Style copy: the posterior q(z_l | z_r) of reference footage.

    The codes z_r are taken as those of the prior's training were. Several clips give the mean of
    their posteriors' means, weighted by their frames.

    Args:
        dvae: a DVAE.
        prior: a Prior trained on its codes.
        clips: iterable of uint8 [T, H, W, 3], the dVAE's height and width, at the prior's rate;
            of about a training clip's length, since longer ones are held in memory at once.
        seed: int to draw from the posterior as the paper does, or None for its mean.
        sampled: whether the prior learnt codes drawn from the encoder's distribution, or the most
            likely ones (AudioToVideo.sampled_codes).

    Returns:
        float32 [style_dim].

    Raises:
        ValueError: for no clips, or pictures of another size.
    """
    total, frames = 0.0, 0
    for index, video in enumerate(clips):
        draw = 0 if seed is None else seed
        noise = tf.constant([draw, index]) if sampled else None
        codes = dvae.encode(to_unit_range(video)[None], noise)
        posterior = prior.style_encoder(codes)
        # The codes' draws and the latent's must not share a seed.
        latent = posterior.mean if seed is None else posterior.sample(tf.constant([draw, ~index]))
        total = total + len(video) * latent[0].numpy()
        frames += len(video)
    if not frames:
        raise ValueError("A style cannot be copied from a reference without frames.")
    return np.float32(total / frames)


def interpolate(first, second, mix):
    """The style on the line between two: mix 0 is the first, 1 the second.

    Args:
        first, second: float [style_dim].
        mix: in [0, 1].

    Returns:
        float32 [style_dim].

    Raises:
        ValueError: for a mix outside [0, 1].
    """
    if not 0 <= mix <= 1:
        raise ValueError(f"a mix of styles must lie in [0, 1]. Received: {mix:g}")
    return np.float32((1 - mix) * np.asarray(first) + mix * np.asarray(second))


def sweep(style, variate, values):
    """Copies of a style, one a value, in which one variate alone is set (samples S4.1).

    Args:
        style: float [style_dim].
        variate: index in [0, style_dim).
        values: numbers; 1 is one standard deviation of p(z_l).

    Returns:
        float32 [values, style_dim].

    Raises:
        ValueError: for a variate that the style does not have, or no values.
    """
    if not 0 <= variate < len(style):
        raise ValueError(
            f"the style has {len(style)} variates, 0 to {len(style) - 1}. Received: {variate}"
        )
    if not len(values):
        raise ValueError("a sweep needs at least one value.")
    styles = np.repeat(np.float32(style)[None], len(values), axis=0)
    styles[:, variate] = values
    return styles
