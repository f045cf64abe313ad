"""How well a dVAE gives clips back."""

import numpy as np
import tensorflow as tf

from nwt_tf.evaluation.metrics import (
    code_usage,
    flicker,
    frame_ms_ssim,
    frame_psnr,
    frame_ssim,
    sharpness,
)
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
    """How close pictures come back, how sharp and steady they are, and the use of codes.

    Args:
        dvae: a built DVAE.
        clips: an iterable of (uint8 [T, H, W, 3], episode index).

    Returns:
        (figures {"ssim", "ms_ssim", "psnr": means over frames, "sharpness", "true_sharpness",
        "flicker", "true_flicker", "clips", "frames", and code_usage's}, sheet uint8 [H, W, 3]:
        truth above reconstruction for the last clips).

    Raises:
        ValueError: there are no clips.
    """
    frames, clip_flicker, codes, rows = {}, [], [], []
    for video, episode in clips:
        clip_codes, rendered = reconstruct(dvae, video, episode)
        found = {
            "ssim": frame_ssim(video, rendered),
            "ms_ssim": frame_ms_ssim(video, rendered),
            "psnr": frame_psnr(video, rendered),
            "sharpness": sharpness(rendered),
            "true_sharpness": sharpness(video),
        }
        for name, values in found.items():
            frames.setdefault(name, []).append(values)
        clip_flicker.append((flicker(rendered), flicker(video)))
        codes.append(clip_codes.reshape(-1, dvae.num_heads))
        rows = (rows + [strip(video), strip(rendered)])[-8:]
    if not codes:
        raise ValueError("There are no clips to measure.")
    rendered_flicker, true_flicker = np.mean(clip_flicker, axis=0)
    figures = {
        **{name: float(np.concatenate(values).mean()) for name, values in frames.items()},
        "flicker": float(rendered_flicker),
        "true_flicker": float(true_flicker),
        "clips": len(codes),
        "frames": int(sum(map(len, frames["ssim"]))),
        **code_usage(np.concatenate(codes), dvae.num_codes),
    }
    width = max(row.shape[1] for row in rows)
    rows = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
    return figures, np.concatenate(rows)


def strip(video, pictures=8):
    """Frames at equal distances side by side: uint8 [T, H, W, 3] -> [H, pictures * W, 3]."""
    chosen = np.linspace(0, len(video) - 1, min(pictures, len(video))).round().astype(int)
    return np.concatenate([video[i] for i in chosen], axis=1)
