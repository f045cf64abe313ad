"""Codes to `.nwt` files and back, a chunk at a time; no model is needed but for coder `prior`.

    from nwt_tf.codec.coding import read_codes
    codes = read_codes("clip.nwt")  # uint8 [frames, h, w, heads]
"""

import numpy as np

from nwt_tf.codec import bits
from nwt_tf.codec.checksum import crc32c
from nwt_tf.codec.container import Reader, Writer
from nwt_tf.codec.context_models import ContextCoder
from nwt_tf.codec.header import DamagedError
from nwt_tf.codec.prior_coder import PriorCoder
from nwt_tf.codec.rle import RunLengths


class RawCoder:
    """Coder `raw`: every code plainly, 24 bits a Memcode of 8 heads of 8 codes.

    Args:
        shape: (h, w, heads) of a frame's codes.
        num_codes: codes a head.
    """

    def __init__(self, shape, num_codes):
        self.shape, self.num_codes = tuple(shape), num_codes
        self.width = bits.width_of(num_codes)

    def reset(self, first=0):
        """Chunks stand alone anyway."""

    def encode(self, codes):
        """uint8 [T, h, w, heads] -> bytes."""
        return bits.pack(codes, self.width)

    def decode(self, payload, frames):
        """bytes -> uint8 [frames, h, w, heads].

        Raises:
            ValueError: bytes that no encoder writes.
        """
        codes = bits.unpack(payload, self.width, frames * int(np.prod(self.shape)))
        if codes.size and codes.max() >= self.num_codes:
            raise ValueError(f"it has codes above {self.num_codes - 1}")
        return codes.reshape(frames, *self.shape)


def make_coder(header, predictor=None):
    """The coder of a file.

    Args:
        header: Header.
        predictor: for `prior`, see prior_coder.

    Raises:
        ValueError: `prior` without a predictor.
    """
    if header.coder == "prior":
        if predictor is None:
            raise ValueError(
                "its codes are coded with a prior's probabilities: they take the preset to decode "
                "(nwt decompress --preset=...)"
            )
        return PriorCoder(header.shape, header.num_codes, predictor)
    kinds = {"raw": RawCoder, "rle": RunLengths, "context": ContextCoder}
    return kinds[header.coder](header.shape, header.num_codes)


class Encoder:
    """Cuts codes into chunks and codes them.

    Args:
        writer: container.Writer.
        key_chunks: every how many chunks one stands alone; 1 is all of them.
        predictor: for `prior`.
    """

    def __init__(self, writer, key_chunks=1, predictor=None):
        self._writer, self._key_chunks = writer, key_chunks
        self._coder = make_coder(writer.header, predictor)
        self._chunks, self._frames = 0, 0

    @property
    def next_is_key(self):
        """Whether the next chunk stands alone."""
        return self._chunks % self._key_chunks == 0

    def write(self, codes):
        """Writes a chunk: codes uint8 [T, h, w, heads], T at most the header's chunk_frames.

        Raises:
            ValueError: codes of another shape, type or range.
        """
        header = self._writer.header
        if codes.dtype != np.uint8 or codes.shape[1:] != tuple(header.shape):
            raise ValueError(
                f"codes must be uint8 [T, {', '.join(map(str, header.shape))}]. "
                f"Received: {codes.dtype} {list(codes.shape)}"
            )
        if not 1 <= len(codes) <= header.chunk_frames:
            raise ValueError(
                f"a chunk has 1 to {header.chunk_frames} frames. Received: {len(codes)}"
            )
        if codes.max() >= header.num_codes:
            raise ValueError(
                f"codes must lie below {header.num_codes}. Received: codes up to {codes.max()}"
            )
        codes = np.ascontiguousarray(codes)
        key = self.next_is_key
        if key:
            self._coder.reset(self._frames)
        self._writer.write_chunk(self._coder.encode(codes), codes, key)
        self._chunks, self._frames = self._chunks + 1, self._frames + len(codes)


def write_codes(file, header, codes, key_chunks=1, predictor=None):
    """Writes a whole `.nwt` file without sound.

    Args:
        file: binary, writable and seekable.
        header: Header.
        codes: uint8 [T, h, w, heads].
        key_chunks, predictor: see Encoder.
    """
    with Writer(file, header) as writer:
        encoder = Encoder(writer, key_chunks, predictor)
        for start in range(0, len(codes), header.chunk_frames):
            encoder.write(codes[start : start + header.chunk_frames])


def decode(reader, start=0, stop=None, predictor=None):
    """Decodes what can be decoded.

    Args:
        reader: container.Reader; what cannot be decoded is added to its `problems`.
        start, stop: frames; stop None is the end.
        predictor: for `prior`.

    Yields:
        (first frame, codes uint8 [T, h, w, heads]) of consecutive chunks, cut to [start, stop).

    Raises:
        ValueError: a start below 0 or behind stop; coder `prior` without a predictor.
    """
    if not 0 <= start <= (start if stop is None else stop):
        raise ValueError(f"there are no frames {start} to {stop}")
    stop = reader.frames if stop is None else min(stop, reader.frames)
    coder = make_coder(reader.header, predictor)
    expected, position = None, start
    for record in reader.chunks(start, stop):
        if record.key:
            coder.reset(record.first)
        elif record.first != expected:
            expected = None
            continue  # It builds on what is lost.
        try:
            payload, checksum = reader.read_chunk(record)
            codes = coder.decode(payload, record.frames)
            if crc32c(codes) != checksum:
                raise DamagedError("its codes differ from those that were coded")
        except ValueError as error:
            end = record.first + record.frames - 1
            reader.problems.append(f"frames {record.first} to {end} are lost ({error})")
            expected = None
            position = max(position, record.first + record.frames)
            continue
        first, expected = record.first, record.first + record.frames
        if first > position:
            reader.problems.append(f"frames {position} to {first - 1} are missing")
        position = expected
        if expected > start:
            cut = codes[max(0, start - first) : stop - first]
            yield max(first, start), cut
    if position < stop:
        reader.problems.append(f"frames {position} to {stop - 1} are missing")


def read_codes(path, start=0, stop=None, predictor=None):
    """Codes of a `.nwt` file as NumPy.

    Args:
        path: the file.
        start, stop: frames; stop None is the end.
        predictor: for `prior`.

    Returns:
        uint8 [T, h, w, heads].

    Raises:
        OSError: no such file.
        ValueError: the file is damaged (decode gives what is left of it), or takes a predictor;
            frames from below 0 on, or backwards.
    """
    with open(path, "rb") as file:
        try:
            reader = Reader(file)
            pieces = [codes for _, codes in decode(reader, start, stop, predictor)]
        except ValueError as error:
            raise type(error)(f"{path}: {error}") from error
    if reader.problems:
        raise DamagedError(f"{path}: is damaged: {reader.problems[0]}")
    return np.concatenate(pieces) if pieces else np.zeros((0, *reader.header.shape), np.uint8)
