"""TFRecord files of tf.train.Example messages, written without TensorFlow.

A build need not wait for TensorFlow's import, nor hold it in memory, and a spectrogram's floats go
into the message as they lie in memory instead of one by one.  The bytes are TensorFlow's own.
"""

import struct
from collections.abc import Mapping, Sequence

import numpy as np

Values = Sequence[bytes] | Sequence[int] | np.ndarray


def example(features: Mapping[str, Values]) -> bytes:
    """A serialised tf.train.Example, as its SerializeToString(deterministic=True) gives.

    Args:
        features: By name: a sequence of bytes, a sequence of integers, or a float32 array, which is
            stored flat; an empty sequence counts as one of bytes.
    """
    entries = (
        _field(1, _field(1, name.encode()) + _field(2, _feature(features[name])))
        for name in sorted(features, key=str.encode)
    )
    return _field(1, b"".join(entries))


def _feature(values: Values) -> bytes:
    if isinstance(values, np.ndarray):
        packed = np.ascontiguousarray(values, "<f4").tobytes()
        return _field(2, _field(1, packed) if packed else b"")
    if len(values) and isinstance(values[0], int):
        return _field(3, _field(1, b"".join(map(_varint, values))))
    return _field(1, b"".join(_field(1, value) for value in values))


def _field(number: int, data: bytes) -> bytes:
    """A length-delimited field of protocol buffers' wire format."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # a negative integer is its two's complement
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def framed(record: bytes) -> bytes:
    """A record as it lies in a TFRecord file: its length, itself, and a checksum after each."""
    length = struct.pack("<Q", len(record))
    return b"".join((length, _checksum(length), record, _checksum(record)))


def _checksum(data: bytes) -> bytes:
    """CRC-32C, masked as TFRecord does: a checksum of data that holds checksums is a weak one."""
    import google_crc32c

    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
