"""Picture and code metrics on whole clips."""

import numpy as np
import tensorflow as tf


def frame_ssim(truth, other):
    """Structural similarity a frame on RGB (max 255, tf.image.ssim's 11x11 window): float32 [T].

    Args:
        truth, other: uint8 [T, H, W, 3].
    """
    return tf.image.ssim(tf.constant(truth), tf.constant(other), max_val=255).numpy()


def frame_psnr(truth, other):
    """Peak signal-to-noise ratio a frame in dB: float32 [T]; uint8 [T, H, W, 3] each."""
    return tf.image.psnr(tf.constant(truth), tf.constant(other), max_val=255).numpy()


def code_usage(codes, num_codes):
    """How evenly codes are used.

    Args:
        codes: int [..., heads].

    Returns:
        {"bits_per_head": entropy of each head's codes in bits, "used_per_head": codes of each head
        with a share above 0.1 %, "bits_per_memcode": the entropies' sum}.
    """
    flat = np.asarray(codes).reshape(-1, codes.shape[-1])
    counts = np.stack([np.bincount(head, minlength=num_codes) for head in flat.T])
    share = counts / counts.sum(axis=1, keepdims=True)
    entropy = -np.sum(share * np.log2(np.maximum(share, 1e-12)), axis=1)
    return {
        "bits_per_head": [float(bits) for bits in entropy],
        "used_per_head": [int(used) for used in (share > 1e-3).sum(axis=1)],
        "bits_per_memcode": float(entropy.sum()),
    }
