"""Masks overlays such as inserted pictures and lower thirds (Appendix D, step 6)."""

import numpy as np


def mask_overlays(
    picture: np.ndarray,
    *,
    threshold: int = 185,
    min_area: int = 4000,
    max_area: int = 100_000,
    min_height: int = 80,
    left: int = 20,
    top: int = 550,
) -> np.ndarray:
    """Paints a white rectangle over every bright region that looks like an overlay.

    The picture is made gray and binarised; the bounding rectangle of each contour is painted where
    its area is greater than min_area and smaller than max_area, its height greater than min_height,
    and its top left corner within `left` pixels of the left edge or more than `top` pixels from the
    top.  The paper does not tell how contours are found: cv2.RETR_TREE (all of them, those within
    others too) and cv2.CHAIN_APPROX_SIMPLE are our choice.

    The numbers are pixels of the paper's cropped footage, 712 rows by 623 columns.

    Args:
        picture: uint8 [height, width, 3], RGB, cropped and not yet resized.

    Returns:
        The picture, painted in place where it has overlays.
    """
    import cv2

    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    binarized = cv2.threshold(gray, threshold, 255, cv2.THRESH_BINARY)[1]
    contours, _ = cv2.findContours(binarized, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    for x, y, w, h in map(cv2.boundingRect, contours):
        at_edge = x <= left or y > top
        if min_area < w * h < max_area and h > min_height and at_edge:
            cv2.rectangle(picture, (x, y), (x + w - 1, y + h - 1), (255, 255, 255), cv2.FILLED)
    return picture
