"""What can be read of the synthetic subject from pixels: the style's traits, and whose look it has.

Beside `mouth_opening` (data_pipeline/synthetic.py) these are the rules that measure generated video
against the truth. Both compare pictures with the drawing itself, and need no training.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from data_pipeline.synthetic_episode import Episode
from data_pipeline.synthetic_subject import GESTURES, Performance, Style, render

_POSE = {"opening": 0.3, "width": 0.0, "blink": 0.05, "brow": 0.2, "hand": 0.45}  # about the means
_STEPS = np.array([1.0, 0.01, 0.25, 0.01, 0.01])  # of lean, zoom, warmth and the head's shifts
_ITERATIONS = 5
_OUTLIER = 20.0  # levels of 255 from which on a difference counts less
_OTHER = (0, 255, 0)  # a colour that no episode has


class Traits(NamedTuple):
    """What a still picture shows of a `Style`; the fields are described there."""

    lean: float
    zoom: float
    warmth: float
    gesture: str


def read_traits(frames: np.ndarray, episode: Episode) -> Traits:
    """Reads a clip's style from its pixels, whoever made them.

    The rule is analysis by synthesis: the style whose drawing in the episode's look comes nearest
    to the mean of the frames (least squares, outliers softened), the head's mean shift being fitted
    along. Sway is not read: it is in the motion alone.

    Args:
        frames: uint8 [T, H, W, 3] RGB, one clip.
        episode: whose look they should have.

    Raises:
        ValueError: for another shape or dtype, or no frames.
    """
    mean = _checked(frames).mean(axis=0)
    fits = [(*_fit(mean, episode, gesture), gesture) for gesture in GESTURES]
    _, (lean, zoom, warmth, *_), gesture = min(fits, key=lambda fit: fit[0])
    return Traits(float(lean), float(zoom), float(warmth), gesture)


def _fit(mean, episode, gesture):
    """Gauss-Newton with numeric slopes: (what is left, [lean, zoom, warmth, right, down])."""

    def drawn(values):
        lean, zoom, warmth, *shift = values
        style = Style(lean=lean, zoom=zoom, warmth=warmth, gesture=gesture)
        return _still(episode, style, mean.shape, shift).ravel()

    starts = [np.array([lean, 1.0, 0.0, 0.0, 0.0]) for lean in (-4.0, 0.0, 4.0)]
    left = [mean.ravel() - drawn(values) for values in starts]
    _, values = min(zip((np.abs(r).mean() for r in left), map(tuple, starts), strict=True))
    values = np.array(values)
    for _ in range(_ITERATIONS):
        here = drawn(values)
        left = mean.ravel() - here
        slopes = [drawn(values + step) - here for step in np.diag(_STEPS)]
        weight = 1.0 / np.sqrt(1.0 + (left / _OUTLIER) ** 2)
        moves, *_ = np.linalg.lstsq((np.stack(slopes) * weight).T, left * weight)
        values = values + np.clip(moves, -3.0, 3.0) * _STEPS
    return np.abs(mean.ravel() - drawn(values)).mean(), values


def look_shares(frames: np.ndarray, first: Episode, second: Episode) -> dict[str, float]:
    """Whose backdrop and whose clothes a clip shows: 0 is the first episode's, 1 the second's.

    The rule: where both drawings show that part, away from its edges, the mean of the frames is
    placed on the line between the two looks. The light of a style moves it by up to 0.2.

    Args:
        frames: uint8 [T, H, W, 3] RGB, one clip.
        first, second: two episodes of different colours.

    Returns:
        {"backdrop": share, "clothes": share}.

    Raises:
        ValueError: for another shape or dtype, no frames, or pictures too small to tell.
    """
    mean = _checked(frames).mean(axis=0)
    looks = [_still(episode, Style(), mean.shape) for episode in (first, second)]
    way = looks[1] - looks[0]
    shares = {}
    for part, hidden in (
        ("backdrop", {"colours": (_OTHER,) * 4}),
        ("clothes", {"clothes": _OTHER}),
    ):
        shown = np.logical_and(*(_places(e, hidden, mean.shape) for e in (first, second)))
        length = (way[shown] ** 2).sum()
        if not length > 0:
            raise ValueError(f"{first.name} and {second.name} do not differ in their {part}")
        shares[part] = float(((mean - looks[0])[shown] * way[shown]).sum() / length)
    return shares


def _places(episode, hidden, shape):
    """Where a part is: bool [H, W], without its edges; `hidden` gives it another colour."""
    import cv2

    change = _still(dataclasses.replace(episode, **hidden), Style(), shape)
    change = np.abs(change - _still(episode, Style(), shape)).max(axis=-1) > 40
    side = max(3, shape[0] // 20)
    return cv2.erode(np.uint8(change), np.ones((side, side)), borderValue=1) > 0


def _still(episode, style, shape, shift=(0.0, 0.0)):
    """The drawing in the mean pose: float [H, W, 3]."""
    tracks = {name: np.float32([value]) for name, value in _POSE.items()}
    head = np.float32([[*shift, style.lean, 0.0]])
    performance = Performance(head=head, gaze=np.zeros((1, 2), np.float32), **tracks)
    picture = render(performance, episode=episode, style=style, height=shape[0], width=shape[1])
    return picture[0].astype(float)


def _checked(frames):
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not len(frames):
        raise ValueError(
            f"frames must be uint8 [T, H, W, 3]. Received: {frames.dtype} {list(frames.shape)}"
        )
    return frames
