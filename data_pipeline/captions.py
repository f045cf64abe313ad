"""Captions and other text laid over the picture, by its strokes."""

from collections.abc import Sequence

import numpy as np


def find_caption(
    greys: Sequence[np.ndarray], faces: Sequence, contrast: float, seconds: float
) -> tuple[float, float, float]:
    """The best candidate for a caption: strokes side by side, unmoved for a second, off the faces.

    A stroke is a rising edge with a falling one close to its right (or the reverse). Text has many
    of both within a third of the width, in each of a few rows; hair and cloth move, bars and
    shelves are taller. On pictures of 128 rows, letters from 4 rows on are found.

    Args:
        greys: uint8 [H, W] each, in order.
        faces: Boxes (x, y, width, height) to leave out.
        contrast: Of a stroke, in levels of 0 to 255.
        seconds: Between two pictures.

    Returns:
        (strokes side by side, their place from the left, from the top), places in 0 to 1; no text
        of any length has fewer than 6 strokes.
    """
    import cv2

    height, width = greys[0].shape
    reach, window = round(0.05 * height), max(1, round(0.3 * width))
    line = np.ones((max(2, round(0.024 * height)), 1), np.uint8)
    tall = np.ones((round(0.16 * height), 1), np.uint8)
    look_right = np.ones((1, reach), np.uint8)

    def strokes(edge, opposite):
        start = edge.copy()
        start[:, 1:] &= 1 - edge[:, :-1]
        start &= cv2.dilate(opposite, look_right, anchor=(0, 0))
        return cv2.boxFilter(
            start.astype(np.float32), -1, (window, 1), None, (-1, -1), False, cv2.BORDER_CONSTANT
        )

    slopes = [cv2.Sobel(grey, cv2.CV_16S, 1, 0, ksize=3) for grey in greys]
    span, best, where = max(2, round(1 / seconds)), 0.0, (0, 0)
    for first in range(0, max(1, len(slopes) - span + 1), span // 2):
        slope = np.stack(slopes[first : first + span])
        # Sobel's weights add up to four levels a level of contrast.
        rising = (slope.min(0) > 4 * contrast).astype(np.uint8)
        falling = (slope.max(0) < -4 * contrast).astype(np.uint8)
        for x, y, w, h in faces:
            rising[y : y + h, x : x + w] = falling[y : y + h, x : x + w] = 0
        both = np.minimum(strokes(rising, falling), strokes(falling, rising))
        lines = cv2.erode(both, line)
        lines[cv2.morphologyEx(lines, cv2.MORPH_OPEN, tall) >= 0.5 * lines] = 0
        if lines.max() > best:
            best, where = lines.max(), np.unravel_index(lines.argmax(), lines.shape)
    return float(best), where[1] / width, where[0] / height
