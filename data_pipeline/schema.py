"""The record of a clip in a TFRecord shard: one tf.train.Example, defined here and nowhere else.

TensorFlow is imported where it is used, to read: a build writes without it.
"""

import dataclasses

import numpy as np

from data_pipeline.mel import NUM_MELS
from data_pipeline.records import example
from data_pipeline.resample import Planes

SCHEMA_VERSION = 1
ENCODINGS = ("jpeg", "png", "raw")  # of frames
MAX_CODES = 256  # of a head: each is stored in a byte


class SchemaVersionError(ValueError):
    """A record or a dataset was written by a version with another layout."""


@dataclasses.dataclass(frozen=True)
class Clip:
    """A clip as it is stored."""

    clip_id: str  # unique in a dataset
    episode: str  # episode's name
    fps: float  # frames a second
    height: int  # of the frames, in pixels
    width: int
    num_frames: int
    frames: tuple[bytes, ...]  # JPEG or PNG, one a frame; () in a dataset of codes alone
    mel: np.ndarray  # float32 [mel frames, 80], log mel of the clip's sound, 120 a second
    codes: np.ndarray | None = None  # uint8 [num_frames, grid height, grid width, heads]


def encode_frame(picture: np.ndarray | Planes, encoding: str, jpeg_quality: int = 95) -> bytes:
    """Encodes uint8 [height, width, 3] RGB by one of ENCODINGS: "jpeg" (chroma kept whole), "png"
    (lossless) or "raw" (as it is, in the PNG container).

    Planes, too, can be encoded as JPEG, which is made of them.
    """
    if encoding not in ENCODINGS:
        raise ValueError(f"frame_encoding must be jpeg, png or raw. Received: {encoding}")
    if encoding == "jpeg":
        import simplejpeg

        if isinstance(picture, Planes):
            return simplejpeg.encode_jpeg_yuv_planes(*picture, jpeg_quality, fastdct=False)
        picture = np.ascontiguousarray(picture)
        return simplejpeg.encode_jpeg(picture, jpeg_quality, "RGB", "444", fastdct=False)
    import cv2

    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    level = {"png": 3, "raw": 0}[encoding]
    return cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, level])[1].tobytes()


def decode_frame(encoded):
    """Decodes a scalar string tensor, JPEG or PNG, to uint8 [height, width, 3] RGB."""
    import tensorflow as tf

    # decode_jpeg reads PNG as well; the accurate transform is a level closer than the fast one.
    return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")


def serialize(clip: Clip) -> bytes:
    """The clip as a serialised tf.train.Example.

    Raises:
        ValueError: Frames, codes and num_frames do not agree.
    """
    _check(clip)
    codes = np.zeros((0, 0, 0, 0), np.uint8) if clip.codes is None else clip.codes
    return example(
        {
            "schema_version": [SCHEMA_VERSION],
            "clip_id": [clip.clip_id.encode()],
            "episode": [clip.episode.encode()],
            "fps": np.float32([clip.fps]),
            "height": [clip.height],
            "width": [clip.width],
            "num_frames": [clip.num_frames],
            "frames": clip.frames,
            "mel": np.asarray(clip.mel, np.float32),
            "codes": [codes.tobytes()],
            "codes_shape": codes.shape,
        }
    )


def _check(clip: Clip) -> None:
    if clip.frames and len(clip.frames) != clip.num_frames:
        raise ValueError(f"{clip.clip_id}: {len(clip.frames)} frames, not {clip.num_frames}")
    if clip.mel.ndim != 2 or clip.mel.shape[1] != NUM_MELS or not len(clip.mel):
        raise ValueError(f"{clip.clip_id}: mel must be [mel frames, 80], not {clip.mel.shape}")
    if clip.codes is not None:
        if clip.codes.dtype != np.uint8 or clip.codes.ndim != 4:
            raise ValueError(f"{clip.clip_id}: codes must be uint8 [T, h, w, heads]")
        if len(clip.codes) != clip.num_frames:
            raise ValueError(
                f"{clip.clip_id}: codes of {len(clip.codes)} frames, not {clip.num_frames}"
            )


def parse(serialized) -> dict:
    """Reads a record within a graph.

    Args:
        serialized: Scalar string tensor.

    Returns:
        Tensors by name: clip_id, episode string []; fps float32 []; height, width, num_frames
        int64 []; frames string [num_frames] or [0]; mel float32 [mel frames, 80]; codes uint8
        [num_frames, grid height, grid width, heads] or [0, 0, 0, 0].

    Raises:
        tf.errors.InvalidArgumentError: A record of another schema version.
    """
    import tensorflow as tf

    def one(dtype):
        return tf.io.FixedLenFeature([], dtype)

    def many(dtype):
        return tf.io.FixedLenSequenceFeature([], dtype, allow_missing=True)

    record = tf.io.parse_single_example(
        serialized,
        {
            "schema_version": tf.io.FixedLenFeature([], tf.int64, default_value=0),
            "clip_id": one(tf.string),
            "episode": one(tf.string),
            "fps": one(tf.float32),
            "height": one(tf.int64),
            "width": one(tf.int64),
            "num_frames": one(tf.int64),
            "frames": many(tf.string),
            "mel": many(tf.float32),
            "codes": one(tf.string),
            "codes_shape": tf.io.FixedLenFeature([4], tf.int64),
        },
    )
    version = tf.debugging.assert_equal(
        record.pop("schema_version"),
        np.int64(SCHEMA_VERSION),
        "SchemaVersionError: a record of another schema version; build the dataset again",
    )
    with tf.control_dependencies([version] if version is not None else []):
        record["mel"] = tf.reshape(record["mel"], [-1, NUM_MELS])
        codes = tf.io.decode_raw(record["codes"], tf.uint8)
        record["codes"] = tf.reshape(codes, record.pop("codes_shape"))
    return record


def deserialize(serialized: bytes) -> Clip:
    """Reads a record in Python.

    Raises:
        SchemaVersionError: A record of another schema version.
    """
    import tensorflow as tf

    feature = tf.train.Example.FromString(serialized).features.feature
    version = list(feature["schema_version"].int64_list.value)
    if version != [SCHEMA_VERSION]:
        raise SchemaVersionError(
            f"a record of schema version {(version or ['unknown'])[0]}, this program reads "
            f"{SCHEMA_VERSION}; build the dataset again"
        )

    def number(name):
        return feature[name].int64_list.value[0]

    shape = tuple(feature["codes_shape"].int64_list.value)
    codes = np.frombuffer(feature["codes"].bytes_list.value[0], np.uint8).reshape(shape)
    return Clip(
        clip_id=feature["clip_id"].bytes_list.value[0].decode(),
        episode=feature["episode"].bytes_list.value[0].decode(),
        fps=feature["fps"].float_list.value[0],
        height=number("height"),
        width=number("width"),
        num_frames=number("num_frames"),
        frames=tuple(feature["frames"].bytes_list.value),
        mel=np.array(feature["mel"].float_list.value, np.float32).reshape(-1, NUM_MELS),
        codes=codes if codes.size else None,
    )
