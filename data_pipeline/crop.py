"""Crop boxes (Appendix D, step 3)."""

from collections.abc import Sequence


def crop_box(crop: Sequence[int], height: int, width: int) -> tuple[int, int, int, int]:
    """Resolves a crop for a picture size.

    Args:
        crop: (top, bottom, left, right) in source pixels, bottom and right exclusive; 0 as bottom
            or right means to the edge.
        height: Of the source picture, in pixels.
        width: Of the source picture, in pixels.

    Returns:
        (top, bottom, left, right), all explicit.

    Raises:
        ValueError: The box is empty or reaches out of the picture.
    """
    if len(crop) != 4:
        raise ValueError(f"crop must be (top, bottom, left, right). Received: {tuple(crop)}")
    top, bottom, left, right = crop
    bottom, right = bottom or height, right or width
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise ValueError(
            f"crop (top {top}, bottom {bottom}, left {left}, right {right}) does not fit in a "
            f"picture of {height} rows and {width} columns"
        )
    return top, bottom, left, right
