"""What a training is measured on as it goes: a few held-out clips, in numbers and pictures."""

import numpy as np
import tensorflow as tf

from data_pipeline.dataset import read_clips
from nwt_tf.evaluation.reconstruction import measure_reconstruction, reconstruct, strip
from nwt_tf.layers.mel import MELS_PER_FRAME
from nwt_tf.layers.pixels import to_pixels
from nwt_tf.training.summaries import moving, still

CLIPS = 8
SEED = (0, 0)  # of samples: the same noise at every validation shows what has changed


def held_out_clips(data_dir, manifest, trained):
    """The first clips of the validation split, of the training split where nothing is held out.

    Args:
        data_dir: of the clips.
        manifest: its Manifest.
        trained: see preset_sections.trained_episodes; clips of others count as of none.
    """
    split = "validation" if manifest.clip_frames("validation") else "train"
    if split == "train":
        print("no validation clips: validation will measure training clips", flush=True)
    clips = []
    for clip in read_clips(data_dir, split):
        clips.append({**clip, "episode": trained.get(clip["record"].episode, -1)})
        if len(clips) == CLIPS:
            break
    return clips


def measure_dvae(dvae, clips, fps):
    """Reconstruction with arg max codes.

    Args:
        dvae: a built DVAE.
        clips: a list of (uint8 [T, H, W, 3], episode index).
        fps: frames a second.

    Returns:
        (scalars: ssim, psnr, bits_per_memcode, and of each head its perplexity, how many evenly
        used codes would have its entropy, and the codes in use; Pictures: `clips`, truth above
        reconstruction, and `clip`, truth beside reconstruction in motion).
    """
    figures, sheet = measure_reconstruction(dvae, clips)
    scalars = {name: figures[name] for name in ("ssim", "psnr", "bits_per_memcode")}
    by_head = zip(figures["bits_per_head"], figures["used_per_head"], strict=True)
    for head, (bits, used) in enumerate(by_head):
        scalars[f"perplexity/head_{head}"] = 2.0**bits
        scalars[f"codes_used/head_{head}"] = used
    video, episode = clips[0]
    _, rendered = reconstruct(dvae, video, episode)
    return scalars, {"clips": still(sheet), "clip": _beside(video, rendered, fps)}


def measure_prior(trainer, clips):
    """How well a prior foretells codes, and whether it listens.

    Args:
        trainer: a PriorTrainer.
        clips: a list of {"mel": [1, 4 T, 80], "codes": [1, T, h, w, heads], "episode": [1]}.

    Returns:
        Scalars, means over the clips: those of its test_step, and `sound_bits`, which the sound
        saves a code against the same sound moved by half a clip, with no history to go by. It stays
        at zero where a prior does not listen, long before that is heard or seen.
    """
    logs = []
    for clip in clips:
        found = {key: float(value) for key, value in trainer.test_step(clip).items()}
        moved = tf.roll(clip["mel"], clip["codes"].shape[1] // 2 * MELS_PER_FRAME, axis=1)
        own, other = (_bits_without_history(trainer, clip, mel) for mel in (clip["mel"], moved))
        logs.append(found | {"sound_bits": other - own})
    return {key: float(np.mean([log[key] for log in logs])) for key in logs[0]}


def _bits_without_history(trainer, clip, mel):
    codes = clip["codes"]
    history = tf.fill(tf.shape(codes), -1)
    logs = trainer.forward_losses(mel, codes, clip["episode"], tf.constant(SEED), history)[1]
    return float(logs["bits_per_code"])


def picture_samples(sampler, dvae, clips, fps):
    """What a prior draws from the sound and the style of clips, beside their own codes decoded.

    Args:
        sampler: a Sampler of the prior.
        dvae: the DVAE of the codes.
        clips: {"mel": [B, 4 T, 80], "codes": [B, T, h, w, heads], "episode": [B]}.
        fps: frames a second.

    Returns:
        Pictures: `samples`, of each clip its own codes above those drawn, and `sample`, the first
        clip's side by side in motion.
    """
    prior, codes, episode = sampler.prior, clips["codes"], clips["episode"]
    style = prior.style_encoder(codes).mean
    drawn = sampler(prior.condition(clips["mel"], style, episode), SEED)
    own, generated = (to_pixels(dvae.decode(each, episode)) for each in (codes, drawn))
    pairs = zip(own, generated, strict=True)
    sheet = np.concatenate([strip(video) for pair in pairs for video in pair])
    return {"samples": still(sheet), "sample": _beside(own[0], generated[0], fps)}


def joined(clips, count, frames):
    """The first clips as a batch, all cut to the shortest of them and to `frames` at most."""
    chosen = clips[:count]
    frames = min([frames, *(len(clip["codes"]) for clip in chosen)])
    return {
        "mel": tf.stack([clip["mel"][: frames * MELS_PER_FRAME] for clip in chosen]),
        "codes": tf.stack([clip["codes"][:frames] for clip in chosen]),
        "episode": tf.constant([clip["episode"] for clip in chosen]),
    }


def _beside(left, right, fps):
    """Two clips side by side, in motion."""
    return moving(np.concatenate([left, right], axis=2), fps)
