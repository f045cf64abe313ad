"""The `.nwt` file: header, records and index (docs/codec.md, sections 2 to 4).

A record is a chunk of codes of about a second, or a second of the sound's packets; each has its own
checksum, so that damage stays within it.
"""

import dataclasses
import os
import struct
from typing import NamedTuple

from nwt_tf.codec import varint
from nwt_tf.codec.checksum import crc32c
from nwt_tf.codec.header import MAX_CHUNK_CODES, UNFINISHED, DamagedError, Header

MARKER = b"\xc3\x9f"
CODES, SOUND, INDEX = 1, 2, 3
_HEAD = struct.Struct("<2sBBHIIII")
_TRAILER = struct.Struct("<I4s")
_END = b"NWT\n"
_KEY = 1
_HEAD_BYTES = _HEAD.size + 2
_SCAN_BYTES = 1 << 16


class Record(NamedTuple):
    """Where a record lies and what it covers.

    kind: CODES, SOUND or INDEX; key: whether it can be decoded without the chunk before; first,
    frames: of the video, 0 frames for sound; offset, length: of the whole record in the file.
    """

    kind: int
    key: bool
    first: int
    frames: int
    offset: int
    length: int


class Packet(NamedTuple):
    """A packet of the sound: time and duration in the stream's time base, and its bytes."""

    time: int
    duration: int
    data: bytes


def _largest(header):
    """{kind: the most bytes of a payload}; no coder needs more than 8 bits a code and a little for
    every chunk."""
    h, w, heads = header.shape
    return {CODES: 4 * h * w * heads * header.chunk_frames + 65536, SOUND: MAX_CHUNK_CODES}


class Writer:
    """Writes a `.nwt` file.

    A context manager; leaving it without an error completes the file.

    Args:
        file: binary, writable and seekable.
        header: its number of frames is filled in at the end.
    """

    def __init__(self, file, header):
        self.header = dataclasses.replace(header, frames=UNFINISHED)
        self._file, self._records, self._frames = file, [], 0
        self._most = _largest(header)
        self._file.write(self.header.to_bytes())

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind is None:
            self.close()

    def write_chunk(self, payload, codes, key):
        """Adds a chunk: its bytes, the codes they stand for (uint8 [T, h, w, heads]), and whether
        it can be decoded without the chunk before."""
        self._write(CODES, key, self._frames, len(codes), payload, crc32c(codes))
        self._frames += len(codes)

    def write_sound(self, packets):
        """Adds packets of the sound, a list of Packet in the order of the stream.

        Raises:
            ValueError: more bytes than a record may have, some minutes of sound.
        """
        payload = varint.write([len(packets)])
        for packet in packets:
            # Times may begin below zero: an encoder's priming.
            time = 2 * packet.time if packet.time >= 0 else -2 * packet.time - 1
            payload += varint.write([time, packet.duration, len(packet.data)]) + packet.data
        self._write(SOUND, True, self._frames, 0, payload, 0)

    def close(self):
        """Writes index and trailer, and the number of frames into the header."""
        numbers = [len(self._records)]
        for record in self._records:
            numbers += [record.length, 4 * record.frames + 2 * (record.kind == SOUND) + record.key]
        length = self._write(INDEX, True, self._frames, 0, varint.write(numbers), 0)
        self._file.write(_TRAILER.pack(length, _END))
        self._file.seek(0)
        self._file.write(dataclasses.replace(self.header, frames=self._frames).to_bytes())
        self._file.seek(0, os.SEEK_END)

    def _write(self, kind, key, first, frames, payload, codes_checksum):
        if len(payload) > self._most.get(kind, UNFINISHED):
            raise ValueError(f"a record of {len(payload)} bytes, which no reader takes")
        fields = _HEAD.pack(
            MARKER, kind, _KEY * key, frames, first, len(payload), codes_checksum, crc32c(payload)
        )
        record = fields + struct.pack("<H", crc32c(fields) & 0xFFFF) + payload
        offset = self._file.tell()
        self._file.write(record)
        if kind != INDEX:
            self._records.append(Record(kind, key, first, frames, offset, len(record)))
        return len(record)


