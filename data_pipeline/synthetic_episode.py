"""Looks of the synthetic subject: what differs from episode to episode, and the still backdrops.

An episode is a setting (as in the paper's Section 3.4: camera, lighting, clothing, hair): its
colours, its framing and its backdrop stay the same in all its clips.
"""

import dataclasses

import numpy as np

from data_pipeline.synthetic_shapes import Colour, mix


@dataclasses.dataclass(frozen=True)
class Episode:
    """One setting. Lengths are in frame heights; colours are RGB.

    Attributes:
        name: stem of the episode's file.
        backdrop: "sunset", "window", "shelves", "leaves", "arches" or "city".
        colours: four backdrop colours: top, bottom and two of its shapes.
        skin, hair, clothes, trim: colours of the person; `trim` is collar, buttons, stripes.
        hair_style: "crop", "bob", "curls", "bun" or "quiff".
        clothes_style: "shirt", "sweater", "jacket" or "hoodie".
        glasses: whether the person wears them.
        zoom: framing scale about the mouth.
        offset: framing shift (right, down).
    """

    name: str
    backdrop: str
    colours: tuple[Colour, Colour, Colour, Colour]
    skin: Colour
    hair: Colour
    hair_style: str
    clothes: Colour
    trim: Colour
    clothes_style: str
    glasses: bool
    zoom: float
    offset: tuple[float, float]


_SUNSET = ((255, 214, 165), (247, 160, 134), (255, 240, 206), (206, 105, 109))
_WINDOW = ((226, 237, 236), (190, 214, 214), (152, 205, 236), (255, 252, 242))
_SHELVES = ((240, 222, 190), (222, 195, 155), (158, 105, 72), (72, 128, 130))
_LEAVES = ((214, 234, 205), (160, 206, 170), (72, 148, 112), (246, 226, 150))
_ARCHES = ((232, 222, 246), (203, 186, 232), (152, 124, 204), (250, 204, 216))
_CITY = ((64, 74, 128), (140, 110, 165), (44, 50, 92), (255, 214, 130))

LOOKS = (
    Episode("episode_00", "sunset", _SUNSET, (250, 205, 168), (92, 52, 38), "quiff",
            (38, 110, 122), (250, 240, 220), "shirt", False, 1.00, (0.0, 0.0)),
    Episode("episode_01", "window", _WINDOW, (226, 164, 122), (44, 36, 44), "bob",
            (232, 170, 60), (250, 222, 150), "sweater", False, 0.90, (0.035, 0.01)),
    Episode("episode_02", "city", _CITY, (252, 214, 186), (196, 112, 52), "curls",
            (206, 84, 74), (245, 236, 226), "hoodie", False, 1.07, (-0.03, 0.01)),
    Episode("episode_03", "leaves", _LEAVES, (204, 146, 106), (38, 28, 32), "crop",
            (246, 236, 218), (112, 84, 150), "shirt", True, 0.94, (-0.04, 0.015)),
    Episode("episode_04", "arches", _ARCHES, (246, 196, 160), (226, 182, 104), "bun",
            (84, 84, 140), (246, 190, 200), "sweater", False, 1.03, (0.03, 0.0)),
    Episode("episode_05", "shelves", _SHELVES, (238, 186, 146), (150, 146, 150), "crop",
            (60, 70, 92), (236, 238, 244), "jacket", True, 0.97, (0.0, -0.01)),
)  # fmt: skip


def episode_look(index: int) -> Episode:
    """The episode with this index: six designed ones, then seeded mixtures of their parts.

    Raises:
        ValueError: for a negative index.
    """
    if index < 0:
        raise ValueError(f"An episode's index must be 0 or above. Received: {index}")
    if index < len(LOOKS):
        return LOOKS[index]
    rng = np.random.default_rng([index, 0xE915])
    place, person, dress, frame = (LOOKS[i] for i in rng.integers(0, len(LOOKS), 4))
    return dataclasses.replace(
        person,
        name=f"episode_{index:02d}",
        backdrop=place.backdrop,
        colours=tuple(_shift_hue(colour, rng.integers(-15, 16)) for colour in place.colours),
        clothes=_shift_hue(dress.clothes, rng.integers(-50, 51)),
        trim=dress.trim,
        clothes_style=dress.clothes_style,
        zoom=frame.zoom,
        offset=(float(rng.uniform(-0.04, 0.04)), frame.offset[1]),
    )


