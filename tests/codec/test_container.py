"""The file: what it says, and how it is sought in."""

import dataclasses
import io
import struct

import numpy as np
import pytest

from nwt_tf.codec import coding
from nwt_tf.codec.checksum import crc32c
from nwt_tf.codec.container import CODES, SOUND, Packet, Reader, Writer
from nwt_tf.codec.header import MAGIC, Header, Sound
from tests.codec.files import file_of, file_with_sound, header_of, salvage, speechlike


def test_the_header_comes_back():
    header = Header(
        "prior", (16, 14, 8), 8, (30000, 1001), 256, 224, 30, 12345, 2.5, b"dvae1234",
        b"prior567", "épisode 7", Sound("opus", 48000, 2, (1, 48000), b"OpusHead"),
    )  # fmt: skip
    data = header.to_bytes()
    read, length = Header.read(io.BytesIO(data + b"more"))
    assert (read, length) == (header, len(data))
    silent = dataclasses.replace(header, sound=None)
    assert Header.read(io.BytesIO(silent.to_bytes()))[0] == silent


def test_the_first_bytes_are_as_documented():
    """Read with nothing but the document's table."""
    data = file_of("rle", speechlike(30), 5)
    assert data[:8] == MAGIC == b"\x89NWT\r\n\x1a\n"
    version, length, coder = struct.unpack_from("<HHB", data, 8)
    h, w, heads, num_codes = struct.unpack_from("<HHBH", data, 13)
    rate, per, height, width, chunk, frames = struct.unpack_from("<IIHHHI", data, 20)
    assert (version, coder, h, w, heads, num_codes) == (1, 1, 6, 5, 4, 5)
    assert (rate, per, height, width, chunk, frames) == (25, 1, 64, 56, 25, 30)
    assert struct.unpack_from("<I", data, 12 + length)[0] == crc32c(data[: 12 + length])
    record = 16 + length
    marker, kind, flags, frames, first, payload, codes, checksum, own = struct.unpack_from(
        "<2sBBHIIIIH", data, record
    )
    assert (marker, kind, flags, frames, first) == (b"\xc3\x9f", 1, 1, 25, 0)
    assert checksum == crc32c(data[record + 24 : record + 24 + payload])
    assert codes == crc32c(speechlike(30)[:25])
    assert own == crc32c(data[record : record + 22]) & 0xFFFF


@pytest.mark.parametrize(
    ("field", "value"),
    [("coder", "zip"), ("shape", (0, 1, 1)), ("shape", (256, 256, 64)), ("num_codes", 257),
     ("rate", (0, 1)), ("rate", (1 << 31, 1 << 30)), ("rate", (1, 101)), ("rate", (1001, 1)),
     ("chunk_frames", 0), ("episode", "x" * 2000),
     ("sound", Sound("aac", 0, 1, (1, 1))), ("sound", Sound("aac", 1, 0, (1, 1))),
     ("sound", Sound("aac", 1, 1, (1 << 31, 1))), ("sound", Sound("aac", 1, 1, (1, 0)))],
)  # fmt: skip
def test_refuses_a_header_beyond_the_format(field, value):
    with pytest.raises(ValueError):
        dataclasses.replace(header_of("raw", (2, 2, 2), 8), **{field: value}).to_bytes()


def test_sound_lies_between_the_chunks_and_comes_back():
    data, codes, packets = file_with_sound()
    reader = Reader(io.BytesIO(data))
    assert [record.kind for record in reader.records] == [SOUND, CODES] * 6
    assert [packet for block in reader.sound() for packet in block] == packets
    assert reader.header.sound.codec == "aac"
    found, problems = salvage(data)
    assert problems == [] and np.array_equal(np.stack(list(found.values())), codes)


def test_seeking_reads_only_the_chunks_from_the_last_key():
    data = file_of("context", speechlike(100), 5, key_chunks=3, chunk_frames=10)
    chunks = Reader(io.BytesIO(data)).chunks(47, 52)
    assert [record.first for record in chunks] == [30, 40, 50]
    assert [record.key for record in chunks] == [True, False, False]


def test_two_lines_of_python(tmp_path):
    codes = speechlike(30)
    (tmp_path / "clip.nwt").write_bytes(file_of("context", codes, 5))
    assert np.array_equal(coding.read_codes(tmp_path / "clip.nwt"), codes)
    assert np.array_equal(coding.read_codes(tmp_path / "clip.nwt", 7, 9), codes[7:9])
    (tmp_path / "prior.nwt").write_bytes(file_of("prior", codes, 5))
    with pytest.raises(ValueError, match="prior.nwt: its codes are coded with a prior.*--preset"):
        coding.read_codes(tmp_path / "prior.nwt")
    (tmp_path / "cut.nwt").write_bytes(file_of("context", codes, 5)[:-30])
    with pytest.raises(ValueError, match="cut.nwt: is damaged: "):
        coding.read_codes(tmp_path / "cut.nwt")
    with pytest.raises(OSError):
        coding.read_codes(tmp_path / "none.nwt")
    for start, stop in ((-1, 5), (9, 7)):
        with pytest.raises(ValueError, match=f"clip.nwt: there are no frames {start} to {stop}"):
            coding.read_codes(tmp_path / "clip.nwt", start, stop)


def test_sound_that_no_reader_takes_is_not_written():
    writer = Writer(io.BytesIO(), header_of("raw", (1, 1, 1), 2))
    with pytest.raises(ValueError, match="no reader takes"):
        writer.write_sound([Packet(0, 1, bytes(1 << 22))])


def test_packets_before_the_first_frame_have_negative_times():
    file = io.BytesIO()
    header = header_of("raw", (1, 1, 1), 2, sound=Sound("aac", 8000, 1, (1, 8000), b"x"))
    packets = [Packet(-1024, 1024, b"a"), Packet(0, 1024, b""), Packet(1 << 40, 0, b"c")]
    with Writer(file, header) as writer:
        writer.write_sound(packets)
    assert list(Reader(file).sound()) == [packets]
