"""How well a prior predicts the codes of clips."""

import numpy as np
import tensorflow as tf

from nwt_tf.layers.mel import LOG_FLOOR


def code_bits(prior, codes, mel, style, episode=-1):
    """Cross entropy of one clip's codes in bits a code.

    Args:
        prior: a built prior.
        codes: int32 [T, h, w, heads].
        mel: float32 [4 T, 80], aligned.
        style: float32 [style_dim].
        episode: index, -1 for 'none'.
    """
    conditioning = prior.condition(mel[None], style[None], tf.constant([episode]))
    log_p = prior.log_prob(tf.constant(codes)[None], conditioning)
    return -float(tf.reduce_mean(log_p)) / np.log(2.0)


def measure_prediction(prior, clips, default_styles):
    """Bits a code over clips, with the true sound, with the next clip's, and with silence.

    What the sound tells the prior, in bits a code, is the difference to either of the latter.

    Args:
        prior: a built prior.
        clips: a list of (codes, mel, episode index), see code_bits.
        default_styles: float32 [style_dim], or one a clip, [clips, style_dim].

    Returns:
        {"bits_per_code": with the clip's own posterior style, "bits_per_code_default_style",
        "bits_per_code_other_sound": as the first, but with the next clip's sound,
        "bits_per_code_silence": with none}.
    """
    default_styles = np.broadcast_to(np.float32(default_styles), (len(clips), prior.style_dim))
    own, default, other, silence = [], [], [], []
    for index, (codes, mel, episode) in enumerate(clips):
        style = prior.style_encoder(tf.constant(codes)[None]).mean[0]
        own.append(code_bits(prior, codes, mel, style, episode))
        default.append(code_bits(prior, codes, mel, default_styles[index], episode))
        silent = np.full_like(mel, np.log(LOG_FLOOR))
        silence.append(code_bits(prior, codes, silent, style, episode))
        stranger = clips[(index + 1) % len(clips)][1]
        if len(clips) > 1 and len(stranger) >= len(mel):
            other.append(code_bits(prior, codes, stranger[: len(mel)], style, episode))
    return {
        "bits_per_code": float(np.mean(own)),
        "bits_per_code_default_style": float(np.mean(default)),
        "bits_per_code_other_sound": float(np.mean(other)) if other else None,
        "bits_per_code_silence": float(np.mean(silence)),
    }
