"""A reference video as a model sees footage: cropped, masked, scaled, at the training's rate."""

import os
from collections.abc import Iterator

import numpy as np

from data_pipeline.clip_settings import ClipSettings
from data_pipeline.media import decode_frames, index_frames, probe
from data_pipeline.resample import at_constant_rate, num_output_frames

MIN_SECONDS = 0.5
MAX_SECONDS = 60.0  # of a reference that are looked at
_CLIP_SECONDS = 8.0  # about the paper's mean clip


def reference_clips(path: str | os.PathLike, settings: ClipSettings) -> Iterator[np.ndarray]:
    """The pictures of a reference, its first minute; it needs no sound.

    Args:
        path: video file.
        settings: of the training's footage; see ClipSettings.fitting.

    Yields:
        uint8 [T, height, width, 3] of one length, give or take a frame, of at most 8 s.

    Raises:
        ValueError, OSError: no video, one shorter than half a second, or too small for the crop.
    """
    settings = settings.fitting(probe(path, require=("video",)), path)
    index, fps = index_frames(path), settings.fps
    start, seconds = index.times[0], index.times[-1] + index.frame_seconds - index.times[0]
    if seconds < MIN_SECONDS:
        raise ValueError(f"{path}: lasts {seconds:.2f} s; a style needs at least {MIN_SECONDS} s")
    num_frames = max(1, num_output_frames(0.0, min(seconds, MAX_SECONDS), fps))
    clips = -(-num_frames // round(_CLIP_SECONDS * fps))
    ends = np.arange(1, clips + 1) * num_frames // clips
    scaler, clip, made = settings.scaler(), [], 0
    for frame in at_constant_rate(decode_frames(path), start, num_frames, fps):
        clip.append(scaler(frame))
        made += 1
        if made in ends:
            yield np.stack(clip)
            clip = []
    if made == 0:
        raise ValueError(f"{path}: none of its frames can be decoded")
