"""The contact sheet of `nwt demo`: rows of frames over the sound, on one time axis."""

import os
from typing import NamedTuple

import numpy as np

from nwt_tf.files import whole

COLUMNS = 12
ENLARGEMENT = 4  # of small frames in an mp4
SECONDS = 3.0  # what a sheet shows of each clip
_WIDTH = 12.0  # inches, at 100 pixels an inch
_INK, _TRUE, _MADE = "#33303c", "#8a8794", "#d2364b"


class Panel(NamedTuple):
    """One clip of the sheet.

    title: above its rows.
    videos: {row's label: uint8 [T, H, W, 3]}, all of one length.
    mel: float [M, 80], log-mel over the same time.
    curves: {label: float [T]}, two series of about 0 to 1, as mouth openings; the first, the truth
        of the demo, chooses the part that is shown.
    fps: frames a second.
    curves_label: what they are.
    """

    title: str
    videos: dict
    mel: np.ndarray
    curves: dict
    fps: float
    curves_label: str = "mouth\nopening"


def liveliest(opening: np.ndarray, length: int) -> int:
    """First frame of the window of `length` frames in which the mouth moves most.

    Args:
        opening: float [T].
        length: frames; a T below it gives 0.
    """
    starts = range(max(1, len(opening) - length + 1))
    return max(starts, key=lambda start: np.abs(np.diff(opening[start : start + length])).sum())


def resized(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 [H, W, 3] -> uint8 [height, width, 3], larger and smooth."""
    import cv2

    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC)


def enlarged(frame: np.ndarray, times: int = ENLARGEMENT) -> np.ndarray:
    """uint8 [H, W, 3] -> uint8 [H * times, W * times, 3], smooth: small frames for a screen."""
    return resized(frame, *(times * size for size in frame.shape[:2]))


def strip(video: np.ndarray, columns: int = COLUMNS, gap: float = 0.04) -> np.ndarray:
    """Frames side by side, each from the middle of its share of the time.

    Args:
        video: uint8 [T, H, W, 3].
        columns: how many.
        gap: white between frames, as a part of their width.

    Returns:
        uint8 [3 H, columns * (3 W + gaps), 3], enlarged three times so that edges stay smooth.
    """
    middles = ((np.arange(columns) + 0.5) / columns * len(video)).astype(int)
    width = video.shape[2]
    side = round(gap * 3 * width / 2)
    frames = [enlarged(video[t], 3) for t in middles]
    padding = ((0, 0), (side, side), (0, 0))
    return np.concatenate([np.pad(f, padding, constant_values=255) for f in frames], axis=1)


def draw(path: str | os.PathLike, panels: list[Panel]) -> None:
    """Draws the sheet as PNG, whole or not at all.

    Args:
        path: file to write.
        panels: one or more, each with the same number of rows; of each the liveliest SECONDS.

    Raises:
        OSError: if the file cannot be written.
    """
    from matplotlib.figure import Figure

    rows = len(panels[0].videos)
    shape = strip(next(iter(panels[0].videos.values()))).shape
    row_height = 0.9 * _WIDTH * shape[0] / shape[1]
    heights = [0.42, *[row_height] * rows, 0.95, 0.8]  # inches: title, films, mel, curves
    figure = Figure(figsize=(_WIDTH, len(panels) * sum(heights) + 0.55), facecolor="white")
    grid = figure.add_gridspec(
        len(heights) * len(panels),
        1,
        height_ratios=heights * len(panels),
        left=0.095,
        right=0.995,
        top=0.995,
        bottom=0.5 / figure.get_figheight(),
        hspace=0.06,
    )
    for number, panel in enumerate(panels):
        first = number * len(heights)
        axes = [figure.add_subplot(grid[first + row]) for row in range(len(heights))]
        _draw_panel(axes, panel)
    axes[-1].tick_params(bottom=True, labelbottom=True)
    axes[-1].set_xlabel("seconds", color=_INK)
    save(figure, path)


def save(figure, path):
    """Writes a matplotlib figure as PNG, whole or not at all."""
    with whole(path) as beside:
        figure.savefig(beside, format="png", dpi=100)


def _draw_panel(axes, panel):
    title, *films, sound, curves = axes
    count = round(SECONDS * panel.fps)
    start = liveliest(next(iter(panel.curves.values())), count)
    shown = slice(start, start + count)
    total = len(next(iter(panel.videos.values())))
    times = np.arange(total)[shown] / panel.fps
    begin, end = times[0], times[-1] + 1 / panel.fps
    title.axis("off")
    # In the axes' own units: its limits become the seconds that are shown.
    place = {"transform": title.transAxes}
    title.text(0, 0.3, panel.title, fontsize=12, weight="bold", color=_INK, **place)
    for axis, (label, video) in zip(films, panel.videos.items(), strict=True):
        axis.imshow(strip(video[shown]), aspect="auto", extent=(begin, end, 0, 1))
        _name(axis, label)
    per_frame = len(panel.mel) / total
    mel = panel.mel[round(start * per_frame) : round((start + len(times)) * per_frame)]
    sound.imshow(mel.T, aspect="auto", origin="lower", cmap="magma", extent=(begin, end, 0, 1))
    _name(sound, "the sound\n(mel)")
    for (label, curve), colour in zip(panel.curves.items(), (_TRUE, _MADE), strict=True):
        curves.plot(times + 0.5 / panel.fps, curve[shown], color=colour, lw=2, label=label)
    curves.set_ylim(-0.15, 1.25)
    curves.legend(loc="upper right", ncols=2, fontsize=8, frameon=False, borderaxespad=0.1)
    _name(curves, panel.curves_label)
    for axis in axes:
        axis.set_xlim(begin, end)


def _name(axis, label):
    axis.set_yticks([])
    axis.tick_params(bottom=False, labelbottom=False, colors=_INK)
    axis.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10, color=_INK)
    for spine in axis.spines.values():
        spine.set_visible(False)
