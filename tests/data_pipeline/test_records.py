"""The bytes that TensorFlow itself would write."""

import numpy as np
import tensorflow as tf

from data_pipeline.records import example, framed

FLOATS = np.random.default_rng(0).normal(size=(300, 80)).astype(np.float32)
FEATURES = {
    "zoo": [b"", b"x" * 200, b"\0\xff"],
    "é": ["größer".encode()],
    "ints": [0, 1, 127, 128, 300, 2**40, -1, -(2**63), 2**63 - 1],
    "floats": FLOATS,
    "one": np.float32([25.0]),
    "no floats": np.zeros((0, 80), np.float32),
    "no frames": (),
}


def as_tensorflow(values):
    if isinstance(values, np.ndarray):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values.ravel().tolist()))
    if values and isinstance(values[0], int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def test_an_example_is_tensorflows():
    feature = {name: as_tensorflow(values) for name, values in FEATURES.items()}
    expected = tf.train.Example(features=tf.train.Features(feature=feature))
    found = example(FEATURES)
    assert tf.train.Example.FromString(found) == expected
    assert found == expected.SerializeToString(deterministic=True)


def test_arrays_in_any_layout_are_stored_in_their_order():
    turned = np.ascontiguousarray(FLOATS.T).T
    assert example({"x": turned}) == example({"x": FLOATS})
    assert example({"x": FLOATS.astype(">f4")}) == example({"x": FLOATS})


def test_a_file_of_records_is_tensorflows(tmp_path):
    records = [b"", b"a", bytes(range(256)) * 99]
    with tf.io.TFRecordWriter(str(tmp_path / "expected")) as writer:
        for record in records:
            writer.write(record)
    expected = (tmp_path / "expected").read_bytes()
    assert b"".join(map(framed, records)) == expected
