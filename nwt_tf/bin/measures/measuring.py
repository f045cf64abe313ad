"""Measurements as functions: footage (data_pipeline) through models (nwt_tf).

`nwt evaluate` and `nwt demo` call them. Each takes a preset and its clips, and gives figures and a
picture. `comparing` has the measurements of true and generated video, `retrieving` of neighbours.
"""

from pathlib import Path
from urllib.parse import quote

import numpy as np
import tensorflow as tf

from data_pipeline.mel import MELS_PER_FRAME, SAMPLE_RATE, align, log_mel, mel_spectrogram
from nwt_tf import presets
from nwt_tf.bin.draws import asked
from nwt_tf.bin.measures.held_out import MouthFinder
from nwt_tf.evaluation.card import model_card
from nwt_tf.evaluation.drift import measure_drift
from nwt_tf.evaluation.reconstruction import measure_reconstruction, strip
from nwt_tf.files import whole, write_text
from nwt_tf.generation.audio_to_video import AudioToVideo
from nwt_tf.models.dvae import DVAE

_CHUNK = 64  # frames of a long video that are in memory at once


def reconstruction(preset, clips, options=None):
    """Figures and sheet of measure_reconstruction over clips."""
    dvae = DVAE.from_preset(preset)
    return measure_reconstruction(dvae, ((clip["video"], clip["episode"]) for clip in clips))


def drift(preset, clips, options):
    """Video of options.minutes of sound, the footage's again and again: whether it stays the same.

    Args:
        preset: with a prior.
        clips: Clips of an input_dir.
        options: minutes, seed, those of nwt_tf.bin.draws, sampling, `mouth` (MouthFinder's).

    Returns:
        (figures of measure_drift, and `draws`, the codes' Options; picture: frames at equal
        distances from the first to the last).

    Raises:
        ValueError: clips of shards, which keep no sound; too few minutes.
    """
    model = AudioToVideo.from_preset(preset, sampling=options.sampling)
    waveform, episode = clips.sound(round(options.minutes * 60 * SAMPLE_RATE))
    episode = episode if episode in model.episodes else "none"
    finder = MouthFinder(clips.fps, options.mouth)
    for clip in clips:
        finder.add(clip)
    mouth, _ = finder.find()
    draws = model.options(**asked(options))
    codes = model.codes(waveform, episode=episode, seed=options.seed, **draws.figures())
    total = codes.shape[1]
    print(f"{total} frames drawn", flush=True)
    mel = align(log_mel(mel_spectrogram(waveform)), total, model.fps)
    shown, pictures = np.linspace(0, total - 1, 8).round().astype(int), []

    def chunks():
        frames = model.frames(codes, episode)
        for first in range(0, total, _CHUNK):
            end = min(first + _CHUNK, total)
            video = np.stack([next(frames) for _ in range(first, end)])
            pictures.extend(video[i - first] for i in shown if first <= i < end)
            yield (
                codes[0, first:end].numpy(),
                video,
                mel[first * MELS_PER_FRAME : end * MELS_PER_FRAME],
            )
            if end % (20 * _CHUNK) == 0:
                print(f"{end} of {total} frames rendered", flush=True)

    figures = measure_drift(chunks(), total, model.fps, model.dvae.num_codes, mouth)
    return {**figures, "draws": draws.figures()}, strip(np.stack(pictures))


def write_picture(path, picture):
    """Writes uint8 [H, W, 3] as PNG, whole or not at all."""
    with whole(path) as beside:
        beside.write_bytes(tf.io.encode_png(picture).numpy())


def write_card(path, preset, figures, pictures, source, about=None):
    """Writes a model card, and its pictures beside it.

    Args:
        path: of the Markdown file; pictures are named after it.
        preset: name or folder.
        figures, pictures: {what was measured: figures, or a picture or None}.
        source, about: see card.model_card.

    Returns:
        The paths written, the card's last.
    """
    path = Path(path)
    config, names = presets.read_config(preset), {}
    for what, picture in pictures.items():
        if picture is not None:
            names[what] = f"{path.stem}_{what}.png"
            write_picture(path.parent / names[what], picture)
    sizes = {
        part: sum(value.size for value in presets.read_weights(preset, part).values())
        for part in ("dvae", "prior")
        if part in config
    }
    name = presets.locate(preset).resolve().name
    links = {what: quote(file) for what, file in names.items()}  # a space would end the link
    text = model_card(name, config, sizes, figures, links, source, about)
    write_text(path, text)
    return [str(path.parent / file) for file in names.values()] + [str(path)]