def look_named(name: str) -> Episode:
    """The episode of this name.

    Raises:
        ValueError: the synthetic subject has no such episode.
    """
    index = name.removeprefix("episode_")
    if name != index and index.isdecimal() and episode_look(int(index)).name == name:
        return episode_look(int(index))
    raise ValueError(f"{name} is no episode of the synthetic subject")


def _shift_hue(colour: Colour, degrees: int) -> Colour:
    import cv2

    hsv = cv2.cvtColor(np.uint8([[colour]]), cv2.COLOR_RGB2HSV).astype(int)
    hsv[..., 0] = (hsv[..., 0] + degrees // 2) % 180
    return tuple(int(c) for c in cv2.cvtColor(np.uint8(hsv), cv2.COLOR_HSV2RGB)[0, 0])


def draw_backdrop(episode: Episode, height: int, width: int) -> np.ndarray:
    """The still picture behind the person: uint8 [height, width, 3] RGB."""
    top, bottom = (np.array(colour, float) for colour in episode.colours[:2])
    ramp = np.linspace(0.0, 1.0, height)[:, None, None] * 0.85
    ramp = ramp + 0.15 * np.linspace(0.0, 1.0, width)[None, :, None]
    picture = np.uint8(np.round(top + (bottom - top) * ramp))
    _BACKDROPS[episode.backdrop](_Painter(picture), *episode.colours)
    return picture


class _Painter:
    """Filled shapes on a picture; x in 0..1 across it, y in 0..1 down it."""

    def __init__(self, picture):
        self.picture = picture
        self.size = np.array([picture.shape[1], picture.shape[0]], float)

    def polygon(self, points, colour):
        import cv2

        points = np.int32(np.round(np.asarray(points, float) * self.size * 16))
        cv2.fillPoly(self.picture, [points], tuple(map(int, colour)), cv2.LINE_AA, shift=4)

    def box(self, left, top, right, bottom, colour):
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def disc(self, x, y, radius, colour, start=0.0, end=2 * np.pi):
        angle = np.linspace(start, end, 60)
        aspect = self.size[1] / self.size[0]
        self.polygon(np.stack([x + radius * aspect * np.cos(angle), y + radius * np.sin(angle)], 1),
                     colour)  # fmt: skip

    def leaf(self, x, y, angle, length, colour):
        along = np.linspace(0.0, 1.0, 20)
        side = 0.15 * length * np.sin(np.pi * along**0.8)
        outline = np.concatenate([np.stack([along * length, side], 1),
                                  np.stack([along * length, -side], 1)[::-1]])  # fmt: skip
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        self.polygon(outline @ turn.T + [x, y], colour)


def _sunset(paint, top, bottom, first, second):
    paint.disc(0.5, 0.42, 0.47, mix(top, first, 0.55))
    paint.disc(0.5, 0.42, 0.38, first)
    x = np.linspace(0.0, 1.0, 60)
    for level, height, phase, shade in ((0.66, 0.05, 0.5, 0.45), (0.78, 0.04, 2.6, 0.9)):
        ridge = level + height * np.sin(2 * np.pi * x + phase) + 0.4 * height * np.sin(9 * x)
        paint.polygon([*zip(x, ridge, strict=True), (1, 1), (0, 1)], mix(bottom, second, shade))


def _window(paint, top, bottom, first, second):
    paint.box(0.04, 0.05, 0.96, 0.74, second)
    for left, right in ((0.075, 0.485), (0.515, 0.925)):
        paint.box(left, 0.085, right, 0.70, first)
    for x, y, radius in ((0.15, 0.22, 0.06), (0.22, 0.19, 0.08), (0.30, 0.225, 0.055),
                         (0.79, 0.34, 0.05), (0.86, 0.31, 0.07)):  # fmt: skip
        paint.disc(x, y, radius, mix(first, (255, 255, 255), 0.75))
    paint.box(0.075, 0.60, 0.485, 0.70, mix(first, (120, 180, 130), 0.75))
    paint.box(0.515, 0.56, 0.925, 0.70, mix(first, (120, 180, 130), 0.9))
    paint.box(0.485, 0.05, 0.515, 0.74, second)
    paint.box(0.02, 0.72, 0.98, 0.77, mix(second, bottom, 0.35))


def _shelves(paint, top, bottom, first, second):
    books = (second, (214, 98, 72), (236, 180, 88), (96, 140, 96), (232, 226, 208), (88, 92, 130))
    for row, level in enumerate((0.26, 0.54, 0.82)):
        x = 0.02
        for item in range(18):
            width = 0.035 + 0.012 * ((item * 5 + row * 3) % 4)
            tall = 0.14 + 0.018 * ((item * 7 + row * 2) % 5)
            if (item * 3 + row * 5) % 8:  # a gap now and then
                colour = mix(books[(item * 5 + row) % len(books)], top, 0.25)
                paint.box(x, level - tall, x + width - 0.006, level, colour)
            x += width
        paint.box(0.0, level, 1.0, level + 0.03, first)
        paint.box(0.0, level + 0.03, 1.0, level + 0.04, mix(first, (0, 0, 0), 0.25))


def _leaves(paint, top, bottom, first, second):
    paint.disc(0.74, 0.24, 0.17, second)
    for x, y, turn, size in ((0.0, 0.98, -1.25, 0.8), (1.0, 0.98, -1.9, 0.8)):
        for index, offset in enumerate((-0.9, 0.9, -0.55, 0.5, -0.2, 0.15)):
            shade = mix(first, bottom, (0.62, 0.45, 0.3, 0.2, 0.1, 0.0)[index])
            paint.leaf(x, y, turn + offset, size * (0.8 + 0.05 * index), shade)
    paint.leaf(-0.04, 0.0, 0.75, 0.36, mix(first, top, 0.35))
    paint.leaf(0.12, -0.06, 1.25, 0.32, mix(first, top, 0.5))


def _arches(paint, top, bottom, first, second):
    for radius, shade in ((0.56, 0.25), (0.47, 0.5), (0.38, 0.0)):
        colour = mix(second, (255, 246, 236), 0.4) if shade == 0.0 else mix(bottom, first, shade)
        paint.disc(0.5, 0.50, radius, colour, np.pi, 2 * np.pi)
        half = radius * paint.size[1] / paint.size[0]
        paint.box(0.5 - half, 0.498, 0.5 + half, 1.0, colour)
    paint.disc(0.13, 0.14, 0.06, second)
    paint.disc(0.89, 0.20, 0.04, mix(first, top, 0.4))


def _city(paint, top, bottom, first, second):
    paint.disc(0.17, 0.17, 0.085, mix(second, (255, 255, 240), 0.45))
    towers = ((0.0, 0.14, 0.42), (0.15, 0.13, 0.60), (0.29, 0.16, 0.36), (0.56, 0.15, 0.48),
              (0.70, 0.12, 0.28), (0.83, 0.17, 0.50))  # fmt: skip
    for index, (left, width, level) in enumerate(towers):
        paint.box(left, level, left + width, 1.0, mix(first, bottom, 0.28 * (index % 2)))
        for row in range(8):
            for column in range(3):
                if (index * 7 + row * 5 + column * 3) % 4 < 2:
                    x, y = left + width * (0.18 + 0.26 * column), level + 0.05 + 0.065 * row
                    paint.box(x, y, x + width * 0.14, y + 0.03, mix(second, first, 0.15))


_BACKDROPS = {
    "sunset": _sunset,
    "window": _window,
    "shelves": _shelves,
    "leaves": _leaves,
    "arches": _arches,
    "city": _city,
}
