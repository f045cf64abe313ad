import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from data_pipeline import schema

RNG = np.random.default_rng(0)


def a_clip(num_frames=3, codes=True, frames=True, encoding="png"):
    pictures = RNG.integers(0, 256, (num_frames, 8, 6, 3)).astype(np.uint8)
    encoded = tuple(schema.encode_frame(picture, encoding) for picture in pictures)
    clip = schema.Clip(
        clip_id="späte/ä_0001",
        episode="späte",
        fps=25.0,
        height=8,
        width=6,
        num_frames=num_frames,
        frames=encoded if frames else (),
        mel=RNG.normal(size=(13, 80)).astype(np.float32),
        codes=RNG.integers(0, 256, (num_frames, 2, 3, 4)).astype(np.uint8) if codes else None,
    )
    return clip, pictures


@pytest.mark.parametrize("codes", [True, False])
@pytest.mark.parametrize("frames", [True, False])
def test_round_trip_in_python_and_in_a_graph(codes, frames):
    clip, pictures = a_clip(codes=codes, frames=frames)
    serialized = schema.serialize(clip)
    read = dataclasses.asdict(schema.deserialize(serialized))
    for name, value in dataclasses.asdict(clip).items():
        np.testing.assert_array_equal(read[name], value)
    record = tf.function(schema.parse)(tf.constant(serialized))
    assert record["clip_id"].numpy().decode() == clip.clip_id
    assert int(record["num_frames"]) == 3 and float(record["fps"]) == 25.0
    np.testing.assert_array_equal(record["mel"], clip.mel)
    if codes:
        np.testing.assert_array_equal(record["codes"], clip.codes)
    else:
        assert tf.size(record["codes"]) == 0
    assert len(record["frames"]) == (3 if frames else 0)
    for encoded, picture in zip(record["frames"], pictures, strict=False):
        np.testing.assert_array_equal(schema.decode_frame(encoded), picture)  # PNG is lossless


def test_jpeg_keeps_colours_at_pixel_borders():
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[:, ::2] = [220, 40, 40]
    picture[:, 1::2] = [40, 40, 220]  # chroma that changes at every pixel
    read = schema.decode_frame(schema.encode_frame(picture, "jpeg", 95)).numpy()
    assert np.abs(read.astype(int) - picture).mean() < 6
    worse = schema.decode_frame(schema.encode_frame(picture, "jpeg", 30)).numpy()
    assert np.abs(worse.astype(int) - picture).mean() > np.abs(read.astype(int) - picture).mean()
    with pytest.raises(ValueError, match="jpeg, png or raw. Received: bmp"):
        schema.encode_frame(picture, "bmp")


def test_raw_frames_are_not_compressed_and_exact():
    picture = np.tile(np.arange(96, dtype=np.uint8), (40, 1))[..., None].repeat(3, axis=-1)
    raw = schema.encode_frame(picture, "raw")
    np.testing.assert_array_equal(schema.decode_frame(raw), picture)
    assert picture.nbytes < len(raw) < 1.1 * picture.nbytes
    assert len(schema.encode_frame(picture, "png")) < picture.nbytes / 4


def test_a_record_of_another_version_is_named(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(schema, "SCHEMA_VERSION", 99)
        serialized = schema.serialize(a_clip()[0])
    with pytest.raises(schema.SchemaVersionError, match="version 99, this program reads 1"):
        schema.deserialize(serialized)
    with pytest.raises(tf.errors.InvalidArgumentError, match="SchemaVersionError"):
        tf.function(schema.parse)(tf.constant(serialized))


def test_parts_that_disagree_are_refused():
    clip, _ = a_clip()
    for change, message in [
        ({"num_frames": 4}, "3 frames, not 4"),
        ({"frames": (), "num_frames": 4}, "codes of 3 frames, not 4"),
        ({"codes": np.zeros((3, 1, 1, 1), np.int32)}, "codes must be uint8"),
        ({"mel": np.zeros((5, 79), np.float32)}, "mel must be"),
    ]:
        with pytest.raises(ValueError, match=message):
            schema.serialize(dataclasses.replace(clip, **change))
