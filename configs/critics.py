"""Layers of dVAE-Adv's critics: three critics, (filters, kernel, stride, groups) a layer."""


def paper_critics():
    """Table 4b: one spatio-temporal and two spatial critics."""
    return (
        (
            (32, (1, 4, 4), (1, 1, 1), 1),
            (64, (2, 4, 4), (1, 4, 4), 1),
            (512, (2, 4, 4), (1, 4, 4), 1),
            (512, (4, 2, 2), (1, 1, 1), 1),
        ),
        (
            (32, (2, 2), (1, 1), 1),
            (128, (4, 4), (2, 2), 16),
            (512, (4, 4), (2, 2), 64),
            (512, (4, 4), (2, 2), 64),
            (512, (2, 2), (1, 1), 1),
        ),
        (
            (32, (4, 4), (1, 1), 1),
            (128, (8, 8), (4, 4), 16),
            (512, (4, 4), (2, 2), 64),
            (1024, (4, 4), (2, 2), 256),
            (1024, (4, 4), (2, 2), 256),
            (1024, (2, 2), (1, 1), 1),
        ),
    )


def narrow_critics(base):
    """Table 4b's kernels and strides, ungrouped, with widths from `base` up: for small frames."""
    return (
        (
            (base, (1, 4, 4), (1, 1, 1), 1),
            (2 * base, (2, 4, 4), (1, 4, 4), 1),
            (8 * base, (2, 4, 4), (1, 4, 4), 1),
            (8 * base, (4, 2, 2), (1, 1, 1), 1),
        ),
        (
            (base, (2, 2), (1, 1), 1),
            (2 * base, (4, 4), (2, 2), 1),
            (4 * base, (4, 4), (2, 2), 1),
            (8 * base, (4, 4), (2, 2), 1),
            (8 * base, (2, 2), (1, 1), 1),
        ),
        (
            (base, (4, 4), (1, 1), 1),
            (2 * base, (8, 8), (4, 4), 1),
            (4 * base, (4, 4), (2, 2), 1),
            (8 * base, (4, 4), (2, 2), 1),
            (8 * base, (2, 2), (1, 1), 1),
        ),
    )


def shallow_critics(base, widest):
    """The first three layers of each of Table 4b's critics, ungrouped, from `base` to
    `widest` * `base` wide: fewer and earlier feature maps, which short trainings match sooner."""
    return (
        (
            (base, (1, 4, 4), (1, 1, 1), 1),
            (2 * base, (2, 4, 4), (1, 4, 4), 1),
            (widest * base, (2, 4, 4), (1, 4, 4), 1),
        ),
        (
            (base, (2, 2), (1, 1), 1),
            (2 * base, (4, 4), (2, 2), 1),
            (widest * base, (4, 4), (2, 2), 1),
        ),
        (
            (base, (4, 4), (1, 1), 1),
            (2 * base, (8, 8), (4, 4), 1),
            (widest * base, (4, 4), (2, 2), 1),
        ),
    )
