"""Shapes that the synthetic subject is drawn with: curves as polygons, and a pen to fill them.

Shapes are float arrays [points, 2] of x, y; colours are RGB. The shapes of `circle` and `curve` are
computed once and shared: make new arrays from them, never change them.
"""

import functools

import numpy as np

Colour = tuple[int, int, int]  # RGB, 0..255

INK = (52, 34, 42)  # the darkest line colour

# Profiles over x = UNIT: a parabola and a half circle, both 1 in the middle and 0 at the ends.
UNIT = np.linspace(-1.0, 1.0, 25)
ARCH = 1.0 - UNIT**2
ROUND = np.sqrt(1.0 - UNIT**2)


class Pen:
    """Fills polygons given in subject coordinates, through a 2x3 transform to pixels."""

    def __init__(self, canvas, transform):
        self.canvas, self.transform = canvas, transform

    def moved(self, transform):
        """A pen whose coordinates pass through this 2x3 transform first."""
        linear = self.transform[:, :2] @ transform
        linear[:, 2] += self.transform[:, 2]
        return Pen(self.canvas, linear)

    def fill(self, points, colour):
        """Paints the inside of a polygon, [points, 2]."""
        import cv2

        pixels = points @ self.transform[:, :2].T + self.transform[:, 2]
        cv2.fillPoly(self.canvas, [np.int32(np.round(pixels * 16))], colour, cv2.LINE_AA, shift=4)


@functools.cache
def circle(points):
    """The unit circle."""
    angle = np.radians(np.linspace(0.0, 360.0, points, endpoint=False))
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def ellipse(x, y, rx, ry, points=36):
    """An upright ellipse about x, y."""
    return circle(points) * [rx, ry] + [x, y]


def band(x, upper, lower):
    """The region between two curves over the same x."""
    return np.concatenate([np.stack([x, upper], 1), np.stack([x, lower], 1)[::-1]])


@functools.cache
def curve(*points, steps=8):
    """A closed Catmull-Rom curve through the points (fixed ones: each is computed once)."""
    knots = np.array(points, float)
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[:, None]
    before, after, beyond = (np.roll(knots, -shift, axis=0) for shift in (-1, 1, 2))
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
               + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(before, knots, after, beyond, strict=True)
    ]  # fmt: skip
    return np.concatenate(pieces)


@functools.lru_cache(maxsize=4096)
def mix(one: Colour, other: Colour, amount: float) -> Colour:
    """The colour `amount` of the way from one to the other."""
    return tuple(int(round(a + (b - a) * amount)) for a, b in zip(one, other, strict=True))
