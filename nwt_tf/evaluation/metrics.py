"""Picture and code metrics on whole clips."""

import numpy as np
import tensorflow as tf

MAX_PSNR = 100.0  # dB; a single value off by one, of a frame of 128x112, is 94
_SSIM_WINDOW = 11
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli and Bovik (2003)


def frame_ssim(truth, other):
    """Structural similarity a frame on RGB (max 255, tf.image.ssim's 11x11 window): float32 [T].

    Args:
        truth, other: uint8 [T, H, W, 3].
    """
    return tf.image.ssim(tf.constant(truth), tf.constant(other), max_val=255).numpy()


def frame_psnr(truth, other):
    """Peak signal-to-noise ratio a frame in dB: float32 [T]; uint8 [T, H, W, 3] each.

    Equal frames count as MAX_PSNR: a mean with an infinity in it says nothing.
    """
    psnr = tf.image.psnr(tf.constant(truth), tf.constant(other), max_val=255)
    return tf.minimum(psnr, MAX_PSNR).numpy()


def frame_ms_ssim(truth, other):
    """Multi-scale structural similarity a frame on RGB (max 255): float32 [T].

    Of the five scales those are used in which the window fits: five from 176 pixels on, four from
    88, three from 44. Their weights are scaled to sum to 1, so compare figures of one size only.

    Args:
        truth, other: uint8 [T, H, W, 3].
    """
    scales = int(np.log2(min(truth.shape[1:3]) / _SSIM_WINDOW)) + 1
    weights = np.array(_SCALE_WEIGHTS[:scales])
    found = tf.image.ssim_multiscale(
        tf.constant(truth), tf.constant(other), max_val=255, power_factors=weights / weights.sum()
    )
    return found.numpy()


def sharpness(video):
    """Variance of each frame's Laplacian in grey levels: uint8 [T, H, W, 3] -> float32 [T].

    Blur lowers it, noise raises it: hold it against the true footage's.
    """
    grey = np.float32(video.mean(axis=-1))
    inner = grey[:, 1:-1, 1:-1]
    around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    return (around - 4.0 * inner).var(axis=(1, 2))


def flicker(video):
    """Mean absolute second difference over time in grey levels: uint8 [T, H, W, 3] -> float.

    What moves steadily adds little, what jumps to and fro adds most; 0 for fewer than 3 frames.
    """
    grey = np.float32(video.mean(axis=-1))
    return float(np.abs(np.diff(grey, n=2, axis=0)).mean()) if len(grey) > 2 else 0.0


def code_histogram(codes, num_codes):
    """How often each head takes each code: int [..., heads] -> int64 [heads, num_codes]."""
    flat = np.asarray(codes).reshape(-1, codes.shape[-1])
    return np.stack([np.bincount(head, minlength=num_codes) for head in flat.T])


def code_usage(codes, num_codes):
    """How evenly codes are used.

    Args:
        codes: int [..., heads].

    Returns:
        {"bits_per_head": entropy of each head's codes in bits, "used_per_head": codes of each head
        with a share above 0.1 %, "bits_per_memcode": the entropies' sum, "perplexity_per_head": 2
        to the power of each entropy, the number of codes in even use}.
    """
    counts = code_histogram(codes, num_codes)
    share = counts / counts.sum(axis=1, keepdims=True)
    entropy = -np.sum(share * np.log2(np.maximum(share, 1e-12)), axis=1)
    return {
        "bits_per_head": [float(bits) for bits in entropy],
        "used_per_head": [int(used) for used in (share > 1e-3).sum(axis=1)],
        "bits_per_memcode": float(entropy.sum()),
        "perplexity_per_head": [float(2.0**bits) for bits in entropy],
    }
