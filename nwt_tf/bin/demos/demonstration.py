"""The steps of `nwt demo --train`: footage, trainings, unseen sound, and how well it went."""

import contextlib
import dataclasses
import time
from typing import NamedTuple

import keras
import numpy as np

from configs import dvae as dvae_configs
from configs import footage as footage_configs
from configs import prior as prior_configs
from data_pipeline.build import build_dataset
from data_pipeline.media import write_mp4
from data_pipeline.synthetic import Clip, make_clip, mouth_opening, write_footage
from nwt_tf import presets
from nwt_tf.bin.generating import contact_sheet
from nwt_tf.bin.measures import measuring
from nwt_tf.bin.measures.control import mouth_correlation
from nwt_tf.bin.measures.held_out import Clips
from nwt_tf.bin.training import stages
from nwt_tf.bin.training.extraction import extract_codes
from nwt_tf.evaluation.reconstruction import reconstruct
from nwt_tf.generation.audio_to_video import AudioToVideo

NUM_EPISODES = 2
CLIPS_PER_EPISODE = 40
UNSEEN_CLIPS = 2  # an episode
UNSEEN_SECONDS = 8.0
TINT = 0.5  # of the light: more of it takes bits that so short a training needs for the mouth
DRAWS = {  # that the trained preset recommends
    "temperature": 0.3,  # a prior so shortly trained is unsure of much that does not matter
    "guidance": 1.5,  # past what it hears, though it never learnt the case without sound
}
_STAGES = 6


class Unseen(NamedTuple):
    """One unseen clip: what is true of it, and the video generated from its sound alone."""

    clip: Clip
    truth: np.ndarray  # uint8 [T, H, W, 3]
    generated: np.ndarray  # uint8 [T, H, W, 3]


def demonstrate(folder, seed=0):
    """The whole demo.

    Args:
        folder: an empty pathlib.Path.
        seed: of everything.

    Returns:
        Figures: mp4, contact_sheet, mouth_correlation, rule_correlation, ssim, and more.

    Raises:
        KeyboardInterrupt: where a training was stopped by a signal.
    """
    keras.utils.set_random_seed(seed)
    footage = footage_configs.get_config("demo")
    with _stage(1, "Drawing footage: a talking head with a voice, two looks, several minutes."):
        make_footage(folder / "footage", footage, seed)
    with _stage(2, "Cutting it into clips: shards of frames and mel spectrograms."):
        build_dataset(folder / "footage", folder / "shards", **dataclasses.asdict(footage))
    with _stage(3, "Training dVAE-Adv: frames to Memcodes and back, against three critics."):
        config = _seeded(dvae_configs.get_config("demo"), seed)
        finished(stages.train_dvae(folder / "shards", folder / "dvae", config), config)
    with _stage(4, "Training the prior: from sound, style and past Memcodes to the next ones."):
        # The likeliest codes: after so short a training a draw is more noise than picture.
        extract_codes(
            folder / "dvae", folder / "shards", folder / "codes", sampled=False, seed=seed
        )
        config = _seeded(prior_configs.get_config("demo"), seed)
        finished(stages.train_prior(folder / "codes", folder / "prior", config), config)
        for preset in (folder / "prior", *presets.best_folders(folder / "prior")):
            presets.write_config(preset, draws=DRAWS)
    with _stage(5, "Generating video from sound that neither model has heard."):
        model = AudioToVideo.from_preset(folder / "prior")
        unseen = [listen(model, clip, seed) for clip in unseen_clips(seed, fps=model.fps)]
        mp4 = folder / "demo.mp4"
        spoken = unseen[0]
        frames = map(contact_sheet.enlarged, spoken.generated)
        write_mp4(mp4, frames, model.fps, spoken.clip.voice.waveform)
        print(f"      wrote {mp4}: {len(spoken.generated)} frames with their sound")
    with _stage(6, "Measuring, on held-out clips and on the unseen sound."):
        clips = Clips(folder / "prior", data_dir=folder / "shards", split="test")
        pictures, _ = measuring.reconstruction(folder / "prior", clips)
        sheet = folder / "contact_sheet.png"
        contact_sheet.draw(sheet, [_panel(model, each) for each in unseen[::UNSEEN_CLIPS]])
        print(f"      wrote {sheet}")
    return {
        "mp4": mp4,
        "contact_sheet": sheet,
        "mouth_correlation": mouth_correlation([(u.clip, u.generated) for u in unseen]),
        "rule_correlation": mouth_correlation([(u.clip, u.truth) for u in unseen]),
        "ssim": pictures["ssim"],
        "psnr": pictures["psnr"],
        "bits_per_memcode": pictures["bits_per_memcode"],
    }


def make_footage(folder, config, seed):
    """Videos of the synthetic subject that suit a FootageConfig: one clip a segment."""
    return write_footage(
        folder,
        num_episodes=NUM_EPISODES,
        clips_per_episode=CLIPS_PER_EPISODE,
        clip_seconds=config.segment_seconds,
        height=config.height,
        width=config.width,
        fps=config.fps,
        seed=seed,
        tint=TINT,
    )


def unseen_clips(seed, fps, seconds=UNSEEN_SECONDS):
    """Clips that are in no footage of this seed: UNSEEN_CLIPS of each episode, in their order."""
    clips = []
    for episode in range(NUM_EPISODES):
        # Footage draws its clips' seeds below 2**31: these cannot be among them.
        draws = np.random.default_rng([seed, episode]).integers(2**31, 2**32, UNSEEN_CLIPS)
        clips += [
            make_clip(episode=episode, seed=int(draw), seconds=seconds, fps=fps, tint=TINT)
            for draw in draws
        ]
    return clips


def listen(model, clip, seed=0):
    """Generates a clip's video from its sound: the look of its episode, the default style, drawn as
    the preset recommends.

    Args:
        model: an AudioToVideo.
        clip: a synthetic Clip.
        seed: of the sampling.

    Returns:
        Unseen.
    """
    generated = model.generate(clip.voice.waveform, episode=clip.episode.name, seed=seed)
    height, width = generated.shape[1:3]
    truth = np.stack(list(clip.frames(height=height, width=width)))
    return Unseen(clip, truth, generated)


def _panel(model, unseen):
    clip, truth, generated = unseen
    name = clip.episode.name
    _, rendered = reconstruct(model.dvae, truth, model.episode_index(name))
    return contact_sheet.Panel(
        title=f"{name.replace('_', ' ')}: sound that neither model has heard",
        videos={"truth": truth, "recon-\nstruction": rendered, "generated\nfrom sound": generated},
        mel=model.mel(clip.voice.waveform[None])[0].numpy(),
        curves={"true": clip.performance.opening, "generated": mouth_opening(generated)},
        fps=model.fps,
    )


def _seeded(config, seed):
    return dataclasses.replace(config, train=dataclasses.replace(config.train, seed=seed))


def finished(figures, config):
    """Passes a stopped training's interrupt on: the demo cannot go on with half a model."""
    if figures["steps"] < config.train.steps:
        raise KeyboardInterrupt


@contextlib.contextmanager
def _stage(number, what):
    """Says what happens, and how long it took."""
    print(f"\n[{number}/{_STAGES}] {what}", flush=True)
    started = time.monotonic()
    yield
    print(f"      done in {time.monotonic() - started:.0f} s", flush=True)
