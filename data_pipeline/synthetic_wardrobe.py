"""What the synthetic subject wears: hair, clothes and glasses, one function each.

Each takes a pen in subject coordinates (frame heights; see `synthetic_drawing`) and draws over what
is there already. Hair comes in two parts, behind the head and in front of it.
"""

import numpy as np

from data_pipeline.synthetic_shapes import ARCH, INK, ROUND, UNIT, band, circle, curve, ellipse, mix

_OUTER_RIM, _INNER_RIM = (0.090, 0.078), (0.078, 0.066)


def draw_glasses(pen, episode):
    frame = mix(INK, episode.clothes, 0.15)
    for side in (-1, 1):
        rims = [circle(49) * radii + [side * 0.115, 0.45] for radii in (_OUTER_RIM, _INNER_RIM)]
        pen.fill(np.concatenate([rims[0], rims[0][:1], rims[1][::-1], rims[1][-1:]]), frame)
        pen.fill(np.array([(0.20, 0.435), (0.262, 0.425), (0.262, 0.44), (0.20, 0.45)])
                 * [side, 1.0], frame)  # fmt: skip
    bridge = 0.444 - 0.008 * ARCH
    pen.fill(band(0.028 * UNIT, bridge - 0.006, bridge + 0.006), frame)


def _shirt(pen, clothes, dark, trim):
    for side in (-1, 1):
        collar = np.array([(0.112, 0.835), (0.135, 0.885), (0.085, 0.985), (0.0, 0.945)])
        pen.fill(collar * [side, 1.0], mix(clothes, (255, 255, 255), 0.28))
    pen.fill(np.array([(-0.006, 0.95), (0.006, 0.95), (0.006, 1.3), (-0.006, 1.3)]), dark)
    for y in (0.985, 1.06):
        pen.fill(ellipse(0.022, y, 0.008, 0.008), trim)


def _sweater(pen, clothes, dark, trim):
    neckline = 0.868 + 0.065 * ROUND
    edge = 0.006 + 0.016 * ROUND
    pen.fill(band(0.120 * UNIT, neckline - edge, neckline + edge), mix(clothes, trim, 0.6))
    x = 0.6 * UNIT
    for y in (0.955, 0.990):
        pen.fill(band(x, y + 0.05 * UNIT**2, y + 0.016 + 0.05 * UNIT**2), trim)


def _jacket(pen, clothes, dark, trim):
    tie = mix(dark, (196, 60, 70), 0.75)
    pen.fill(np.array([(-0.022, 0.945), (0.022, 0.945), (0.030, 1.2), (-0.030, 1.2)]), tie)
    for side in (-1, 1):
        collar = np.array([(0.112, 0.84), (0.128, 0.875), (0.062, 0.975), (0.0, 0.945)])
        pen.fill(collar * [side, 1.0], mix(trim, dark, 0.08))
        lapel = np.array([(0.128, 0.862), (0.205, 0.915), (0.15, 0.975), (0.16, 0.995),
                          (0.03, 1.25), (0.02, 1.10), (0.085, 0.955)])  # fmt: skip
        pen.fill(lapel * [side, 1.0], dark)


def _hoodie(pen, clothes, dark, trim):
    neckline = 0.870 + 0.075 * ROUND
    pen.fill(band(0.150 * UNIT, neckline - 0.014, neckline + 0.034), dark)
    for side in (-1, 1):
        cord = np.array([(0.050, 0.955), (0.060, 0.950), (0.064, 1.09), (0.052, 1.09)])
        pen.fill(cord * [side, 1.0], trim)


CLOTHES = {"shirt": _shirt, "sweater": _sweater, "jacket": _jacket, "hoodie": _hoodie}


def _no_hair(pen, colour):
    pass


def _back_bob(pen, colour):
    pen.fill(curve((0.0, 0.055), (0.25, 0.16), (0.325, 0.42), (0.325, 0.68), (0.27, 0.80),
                    (0.0, 0.78), (-0.27, 0.80), (-0.325, 0.68), (-0.325, 0.42), (-0.25, 0.16)),
             mix(colour, (0, 0, 0), 0.18))  # fmt: skip


