"""Faces in a picture, by the cascades that OpenCV's wheel carries."""

import functools
import threading

import numpy as np


@functools.cache
def _cascade(name: str, thread: int):
    """A face detector of OpenCV's wheel; one holds its last picture, so each thread has its own."""
    import cv2

    return cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_{name}.xml")


def find_faces(grey: np.ndarray, smallest: float) -> list[tuple[int, int, int, int]]:
    """Boxes (x, y, width, height) of faces: frontal ones, and if there are none, closer looks.

    Viola and Jones's detector with Lienhart's trees finds faces within some 15 degrees of upright.
    The closer looks are for faces without sharp features, as drawn ones are (in a smaller picture),
    for profiles to either side, and for faces of half the size.

    Args:
        grey: uint8 [H, W]; H of 128 is enough for a face of a sixth of it.
        smallest: Height of the smallest face, as a share of H; at least 20 pixels are needed.
    """
    import cv2

    def find(name, picture, size):
        detector = _cascade(name, threading.get_ident())
        step = 1.15 if len(picture) >= len(grey) else 1.05
        least = max(20, round(size * picture.shape[0]))
        boxes = detector.detectMultiScale(picture, step, 4, minSize=(least, least))
        return [tuple(map(int, box)) for box in boxes]

    boxes = find("frontalface_alt2", grey, smallest)
    if boxes:
        return boxes
    half = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    boxes = find("frontalface_alt2", half, smallest)
    if boxes:
        return [tuple(value * 2 for value in box) for box in boxes]
    boxes = find("profileface", grey, smallest)
    if boxes:
        return boxes
    width = grey.shape[1]
    boxes = find("profileface", np.ascontiguousarray(grey[:, ::-1]), smallest)
    if boxes:
        return [(width - x - w, y, w, h) for x, y, w, h in boxes]
    twice = cv2.resize(grey, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    boxes = find("frontalface_default", twice, smallest / 2)
    return [tuple(value // 2 for value in box) for box in boxes]
