"""Measurements as functions: footage (data_pipeline) through models (nwt_tf).

`nwt evaluate` and `nwt demo` call them.
"""

import itertools
import os

import numpy as np
import tensorflow as tf

from data_pipeline.build import find_videos
from data_pipeline.clips import ClipSettings, cut_file, plan_file
from data_pipeline.dataset import read_clips
from data_pipeline.mel import align
from data_pipeline.schema import Clip, decode_frame
from nwt_tf import presets
from nwt_tf.evaluation.prediction import measure_prediction
from nwt_tf.evaluation.reconstruction import measure_reconstruction, reconstruct, strip
from nwt_tf.generation.audio_to_video import AudioToVideo
from nwt_tf.layers.pixels import to_pixels, to_unit_range
from nwt_tf.models.dvae import DVAE

SHEET_CLIPS = 4


def clips(preset, input_dir=None, data_dir=None, split="test", limit=None):
    """Clips to measure on, one at a time.

    Args:
        preset: its footage settings say how input_dir is cut, and name its episodes.
        input_dir: folder of videos; or
        data_dir, split: shards.
        limit: stop after so many.

    Yields:
        Dicts with `video` uint8 [T, H, W, 3], `mel` float32 [4 T, 80], `episode` (the preset's
        index, -1 for an episode that it was not trained on), `clip_id`.
    """
    known = presets.read_config(preset)["footage"]["episodes"]
    found = _cut(preset, input_dir) if input_dir else read_clips(data_dir, split)
    for clip in itertools.islice(found, limit):
        clip["episode"] = known.get(clip["record"].episode, -1)
        yield clip


def _cut(preset, input_dir):
    """Footage to clips as when the preset's dataset was built, but with lossless frames."""
    footage = presets.read_config(preset)["footage"]
    settings = ClipSettings.of_footage(footage | {"frame_encoding": "png"})
    for path, name, episode in find_videos(input_dir):
        for clip in cut_file(plan_file(path, name, episode, settings), settings):
            if isinstance(clip, Clip):
                frames = [decode_frame(frame).numpy() for frame in clip.frames]
                yield {
                    "record": clip,
                    "clip_id": clip.clip_id,
                    "video": np.stack(frames),
                    "mel": align(clip.mel, clip.num_frames, clip.fps),
                }


def reconstruction(preset, found):
    """Figures and sheet of measure_reconstruction over clips."""
    dvae = DVAE.from_preset(preset)
    return measure_reconstruction(dvae, ((clip["video"], clip["episode"]) for clip in found))


def generation(preset, found, seed=0, temperature=1.0):
    """Figures of measure_prediction over clips, and a sheet of the first: truth, reconstruction,
    generation from the sound with the default style."""
    model = AudioToVideo.from_preset(preset)
    coded, rows = [], []
    for index, clip in enumerate(found):
        draw = tf.constant([seed, index])
        codes = model.dvae.encode(to_unit_range(clip["video"])[None], draw)[0].numpy()
        coded.append((codes, clip["mel"], clip["episode"]))
        if index < SHEET_CLIPS:
            _, rendered = reconstruct(model.dvae, clip["video"], clip["episode"])
            generated = generate_from_mel(model, clip["mel"], clip["episode"], seed, temperature)
            rows += [strip(clip["video"]), strip(rendered), strip(generated)]
    if not coded:
        raise ValueError("There are no clips to measure.")
    figures = measure_prediction(model.prior, coded, model.default_style)
    return {"clips": len(coded), **figures}, np.concatenate(rows)


def generate_from_mel(model, mel, episode, seed=0, temperature=1.0):
    """Video of an aligned mel spectrogram: uint8 [T, H, W, 3]."""
    conditioning = model.prior.condition(
        mel[None], model.default_style[None], tf.constant([episode])
    )
    codes = model.sampler(conditioning, [seed, 0], temperature)
    return to_pixels(model.dvae.decode(codes, tf.constant([episode]))[0])


def write_picture(path, picture):
    """Writes uint8 [H, W, 3] as PNG, whole or not at all."""
    partial = f"{path}.tmp"
    with open(partial, "wb") as file:
        file.write(tf.io.encode_png(picture).numpy())
    os.replace(partial, path)
