"""Idx files of made-up digits: a bar a class, at a height of its own."""

import gzip
import struct

import numpy as np


def idx_bytes(array):
    """uint8 array -> the bytes of its idx file."""
    return (
        bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + bytes(array)
    )


def bars(count, seed=0):
    """(uint8 [count, 28, 28], labels uint8 [count]): a class is a place, its rest is chance."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.uint8) % 10
    images = np.zeros((count, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        left = rng.integers(2, 8)
        image[2 * label + 2 : 2 * label + 7, left : left + 16] = rng.integers(150, 256)
    return images, labels


def write_digits(folder, train=120, test=40, zipped=("t10k-images-idx3-ubyte",)):
    """Writes the four files, those in `zipped` with gzip."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", train), ("t10k", test)):
        images, labels = bars(count, seed=count)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            name, content = f"{part}-{name}-ubyte", idx_bytes(array)
            if name in zipped:
                name, content = f"{name}.gz", gzip.compress(content)
            (folder / name).write_bytes(content)
    return folder
