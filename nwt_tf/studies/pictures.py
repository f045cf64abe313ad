"""Pictures of the studies, PNG, whole or not at all."""

import contextlib
from pathlib import Path

import numpy as np

from nwt_tf.files import whole

_INK = "#33303c"


def mosaic(images, gap=2):
    """Pictures in rows and columns as one.

    Args:
        images: uint8 [rows, columns, H, W, C], C 1 or 3.
        gap: pixels between them, white.

    Returns:
        uint8 [rows * (H + gap) - gap, columns * (W + gap) - gap, C].
    """
    rows, columns, height, width, channels = images.shape
    shape = (rows * (height + gap), columns * (width + gap), channels)
    sheet = np.full(shape, 255, np.uint8)
    for row in range(rows):
        for column in range(columns):
            top, left = row * (height + gap), column * (width + gap)
            sheet[top : top + height, left : left + width] = images[row, column]
    return sheet[: shape[0] - gap, : shape[1] - gap]


def write(path, image):
    """Writes uint8 [H, W, C], C 1 or 3, as PNG."""
    from PIL import Image

    with _picture(path) as beside:
        Image.fromarray(image.squeeze()).save(beside, format="png")


def draw_occupancy(path, counts):
    """Figure 2b: a square for each cell in use, of its commonest digit's colour.

    Args:
        counts: int [codes, codes, 10], see retrieval.occupancy.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    used = counts.sum(axis=-1)
    colours = np.array(colormaps["tab10"].colors)
    # Cells of several digits are paler: the mixture of their digits' colours.
    shares = counts / np.maximum(used, 1)[..., None]
    picture = np.where(used[..., None] > 0, shares @ colours, 1.0)
    figure = Figure(figsize=(6.4, 5.6), facecolor="white", layout="constrained")
    axis = figure.add_subplot()
    axis.imshow(picture.transpose(1, 0, 2), origin="lower", interpolation="nearest")
    axis.set_xlabel("code of head 1", color=_INK)
    axis.set_ylabel("code of head 2", color=_INK)
    axis.set_title(f"{np.mean(used > 0):.1%} of {used.size} cells in use", color=_INK)
    patches = [Patch(color=colour, label=str(digit)) for digit, colour in enumerate(colours)]
    figure.legend(handles=patches, loc="outside right center", frameon=False)
    _save_figure(path, figure)


def draw_heads(path, images, reconstructions, changed):
    """Figure 3a: each digit with one head set to each of its codes, a block a head.

    Args:
        images, reconstructions: uint8 [digits, H, W, 1].
        changed: a list (heads) of uint8 [digits, codes, H, W, 1].
    """
    from matplotlib.figure import Figure

    columns = [np.stack([images, reconstructions], axis=1), *changed]
    widths = [block.shape[1] for block in columns]
    figure = Figure(
        figsize=(0.27 * sum(widths) + 0.4, 0.27 * len(images) + 0.5),
        facecolor="white",
        layout="constrained",
    )
    axes = figure.subplots(1, len(columns), width_ratios=widths)
    titles = ["in, out", *[f"head {head} changed" for head in range(1, len(changed) + 1)]]
    for axis, block, title in zip(axes, columns, titles, strict=True):
        axis.imshow(mosaic(255 - block), cmap="gray", vmin=0, vmax=255)
        axis.set_title(title, fontsize=9, color=_INK)
        axis.axis("off")
    _save_figure(path, figure)


def draw_neighbours(path, queries, neighbours, distances):
    """Figure 4: each query and its nearest training images, with their Hamming distances.

    Args:
        queries: uint8 [Q, H, W, 1].
        neighbours: uint8 [Q, K, H, W, 1].
        distances: float [Q, K], ascending.
    """
    from matplotlib.figure import Figure

    count = neighbours.shape[1]
    figure = Figure(
        figsize=(0.36 * (count + 1.6), 0.36 * len(queries) + 0.4),
        facecolor="white",
        layout="constrained",
    )
    left, right = figure.subplots(1, 2, width_ratios=[1, count])
    left.imshow(mosaic(255 - queries[:, None]), cmap="gray", vmin=0, vmax=255)
    left.set_title("query", fontsize=8, color=_INK)
    right.imshow(mosaic(255 - neighbours), cmap="gray", vmin=0, vmax=255)
    spread = f"{distances.min():.2f} to {distances.max():.2f}"
    right.set_title(f"nearest, at distances of {spread}", fontsize=8, color=_INK)
    for axis in (left, right):
        axis.axis("off")
    _save_figure(path, figure)


def draw_curves(path, curves, title):
    """Lines over steps, a colour a group: {group: [(steps, values), ...]}."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.0), facecolor="white", layout="constrained")
    axis = figure.add_subplot()
    for number, (group, lines) in enumerate(curves.items()):
        for first, (steps, values) in enumerate(lines):
            axis.plot(
                steps,
                values,
                color=colormaps["tab10"](number),
                label=None if first else group,
                lw=1.2,
                alpha=0.8,
            )
    axis.set_xlabel("step", color=_INK)
    axis.set_ylabel(title, color=_INK)
    axis.legend(frameon=False, fontsize=8)
    _save_figure(path, figure)


def _save_figure(path, figure):
    with _picture(path) as beside:
        figure.savefig(beside, format="png", dpi=100)


@contextlib.contextmanager
def _picture(path):
    """`files.whole`, in a folder that is made if it is missing; says what was written."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as beside:
        yield beside
    print(f"wrote {path}", flush=True)
