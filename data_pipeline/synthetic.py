"""Footage of the synthetic subject, with its truth, and the rule that reads a mouth from pixels.

`write_footage` makes what `nwt build_dataset` takes: one mp4 (H.264, AAC) an episode, whose clips
follow one another, each starting with a key frame. `truth.json` beside them tells every frame's
true mouth, blink and head.
"""

import dataclasses
import itertools
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_pipeline import files
from data_pipeline.media import write_mp4
from data_pipeline.synthetic_drawing import FULL_OPENING, MOUTH_CENTRE, MOUTH_COLOUR
from data_pipeline.synthetic_episode import Episode, episode_look
from data_pipeline.synthetic_subject import Performance, Style, perform, render_frames
from data_pipeline.synthetic_voice import Voice, synthesize_voice

_TRUTH_VERSION = 1
# Of the rule `mouth_opening`; lengths in frame heights.
_BOX = (0.55, 0.785, 0.16)  # top, bottom, half width: holds the mouth in every framing and lean
_MIDDLE_WIDTH = 0.02  # standard deviation of the columns' weights
_LUMA = np.float32([0.299, 0.587, 0.114])
_SHUT, _WIDE = 0.14, 0.72  # darkness of a shut (its lips) and of a wide mouth: means over episodes


class Clip(NamedTuple):
    """One clip before it is drawn: who speaks, what, and how."""

    voice: Voice
    style: Style
    performance: Performance
    episode: Episode

    def frames(self, *, height: int, width: int):
        """Yields its frames, uint8 [height, width, 3] RGB."""
        return render_frames(
            self.performance, episode=self.episode, style=self.style, height=height, width=width
        )


def make_clip(
    *, episode: int, seed: int, seconds: float = 3.0, fps: float = 25, tint: float = 1.0
) -> Clip:
    """A clip of an episode, everything else drawn from the seed; `tint` bounds its warmth.

    Raises:
        ValueError: for a negative episode, or a duration of less than a frame.
    """
    if round(seconds * fps) < 1:
        raise ValueError(f"a clip needs at least one frame. Received: {seconds} s at {fps} fps")
    voice = synthesize_voice(seconds, seed)
    style = Style.sample(seed, tint)
    performance = perform(voice, style=style, seed=seed, fps=fps)
    return Clip(voice, style, performance, episode_look(episode))


def write_footage(
    output_dir: str | os.PathLike,
    *,
    num_episodes: int = 2,
    clips_per_episode: int = 40,
    clip_seconds: float = 3.0,
    height: int = 64,
    width: int = 56,
    fps: float = 25,
    seed: int = 0,
    tint: float = 1.0,
) -> dict:
    """Writes one mp4 an episode (`episode_00.mp4`, ...) and `truth.json`.

    Args:
        output_dir: folder, made if missing; files of the same name are replaced.
        num_episodes: how many settings (`episode_look(0)`, `episode_look(1)`, ...).
        clips_per_episode: clips in each file. Each has its own voice and style.
        clip_seconds: length of each clip, a whole number of frames: key frames lie exactly this
            far apart.
        height: pixels, even; shape the pictures about 8:7, as the paper's 256x224.
        width: pixels, even.
        fps: frames a second.
        seed: of everything; another seed gives clips that were not seen before.
        tint: the largest warmth of a clip's light, 0 to 1.

    Returns:
        The content of `truth.json`: the arguments, and under "episodes" a list of {"name",
        "look", "clips"}; a clip is {"start" in seconds, "seed", "style", and one list a field of
        `Performance`, one entry a frame}.

    Raises:
        ValueError: for counts below 1, odd or tiny sizes, a clip length between two frames, or a
            tint out of range.
        OSError: if a file cannot be written.
    """
    clip_frames = round(clip_seconds * fps)
    if min(num_episodes, clips_per_episode, clip_frames) < 1:
        raise ValueError("num_episodes, clips_per_episode and clip_seconds must be above 0")
    if abs(clip_frames - clip_seconds * fps) > 1e-6:
        raise ValueError(
            f"clip_seconds must be a whole number of frames. Received: {clip_seconds} at {fps} fps"
        )
    if min(height, width) < 32 or height % 2 or width % 2:
        raise ValueError(f"height and width must be even, from 32 on. Received: {height}x{width}")
    if not 0.0 <= tint <= 1.0:
        raise ValueError(f"tint must be within 0 and 1. Received: {tint}")
    output_dir = Path(output_dir)
    output_dir.mkdir(parents=True, exist_ok=True)
    episodes = []
    for index in range(num_episodes):
        seeds = np.random.default_rng([seed, index]).integers(0, 2**31, clips_per_episode)
        clips = [
            make_clip(episode=index, seed=int(s), seconds=clip_seconds, fps=fps, tint=tint)
            for s in seeds
        ]
        look = clips[0].episode
        write_mp4(
            output_dir / f"{look.name}.mp4",
            itertools.chain.from_iterable(
                clip.frames(height=height, width=width) for clip in clips
            ),
            fps,
            np.concatenate([clip.voice.waveform for clip in clips]),
            clips[0].voice.sample_rate,
            comment="a drawn synthetic subject, made by nwt_tf",
            gop_frames=clip_frames,
        )
        entries = [
            {"start": number * clip_frames / fps, "seed": int(s)}
            | {"style": dataclasses.asdict(clip.style)}
            | {
                field.name: np.round(getattr(clip.performance, field.name), 4).tolist()
                for field in dataclasses.fields(Performance)
            }
            for number, (s, clip) in enumerate(zip(seeds, clips, strict=True))
        ]
        episodes.append({"name": look.name, "look": dataclasses.asdict(look), "clips": entries})
    truth = {
        "version": _TRUTH_VERSION,
        "seed": seed,
        "fps": fps,
        "clip_seconds": clip_seconds,
        "height": height,
        "width": width,
        "tint": tint,
        "episodes": episodes,
    }
    with files.writing(output_dir / "truth.json") as file:
        file.write(json.dumps(truth).encode())
    return truth