class Reader:
    """Reads a `.nwt` file and passes over what is damaged.

    Args:
        file: binary, readable and seekable.

    Attributes:
        header: Header.
        records: all records that can be found, in the file's order; from the index, or where that
            is missing or damaged, by going through the file.
        problems: what was found wrong so far, a list of lines.

    Raises:
        DamagedError: no `.nwt` file, or a damaged header.
    """

    def __init__(self, file):
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self.header, self._start = Header.read(file)
        self._most = _largest(self.header) | {INDEX: self.size}
        self.problems = []
        try:
            self.records = self._read_index()
        except ValueError as error:
            self.problems.append(f"its index cannot be used ({error})")
            self.records = self._search()

    @property
    def frames(self):
        """Frames of the file, as far as it tells: of a damaged one perhaps fewer than it had."""
        claimed = self.header.frames
        return self.reach if claimed == UNFINISHED else max(self.reach, claimed)

    @property
    def reach(self):
        """Frames up to the end of the last record that is there, whatever the header claims."""
        return max((record.first + record.frames for record in self.records), default=0)

    def chunks(self, start=0, stop=None):
        """The chunks that decoding frames [start, stop) takes: from the key chunk before on."""
        stop = self.frames if stop is None else stop
        needed = []
        for record in self.records:
            if record.kind == CODES and record.first < stop:
                if record.key and record.first <= start:
                    needed = []
                needed.append(record)
        return needed

    def read_chunk(self, record):
        """A chunk's (payload, checksum of its codes).

        Raises:
            DamagedError: its bytes are not what was written.
        """
        return self._read(record)

    def sound(self, start=None, stop=None):
        """Yields the packets of the sound, a record at a time, as lists of Packet.

        Damaged records are passed over and noted in `problems`.

        Args:
            start, stop: positions among the sound's records; all by default.
        """
        for record in [each for each in self.records if each.kind == SOUND][start:stop]:
            try:
                yield _packets(self._read(record)[0])
            except ValueError as error:
                self.problems.append(f"sound near frame {record.first} is lost ({error})")

    def _read(self, record):
        found, fields = self._record_at(record.offset)
        if found != record:
            raise DamagedError("its record's header is damaged")
        payload = self._file.read(fields[5])
        if len(payload) != fields[5] or crc32c(payload) != fields[7]:
            raise DamagedError("its checksum differs")
        return payload, fields[6]

    def _record_at(self, offset):
        """(Record, its header's fields); (None, None) where there is none."""
        self._file.seek(offset)
        head = self._file.read(_HEAD_BYTES)
        if len(head) < _HEAD_BYTES or head[:2] != MARKER:
            return None, None
        fields = _HEAD.unpack_from(head)
        _, kind, flags, frames, first, length, _, _ = fields
        if (
            kind not in self._most
            or length > min(self._most[kind], self.size - offset - len(head))
            or frames > self.header.chunk_frames
            or first + frames > UNFINISHED
            or (kind == CODES) != (frames > 0)
            or struct.unpack_from("<H", head, _HEAD.size)[0] != crc32c(head[: _HEAD.size]) & 0xFFFF
        ):
            return None, None
        key = bool(flags & _KEY)
        return Record(kind, key, first, frames, offset, len(head) + length), fields

    def _read_index(self):
        """The records that the index lists.

        Raises:
            ValueError: it is missing or damaged.
        """
        if self.header.frames == UNFINISHED:
            raise DamagedError("the file was never completed")
        if self.size < self._start + _TRAILER.size:
            raise DamagedError("the file breaks off")
        self._file.seek(self.size - _TRAILER.size)
        length, end = _TRAILER.unpack(self._file.read(_TRAILER.size))
        offset = self.size - _TRAILER.size - length
        if end != _END or offset < self._start:
            raise DamagedError("the file breaks off")
        record, _ = self._record_at(offset)
        if record is None or record.kind != INDEX:
            raise DamagedError("it is not where the file's end says")
        numbers = varint.Reader(self._read(record)[0])
        records, offset, first = [], self._start, 0
        for _ in range(numbers.number()):
            length, about = numbers.number(), numbers.number()
            kind, frames = (SOUND if about & 2 else CODES), about >> 2
            # A claim takes no memory before it is known to be in the file.
            if not _HEAD_BYTES <= length <= record.offset - offset:
                raise DamagedError("it lists records where there are none")
            records.append(Record(kind, bool(about & 1), first, frames, offset, length))
            offset, first = offset + length, first + frames
        if offset != record.offset or first != self.header.frames:
            raise DamagedError("it contradicts the file")
        return records

    def _search(self):
        """The records that are there, found by their markers and checksums."""
        records, offset, frames, marked = [], self._start, 0, self._markers(self._start)
        while offset is not None:
            record, _ = self._record_at(offset)
            after = offset + 1
            if record is not None:
                if record.kind != INDEX and record.first >= frames:
                    records.append(record)
                    frames = record.first + record.frames
                after = end = offset + record.length
                # Where bytes were cut out, the next record lies within what this one claims.
                if record.kind != INDEX and end < self.size and not self._record_at(end)[0]:
                    after = offset + _HEAD_BYTES
            offset = next((place for place in marked if place >= after), None)
        return records

    def _markers(self, offset):
        """Yields every place from `offset` on where MARKER stands."""
        while offset < self.size:
            self._file.seek(offset)
            block = self._file.read(_SCAN_BYTES)
            found = block.find(MARKER)
            while found >= 0:
                yield offset + found
                found = block.find(MARKER, found + 1)
            offset += max(1, len(block) - 1)


def _packets(payload):
    reader, packets = varint.Reader(payload), []
    for _ in range(reader.number()):
        time, duration, length = (reader.number() for _ in range(3))
        time = -(time + 1) // 2 if time & 1 else time // 2
        packets.append(Packet(time, duration, reader.bytes(length)))
    return packets
