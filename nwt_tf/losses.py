"""Equations 4 to 9 as pure functions, float32 in and out. Expectations are means over the batch."""

import numpy as np
import tensorflow as tf


def kl_to_uniform(logits):
    """D_KL(q(z|x) || p(z)) of equations 4 and 8, p uniform: nats a Memcode, a scalar.

    The KL of a Memcode is the sum over its heads; the mean is over all Memcodes, as
    footnote 3 takes it; the weight beta_norm that belongs to it is the config's.

    Args:
        logits: float32 [..., heads, codes].
    """
    heads, num_codes = logits.shape[-2], logits.shape[-1]
    log_q = tf.nn.log_softmax(tf.reshape(logits, (-1, num_codes)))
    kl = tf.reduce_sum(tf.exp(log_q) * (log_q + tf.math.log(float(num_codes))), axis=-1)
    return tf.reduce_mean(kl) * heads


def gan_loss(fake_scores):
    """Equation 6: the sum over critics of E[-D_c(x~)].

    Args:
        fake_scores: a list of float [N], one a critic.
    """
    return -tf.add_n([tf.reduce_mean(scores) for scores in fake_scores])


def reconstruction_loss(real_features, fake_features, normalize=False, weights=None):
    """Equation 7 under the Laplace distribution: L1 between the critics' feature maps.

    Each layer's L1 is a mean over its elements (footnote 3); layers and critics are
    summed. No gradient flows to the real features.

    Args:
        real_features, fake_features: a list (critics) of lists (layers) of float tensors.
        normalize: divide each layer's L1 by the mean magnitude of the real features, a stabiliser
            that the paper does not have: without it, the critics can lower every other loss by
            making their features large.
        weights: float32 [B, H, W] of the clips' pixels, see motion_weights; they are averaged over
            what a feature stands for. None is the paper's mean.
    """
    total = 0.0
    for real_layers, fake_layers in zip(real_features, fake_features, strict=True):
        for real, fake in zip(real_layers, fake_layers, strict=True):
            real = tf.stop_gradient(real)
            distance = tf.abs(real - fake)
            if weights is not None:
                distance = tf.cast(distance, tf.float32) * _on_features(weights, real)
            distance = _mean(distance)
            if normalize:
                distance /= _mean(tf.abs(real)) + 1e-6
            total += distance
    return total


def _mean(features):
    return tf.reduce_mean(tf.cast(features, tf.float32))


def motion_weights(video, share):
    """Weights of pixels for reconstruction_loss: more where a clip moves. Not in the paper.

    Lips are a few per cent of a picture, and the mean of equation 7 knows them as little.

    Args:
        video: float32 [B, T, H, W, 3].
        share: of the weights that goes by a pixel's standard deviation over the clip's time, from 0
            to 1; the rest is the same everywhere.

    Returns:
        float32 [B, H, W], of mean one in each clip.
    """
    spread = tf.reduce_mean(tf.math.reduce_std(video, axis=1), axis=-1) + 1e-4
    return 1.0 - share + share * spread / tf.reduce_mean(spread, axis=(1, 2), keepdims=True)


def _on_features(weights, features):
    """Weights [B, H, W], averaged over areas, for features [B, T, h, w, C] or [B T, h, w, C]."""
    rows, columns = (
        _area_means(whole, parts)
        for whole, parts in zip(weights.shape[1:], features.shape[-3:-1], strict=True)
    )
    averages = tf.einsum("hH,bHW,wW->bhw", rows, weights, columns)[..., None]
    if len(features.shape) == 5:
        return averages[:, None]
    return tf.repeat(averages, tf.shape(features)[0] // tf.shape(weights)[0], axis=0)


def _area_means(whole, parts):
    """float32 [parts, whole]: the mean over each of equal parts of a length."""
    edges = np.linspace(0, whole, parts + 1)
    places = np.arange(whole)
    covered = np.minimum(edges[1:, None], places + 1) - np.maximum(edges[:-1, None], places)
    return np.float32(np.maximum(covered, 0) * parts / whole)


def wasserstein_loss(real_scores, fake_scores):
    """The first two terms of equation 9: the sum over critics of E[D(x~)] - E[D(x)]."""
    return tf.add_n(
        [
            tf.reduce_mean(fake) - tf.reduce_mean(real)
            for real, fake in zip(real_scores, fake_scores, strict=True)
        ]
    )


def gradient_penalty(critic, real, fake, seed, summed=False):
    """The last term of equation 9 for one critic, without lambda: E[(||grad D(x^)||_2 - 1)^2].

    x^ = u x + (1 - u) x~ with one u a sample (Algorithm 2); the gradient's norm is a sample's.

    Args:
        critic: samples [N, ...] -> (features, the last of the patches' shape; scores [N], the mean
            over the patches).
        real, fake: float32 [N, ...].
        seed: int32 [2].
        summed: D(x^) of a window-based critic is the sum over its patches, not their mean, as it is
            elsewhere in equation 9 and in equation 6. The more patches, the smaller the norm of the
            mean's slopes, and critics must grow until it is one.
    """
    shape = tf.concat([tf.shape(real)[:1], tf.ones(len(real.shape) - 1, tf.int32)], axis=0)
    u = tf.random.stateless_uniform(shape, seed)
    between = u * real + (1.0 - u) * fake
    with tf.GradientTape() as tape:
        tape.watch(between)
        features, scores = critic(between)
        if summed:
            patches = tf.reduce_prod(tf.shape(features[-1])[1:-1])
            scores *= tf.cast(patches, scores.dtype)
        total = tf.reduce_sum(scores)
    slopes = tape.gradient(total, between)
    squares = tf.reduce_sum(tf.square(slopes), axis=list(range(1, len(real.shape))))
    # The floor keeps the derivative of the square root finite where the gradient is zero.
    return tf.reduce_mean(tf.square(tf.sqrt(tf.maximum(squares, 1e-12)) - 1.0))


def score_drift(real_scores):
    """Sum over critics of E[D(x)^2]: a stabiliser outside the paper that keeps scores near zero."""
    return tf.add_n([tf.reduce_mean(tf.square(scores)) for scores in real_scores])


def code_cross_entropy(logits, codes):
    """Cross entropy of the prior (section 2.2.1): nats a code, a scalar.

    Args:
        logits: float32 [..., heads, num_codes].
        codes: int [..., heads].
    """
    flat = tf.reshape(logits, (-1, logits.shape[-1]))
    labels = tf.reshape(codes, (-1,))
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, flat))


def style_kl(mean, std):
    """D_KL(q(z_l|z) || N(0, I)) (C.2.2): nats a clip, the mean over the batch, a scalar.

    Args:
        mean, std: float32 [B, style_dim].
    """
    kl = 0.5 * (tf.square(mean) + tf.square(std) - 1.0) - tf.math.log(std)
    return tf.reduce_mean(tf.reduce_sum(kl, axis=-1))
