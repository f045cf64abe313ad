"""Draws the synthetic subject: flat shapes placed by a pose, in the colours of an episode.

Coordinates are frame heights at the nominal framing: x to the right of the picture's middle, y
downwards from its top. Every shape is a polygon, drawn large and shrunk by the caller.
"""

from typing import NamedTuple

import numpy as np

from data_pipeline.synthetic_episode import Episode
from data_pipeline.synthetic_shapes import (
    ARCH,
    INK,
    ROUND,
    UNIT,
    Pen,
    band,
    circle,
    curve,
    ellipse,
    mix,
)
from data_pipeline.synthetic_wardrobe import BACK_HAIR, CLOTHES, FRONT_HAIR, draw_glasses

MOUTH_CENTRE = (0.0, 0.63)
FULL_OPENING = 0.14  # height of the wide open mouth, in frame heights
MOUTH_COLOUR = (92, 10, 28)  # the dark inside of the mouth, the same in every episode
_NECK = np.array([0.0, 0.86])  # the head leans about this point
_TEETH = (252, 246, 238)
_TONGUE = (158, 40, 56)


class Pose(NamedTuple):
    """One frame of a `Performance`; the fields are described there."""

    opening: float
    width: float
    blink: float
    brow: float
    head: np.ndarray
    gaze: np.ndarray
    hand: float


def _face(drop):
    """Outline of the face; the chin follows the mouth by `drop` (0..1)."""
    x, y = circle(64).T
    below = np.clip(y, 0.0, 1.0)
    x = 0.262 * np.sign(x) * np.abs(x) ** 0.92 * (1.0 - 0.07 * below**2)
    y = 0.455 + np.where(y > 0, 0.335 * below**1.05 + 0.045 * drop * below**3, 0.33 * y)
    return np.stack([x, y], axis=1)


def draw_subject(canvas, camera, episode: Episode, pose: Pose, gesture: str) -> None:
    """Draws the person on a canvas, uint8 [H, W, 3], changed in place.

    Args:
        canvas: the picture, usually a copy of the episode's backdrop.
        camera: float [2, 3], from subject coordinates to the canvas's pixels.
        episode: the look.
        pose: one frame's movement.
        gesture: "none", "left" or "right": the side where the hand is up.
    """
    right, down, lean, turn = (float(v) for v in pose.head)
    tilt = np.radians(lean)
    turning = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    shift = _NECK - turning @ _NECK + [right, down]
    still = Pen(canvas, camera)
    body = still.moved(np.array([[1.0, 0.0, 0.35 * right], [0.0, 1.0, 0.3 * down]]))
    head = still.moved(np.column_stack([turning, shift]))
    # A turn of the head slides the features over the face, the far parts the other way.
    features = head.moved(np.array([[1.0, 0.0, 0.022 * turn], [0.0, 1.0, 0.0]]))
    rear = head.moved(np.array([[1.0, 0.0, -0.012 * turn], [0.0, 1.0, 0.0]]))
    skin, shade = episode.skin, mix(episode.skin, (150, 62, 62), 0.30)

    BACK_HAIR[episode.hair_style](rear, episode.hair)
    _draw_body(body, head, episode, shade)
    for ear in (ellipse(0.262, 0.47, 0.036, 0.055), ellipse(-0.262, 0.47, 0.036, 0.055)):
        rear.fill(ear, skin)
        rear.fill(ear * [0.5, 0.55] + [np.sign(ear[0, 0]) * 0.133, 0.2115], shade)
    head.fill(_face(pose.opening), skin)
    for side in (-1, 1):
        features.fill(ellipse(side * 0.165, 0.565, 0.045, 0.032), mix(skin, (240, 96, 92), 0.22))
    _draw_eyes(features, episode, pose, shade)
    nose = curve((-0.012, 0.47), (0.006, 0.475), (0.034, 0.548), (0.0, 0.562), (-0.034, 0.55))
    features.fill(nose, mix(skin, shade, 0.55))
    features.fill(nose * [0.62, 0.86] + [-0.006, 0.062], skin)
    _draw_mouth(features, episode, float(pose.opening), float(pose.width))
    FRONT_HAIR[episode.hair_style](head, episode.hair)
    if episode.glasses:
        draw_glasses(features, episode)
    if gesture != "none":
        _draw_hand(body, episode, float(pose.hand), shade, gesture == "left")


def _draw_mouth(pen, episode, opening, width):
    half = 0.090 + (0.026 if width > 0 else 0.034) * width
    x = MOUTH_CENTRE[0] + half * UNIT
    smile = MOUTH_CENTRE[1] + 0.012 * (1.0 - 2.0 * UNIT**2) * (1.0 + 0.3 * width)
    tall = max(opening, 0.035) * FULL_OPENING
    upper = smile - 0.18 * tall * ARCH
    lower = smile + 0.82 * tall * ROUND
    fullness = 0.020 - 0.004 * width
    bow = fullness * (0.95 * np.sqrt(ARCH) - 0.25 * np.exp(-((UNIT / 0.16) ** 2)))
    lip = mix(episode.skin, (186, 44, 62), 0.55)
    pen.fill(band(x, upper - bow, lower + 1.25 * fullness * ROUND), lip)
    pen.fill(band(x, upper, lower), MOUTH_COLOUR)
    shown = min(1.0, (opening - 0.2) / 0.3)  # teeth and tongue come into sight little by little
    if shown > 0.0:
        fade = min(1.0, 3.0 * shown)
        inner = np.abs(UNIT) < 0.9
        teeth = np.minimum(upper + 0.12 * shown * tall * ROUND, lower)
        pen.fill(band(x[inner], upper[inner], teeth[inner]), mix(MOUTH_COLOUR, _TEETH, fade))
        inner = np.abs(UNIT) < 0.72
        tongue = lower - 0.28 * shown * tall * np.sqrt(np.clip(1.0 - (UNIT / 0.72) ** 2, 0, 1))
        pen.fill(band(x[inner], tongue[inner], lower[inner]), mix(MOUTH_COLOUR, _TONGUE, fade))