def _back_curls(pen, colour):
    for degrees in range(-205, 30, 23):
        x, y = 0.265 * np.cos(np.radians(degrees)), 0.40 + 0.28 * np.sin(np.radians(degrees))
        pen.fill(ellipse(x, y, 0.082, 0.082), mix(colour, (0, 0, 0), 0.16))


def _back_bun(pen, colour):
    pen.fill(ellipse(0.0, 0.085, 0.105, 0.085), mix(colour, (0, 0, 0), 0.18))


def _cap(*fringe):
    """Hair over the skull, from ear to ear, with the given hairline from right to left."""
    return curve((-0.272, 0.43), (-0.285, 0.30), (-0.215, 0.145), (0.0, 0.075), (0.215, 0.145),
                  (0.285, 0.30), (0.272, 0.43), *fringe)  # fmt: skip


def _front_quiff(pen, colour):
    pen.fill(_cap((0.235, 0.33), (0.16, 0.275), (0.0, 0.262), (-0.13, 0.225), (-0.235, 0.33)),
             colour)  # fmt: skip
    wave = curve((-0.225, 0.20), (-0.16, 0.075), (0.0, 0.028), (0.19, 0.065), (0.262, 0.20),
                  (0.16, 0.235), (0.0, 0.215))  # fmt: skip
    pen.fill(wave, mix(colour, (255, 200, 150), 0.10))


def _front_bob(pen, colour):
    pen.fill(_cap((0.245, 0.44), (0.225, 0.33), (0.10, 0.235), (-0.07, 0.285), (-0.225, 0.34),
                  (-0.245, 0.44)), colour)  # fmt: skip
    for side in (-1, 1):
        lock = curve((0.262, 0.30), (0.318, 0.46), (0.322, 0.66), (0.285, 0.775), (0.242, 0.70),
                      (0.246, 0.50))  # fmt: skip
        pen.fill(lock * [side, 1.0], colour)


def _front_curls(pen, colour):
    for x, y, size in ((-0.245, 0.28, 0.07), (-0.19, 0.19, 0.085), (-0.09, 0.135, 0.09),
                       (0.03, 0.115, 0.092), (0.14, 0.15, 0.088), (0.215, 0.22, 0.078),
                       (0.262, 0.31, 0.055), (-0.10, 0.215, 0.062), (0.06, 0.20, 0.066),
                       (0.15, 0.225, 0.05)):  # fmt: skip
        pen.fill(ellipse(x, y, size, size), colour)
    for x, y, size in ((-0.17, 0.165, 0.034), (0.02, 0.10, 0.038), (0.17, 0.17, 0.032)):
        pen.fill(ellipse(x, y, size, size), mix(colour, (255, 210, 150), 0.22))


def _front_bun(pen, colour):
    pen.fill(_cap((0.245, 0.36), (0.19, 0.255), (0.06, 0.20), (0.0, 0.19), (-0.06, 0.20),
                  (-0.19, 0.255), (-0.245, 0.36)), colour)  # fmt: skip
    pen.fill(curve((-0.11, 0.150), (-0.01, 0.112), (0.13, 0.140), (0.0, 0.136)),
             mix(colour, (255, 240, 210), 0.35))  # fmt: skip


def _front_crop(pen, colour):
    pen.fill(_cap((0.25, 0.36), (0.20, 0.25), (0.10, 0.225), (-0.10, 0.225), (-0.20, 0.25),
                  (-0.25, 0.36)), colour)  # fmt: skip


BACK_HAIR = {
    "quiff": _no_hair,
    "crop": _no_hair,
    "bob": _back_bob,
    "curls": _back_curls,
    "bun": _back_bun,
}
FRONT_HAIR = {
    "quiff": _front_quiff,
    "bob": _front_bob,
    "curls": _front_curls,
    "bun": _front_bun,
    "crop": _front_crop,
}