def mouth_opening(frames: np.ndarray) -> np.ndarray:
    """Reads the mouth's opening from pixels, without the truth, at any size and in any episode.

    The rule: within a box about the place of mouths, the middle of the mouth is where the reddest
    pixels (lips, tongue, inside) are centred; the opening is how much darkness (luma below the
    skin's, 1 being the inside of the mouth) stands in the columns about that middle. It is a sum
    of soft amounts, so blur and compression move it little, and it needs no threshold on a pixel.

    Args:
        frames: uint8 [T, H, W, 3] RGB; the skin's luma is measured over all of them, so give one
            clip (or several of one episode) at a time.

    Returns:
        float32 [T], about 0 for a shut and about 1 for a wide open mouth. Zoom and skin change
        its scale from episode to episode by some 20 %: compare it by correlation.

    Raises:
        ValueError: for another shape or dtype, or no frames.
    """
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not len(frames):
        raise ValueError(
            f"frames must be uint8 [T, H, W, 3]. Received: {frames.dtype} {list(frames.shape)}"
        )
    height, width = frames.shape[1:3]
    down = (np.arange(height) + 0.5) / height
    across = (np.arange(width) + 0.5 - 0.5 * width) / height
    rows = (down > _BOX[0]) & (down < _BOX[1])
    columns = np.abs(across - MOUTH_CENTRE[0]) < _BOX[2]
    box, across = frames[:, rows][:, :, columns].astype(np.float32), across[columns]
    luma = box @ _LUMA  # [T, h, w]
    redness = (box[..., 0] - box[..., 1]) / (box[..., 0] + box[..., 1] + 30.0)
    redness = np.maximum(redness - np.median(redness) - 0.08, 0.0).sum(axis=1) + 1e-6  # [T, w]
    middle = (redness * across).sum(axis=1) / redness.sum(axis=1)
    near = np.exp(-0.5 * ((across - middle[:, None]) / _MIDDLE_WIDTH) ** 2)
    near /= near.sum(axis=1, keepdims=True)
    skin = np.median(luma)
    inside = np.dot(MOUTH_COLOUR, _LUMA)
    dark = (skin - luma) / max(skin - inside, 1.0)
    dark = np.maximum(dark - 0.1, 0.0) / 0.9  # less than that is shading, not mouth
    tall = (dark.sum(axis=1) * near).sum(axis=1) / height / FULL_OPENING
    return ((tall - _SHUT) / (_WIDE - _SHUT)).astype(np.float32)