def _draw_eyes(pen, episode, pose, shade):
    skin, iris = episode.skin, mix(episode.hair, (70, 96, 104), 0.5)
    brow = mix(episode.hair, INK, 0.25)
    for side in (-1, 1):
        x = side * 0.112 + 0.056 * UNIT
        middle = 0.445 - 0.004 * side * UNIT
        top, bottom = middle - 0.046 * np.sqrt(ARCH), middle + 0.030 * ARCH
        pen.fill(band(x, top, bottom), (255, 252, 248))
        eye = (side * 0.112 + 0.012 * pose.gaze[0], 0.440 + 0.006 * pose.gaze[1])
        pen.fill(ellipse(*eye, 0.031, 0.031), iris)
        pen.fill(ellipse(*eye, 0.017, 0.017), (30, 22, 30))
        pen.fill(ellipse(eye[0] + 0.010, eye[1] - 0.011, 0.008, 0.008), (255, 255, 255))
        lid = top + (0.10 + 0.90 * pose.blink) * (bottom - top)
        pen.fill(band(x * 1.0, top - 0.012, lid), mix(skin, shade, 0.35 * pose.blink))
        pen.fill(band(x, lid - 0.011 * (1.0 - 0.4 * UNIT**2), lid), INK)
        lift = 0.024 * pose.brow
        arch = 0.366 - lift - 0.016 * ARCH + 0.008 * side * UNIT
        thick = 0.011 * (1.0 - 0.45 * side * UNIT) * np.sqrt(np.clip(ARCH + 0.2, 0, 1))
        pen.fill(band(side * 0.116 + 0.064 * UNIT, arch - thick, arch + thick), brow)


def _draw_body(body, head, episode, shade):
    clothes, trim = episode.clothes, episode.trim
    dark = mix(clothes, (30, 22, 44), 0.22)
    style = episode.clothes_style
    shoulders = curve((-0.105, 0.865), (0.105, 0.865), (0.30, 0.905), (0.46, 0.985), (0.53, 1.30),
                       (-0.53, 1.30), (-0.46, 0.985), (-0.30, 0.905))  # fmt: skip
    if style == "hoodie":
        body.fill(ellipse(0.0, 0.90, 0.235, 0.125), dark)
    body.fill(shoulders, clothes)
    for side in (-1, 1):  # folds at the arms
        fold = np.array([(0.335, 1.01), (0.345, 1.01), (0.362, 1.30), (0.330, 1.30)])
        body.fill(fold * [side, 1.0], dark)
    neck = np.array([(-0.098, 0.70), (0.098, 0.70), (0.105, 0.875), (0.0, 0.925), (-0.105, 0.875)])
    if style in ("shirt", "jacket"):
        body.fill(np.array([(-0.11, 0.86), (0.11, 0.86), (0.0, 1.08)]), trim)
        neck[3, 1] = 0.955
    body.fill(neck, episode.skin)
    chin = band(0.105 * UNIT, np.full(25, 0.70), 0.835 + 0.03 * ROUND)
    head.fill(chin * [0.93, 1.0], shade)
    CLOTHES[style](body, clothes, dark, trim)


def _draw_hand(pen, episode, height, shade, left):
    """A raised open hand in the lower corner; `height` 0..1 moves it by 7 % of the frame."""
    side = -1.0 if left else 1.0
    place = np.array([[side, 0.0, side * 0.345], [0.0, 1.0, 0.90 - 0.07 * height]])
    hand = pen.moved(place)
    dark = mix(episode.clothes, (30, 22, 44), 0.22)
    hand.fill(np.array([(-0.055, 0.075), (0.055, 0.075), (0.075, 0.5), (-0.06, 0.5)]), dark)
    hand.fill(np.array([(-0.062, 0.06), (0.062, 0.06), (0.062, 0.095), (-0.062, 0.095)]),
              episode.trim)  # fmt: skip
    fingers = ((-0.042, -0.062, 0.058), (-0.013, -0.086, 0.060), (0.017, -0.080, 0.060),
               (0.044, -0.052, 0.055))  # fmt: skip
    for x, y, size in fingers:
        hand.fill(ellipse(x, y, 0.0155, size), episode.skin)
    hand.fill(curve((-0.095, -0.030), (-0.070, -0.034), (-0.020, 0.020), (-0.050, 0.046)),
              episode.skin)  # fmt: skip
    hand.fill(ellipse(0.0, 0.012, 0.062, 0.066), episode.skin)
    hand.fill(ellipse(-0.012, 0.022, 0.026, 0.03), mix(episode.skin, shade, 0.35))
