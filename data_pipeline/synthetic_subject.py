"""The synthetic subject: how it moves to a voice, and its pictures frame by frame.

Two sources move it. The voice sets the mouth, and weakly nods, brows and the hand. The style, drawn
once a clip and unknown to the voice, sets lean, framing, light, liveliness and which hand is up
(the paper's Section 3.5: features that depend weakly on the audio).
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from data_pipeline.synthetic_drawing import MOUTH_CENTRE, Pose, draw_subject
from data_pipeline.synthetic_episode import Episode, draw_backdrop
from data_pipeline.synthetic_voice import Voice

GESTURES = ("none", "left", "right")
_BLINK_SECONDS = 0.24


@dataclasses.dataclass(frozen=True)
class Style:
    """What a clip's voice does not tell.

    Attributes:
        lean: degrees by which the head leans to the right of the picture, within [-6, 6].
        zoom: framing scale about the mouth, within [0.95, 1.05].
        warmth: tint from -1 (cool light) to 1 (warm light).
        sway: liveliness of the head, within [0.3, 1].
        gesture: "none", "left" or "right": the side of the picture where a hand is up.
    """

    lean: float = 0.0
    zoom: float = 1.0
    warmth: float = 0.0
    sway: float = 0.6
    gesture: str = "none"

    @classmethod
    def sample(cls, seed: int, tint: float = 1.0) -> "Style":
        """A style at random, of a warmth within [-tint, tint]; the same for the same seed."""
        rng = np.random.default_rng([seed, 0x57E1])
        return cls(
            lean=round(float(rng.uniform(-6, 6)), 3),
            zoom=round(float(rng.uniform(0.95, 1.05)), 4),
            warmth=round(float(rng.uniform(-tint, tint)), 3),
            sway=round(float(rng.uniform(0.3, 1.0)), 3),
            gesture=str(rng.choice(GESTURES)),
        )


@dataclasses.dataclass(frozen=True)
class Performance:
    """The truth about a clip: one value a frame, all float32.

    Attributes:
        opening: [T], mouth opening, 0 (shut) .. 1 (wide).
        width: [T], mouth width, -1 (rounded) .. 1 (spread).
        blink: [T], 0 (eyes open) .. 1 (shut).
        brow: [T], raising of the eyebrows, 0..1.
        head: [T, 4], shift right and down in frame heights, lean in degrees, turn in [-1, 1].
        gaze: [T, 2], pupils right and down, in [-1, 1].
        hand: [T], how high the hand of the style's gesture is, 0..1.
    """

    opening: np.ndarray
    width: np.ndarray
    blink: np.ndarray
    brow: np.ndarray
    head: np.ndarray
    gaze: np.ndarray
    hand: np.ndarray

    def __len__(self) -> int:
        return len(self.opening)

    def pose(self, frame: int) -> Pose:
        """The values of one frame."""
        return Pose(*(getattr(self, name)[frame] for name in Pose._fields))


def perform(voice: Voice, *, style: Style, seed: int, fps: float) -> Performance:
    """Moves the subject to a voice.

    Args:
        voice: what is said.
        style: what the voice does not tell.
        seed: of sway, blinks and gaze.
        fps: frames a second; frame t shows the time t / fps.

    Returns:
        A performance of round(seconds * fps) frames.
    """
    rng = np.random.default_rng([seed, 0x4EAD])
    opening, width = voice.at_frames(fps)
    times = np.arange(len(opening)) / fps
    emphasis = _smooth(opening, 0.25 * fps)  # slow loudness: what body language follows

    def drift(low, high):  # a smooth wandering within [-1, 1]
        rates, phases = rng.uniform(low, high, 2), rng.uniform(0, 2 * np.pi, 2)
        return (np.sin(2 * np.pi * times[:, None] * rates + phases) * [0.65, 0.35]).sum(axis=1)

    head = np.stack(
        [
            0.016 * style.sway * drift(0.15, 0.45),
            0.007 * style.sway * drift(0.2, 0.6) + 0.03 * style.sway * (emphasis - 0.25),
            style.lean + 2.2 * style.sway * drift(0.15, 0.4),
            0.9 * style.sway * drift(0.12, 0.35),
        ],
        axis=1,
    )
    blink = np.zeros(len(times))
    moment = rng.uniform(0.3, 3.0)
    while moment < times[-1] + _BLINK_SECONDS:
        closing = 1.5 * (1.0 - np.abs(times - moment) / (_BLINK_SECONDS / 2))
        blink = np.maximum(blink, np.clip(closing, 0.0, 1.0))
        moment += rng.uniform(1.8, 4.5)
    gaze = np.stack([0.7 * drift(0.1, 0.3), 0.4 * drift(0.1, 0.3)], axis=1)
    brow = np.clip(0.15 + 0.9 * (emphasis - 0.15) + 0.2 * drift(0.1, 0.4), 0.0, 1.0)
    hand = np.clip(0.45 + 0.6 * (emphasis - 0.25) + 0.3 * drift(0.3, 0.8), 0.0, 1.0)
    tracks = (opening, width, blink, brow, head, gaze, hand)
    return Performance(*(track.astype(np.float32) for track in tracks))


def render_frames(
    performance: Performance, *, episode: Episode, style: Style, height: int, width: int
) -> Iterator[np.ndarray]:
    """Yields the frames, uint8 [height, width, 3] RGB, one at a time (`render` stacks them)."""
    import cv2

    scale = 4 if height < 160 else 2  # small pictures need finer edges
    backdrop = draw_backdrop(episode, height * scale, width * scale)
    zoom = episode.zoom * style.zoom * height * scale
    corner = np.array([width * scale / 2, 0.0]) + np.array(episode.offset) * height * scale
    corner[1] += (1.0 - episode.zoom * style.zoom) * MOUTH_CENTRE[1] * height * scale
    camera = np.array([[zoom, 0.0, corner[0]], [0.0, zoom, corner[1]]])
    # At half of this the tint is hardly more than a dVAE's error, and no style learns it.
    light = 1.0 + 0.12 * style.warmth * np.array([1.0, 0.1, -1.2])
    levels = np.arange(256)[:, None] * light
    table = np.uint8(np.round(np.clip(levels, 0, 255)))[:, None]  # [256, 1, 3]
    for frame in range(len(performance)):
        canvas = backdrop.copy()
        draw_subject(canvas, camera, episode, performance.pose(frame), style.gesture)
        small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        yield cv2.LUT(small, table)


def render(
    performance: Performance, *, episode: Episode, style: Style, height: int, width: int
) -> np.ndarray:
    """Draws a whole clip: uint8 [T, height, width, 3] RGB."""
    frames = render_frames(performance, episode=episode, style=style, height=height, width=width)
    return np.stack(list(frames))


def _smooth(track, frames):
    reach = int(np.ceil(3 * frames))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / frames) ** 2)
    return np.convolve(np.pad(track, reach, mode="edge"), kernel / kernel.sum(), mode="valid")
