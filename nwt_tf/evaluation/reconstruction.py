"""How well a dVAE gives clips back."""

import numpy as np
import tensorflow as tf

from nwt_tf.evaluation.metrics import code_usage, frame_psnr, frame_ssim
from nwt_tf.layers.pixels import to_pixels, to_unit_range


def reconstruct(dvae, video, episode=-1, seed=None):
    """One clip through the codes.

    Args:
        dvae: a built DVAE.
        video: uint8 [T, H, W, 3].
        episode: index, -1 for 'none'.
        seed: int32 [2] to sample codes, or None for arg max.

    Returns:
        (codes int32 [T, h, w, heads], uint8 [T, H, W, 3]).
    """
    codes = dvae.encode(to_unit_range(video)[None], seed)
    rendered = dvae.decode(codes, tf.constant([episode]))
    return codes[0].numpy(), to_pixels(rendered[0])


def measure_reconstruction(dvae, clips):
    """Frame SSIM and PSNR, and the use of codes, over clips.

    Args:
        dvae: a built DVAE.
        clips: an iterable of (uint8 [T, H, W, 3], episode index).

    Returns:
        (figures {"ssim", "psnr", "clips", "frames", "bits_per_head", "used_per_head",
        "bits_per_memcode"}, sheet uint8 [H, W, 3]: truth above reconstruction for the last clips).
    """
    ssim, psnr, codes, rows = [], [], [], []
    for video, episode in clips:
        clip_codes, rendered = reconstruct(dvae, video, episode)
        ssim.append(frame_ssim(video, rendered))
        psnr.append(frame_psnr(video, rendered))
        codes.append(clip_codes.reshape(-1, dvae.num_heads))
        rows = (rows + [strip(video), strip(rendered)])[-8:]
    if not ssim:
        raise ValueError("There are no clips to measure.")
    figures = {
        "ssim": float(np.concatenate(ssim).mean()),
        "psnr": float(np.concatenate(psnr).mean()),
        "clips": len(ssim),
        "frames": int(sum(map(len, ssim))),
        **code_usage(np.concatenate(codes), dvae.num_codes),
    }
    width = max(row.shape[1] for row in rows)
    rows = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
    return figures, np.concatenate(rows)


def strip(video, pictures=8):
    """Frames at equal distances side by side: uint8 [T, H, W, 3] -> [H, pictures * W, 3]."""
    chosen = np.linspace(0, len(video) - 1, min(pictures, len(video))).round().astype(int)
    return np.concatenate([video[i] for i in chosen], axis=1)
