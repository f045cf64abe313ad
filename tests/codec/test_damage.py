"""What is left of damaged files: the rest, a named problem; no crash, no hang, little memory."""

import dataclasses
import io
import itertools
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import nwt_tf
from nwt_tf.codec import coding
from nwt_tf.codec.container import CODES, Reader, Record, Writer
from nwt_tf.codec.header import CODERS, DamagedError, Header
from tests.codec.files import file_of, file_with_sound, header_of, salvage, speechlike


@pytest.mark.parametrize("coder", CODERS)
def test_damage_stays_in_its_chunk(coder):
    codes = speechlike(60)
    data = file_of(coder, codes, 5, chunk_frames=10)
    records = Reader(io.BytesIO(data)).records
    for number, inside in itertools.product(range(6), (0, 3, 9, 30, -1)):
        record, damaged = records[number], bytearray(data)
        damaged[record.offset + inside % record.length] ^= 0x10
        found, problems = salvage(bytes(damaged))
        lost = set(range(record.first, record.first + 10))
        assert set(found) == set(range(60)) - lost
        assert all(np.array_equal(found[frame], codes[frame]) for frame in found)
        assert f"frames {record.first} to {record.first + 9} are" in problems[0]


def test_bytes_that_were_cut_out_or_put_in_cost_one_chunk():
    codes = speechlike(60)
    data = file_of("context", codes, 5, chunk_frames=10)
    record = Reader(io.BytesIO(data)).records[2]
    inside = record.offset + 40
    for damaged in (data[:inside] + data[inside + 7 :], data[:inside] + b"1234567" + data[inside:]):
        found, problems = salvage(damaged)
        assert set(found) == set(range(60)) - set(range(20, 30))
        assert all(np.array_equal(found[frame], codes[frame]) for frame in found)
        assert any("frames 20 to 29 are lost" in problem for problem in problems)


def test_a_lost_key_chunk_takes_those_that_build_on_it_along():
    codes = speechlike(60)
    data = bytearray(file_of("context", codes, 5, key_chunks=3, chunk_frames=10))
    data[Reader(io.BytesIO(bytes(data))).records[0].offset + 30] ^= 1
    found, problems = salvage(bytes(data))
    assert set(found) == set(range(30, 60))
    assert "frames 0 to 9 are lost" in problems[0]
    assert "frames 10 to 29 are missing" in problems[1]


@pytest.mark.parametrize("coder", CODERS)
def test_truncated_at_every_byte(coder):
    codes = speechlike(12, (2, 2, 2))
    data = file_of(coder, codes, 5, chunk_frames=4)
    ends = [r.offset + r.length for r in Reader(io.BytesIO(data)).records]
    start = Header.read(io.BytesIO(data))[1]
    for length in range(len(data)):
        if length < start:
            with pytest.raises(DamagedError, match="breaks off|no .nwt file"):
                salvage(data[:length])
            continue
        found, problems = salvage(data[:length])
        whole = 4 * sum(end <= length for end in ends)
        assert sorted(found) == list(range(whole))
        assert all(np.array_equal(found[frame], codes[frame]) for frame in found)
        assert problems


def test_a_file_that_was_never_completed_can_be_read():
    codes = speechlike(30)
    header, file = header_of("context", codes.shape[1:], 5, 10), io.BytesIO()
    writer = Writer(file, header)
    encoder = coding.Encoder(writer)
    for start in (0, 10):
        encoder.write(codes[start : start + 10])
    found, problems = salvage(file.getvalue())
    assert len(found) == 20
    assert "never completed" in problems[0]


def test_large_claims_reserve_nothing():
    """A file of a few bytes that says it is an hour long."""
    data = file_of("rle", speechlike(25), 5)
    header, length = Header.read(io.BytesIO(data))
    for fields in ({"frames": 90_000}, {"chunk_frames": 30_000}):
        claimed = dataclasses.replace(header, **fields).to_bytes() + data[length:]
        found, problems = salvage(claimed)
        assert len(found) == 25
        if "frames" in fields:
            assert any("contradicts" in problem for problem in problems)


def test_a_long_index_of_nothing_is_refused_at_once():
    """Millions of records that a file of a few megabytes has no room for."""
    file = io.BytesIO()
    with Writer(file, header_of("raw", (1, 1, 1), 2)) as writer:
        coding.Encoder(writer).write(np.zeros((1, 1, 1, 1), np.uint8))
        writer._records += [Record(CODES, True, 1, 0, 0, 0)] * 1_000_000
    tracemalloc.start()
    try:
        reader = Reader(file)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000  # the index itself is 2 MB
    finally:
        tracemalloc.stop()
    assert "lists records where there are none" in reader.problems[0]
    assert len(reader.records) == 1


class Counted(io.BytesIO):
    """Counts what is read."""

    taken = 0

    def read(self, size=-1):
        data = super().read(size)
        self.taken += len(data)
        return data


def test_a_file_full_of_markers_is_read_a_few_times():
    header = header_of("raw", (1, 1, 1), 2).to_bytes()
    for noise in (b"\xc3\x9f", b"\xc3\x9f\x01\x01\x01\0" + bytes(3)):
        file = Counted(header + noise * (200_000 // len(noise)))
        assert Reader(file).records == []
        assert file.taken < 20 * len(file.getvalue())


def mutants(count, seed):
    """Damaged files: bytes changed, cut out, doubled; of half of them the checksums are set anew,
    so that the coders themselves meet what no encoder wrote."""
    draws = np.random.default_rng(seed)
    originals = [file_of(c, speechlike(20, (3, 4, 3)), 5, k, 5) for c in CODERS for k in (1, 2)]
    originals.append(file_with_sound(frames=20, chunk_frames=5)[0])
    for number in range(count):
        data = bytearray(originals[number % len(originals)])
        if number % 2:
            data = resealed(bytes(data), draws)
        else:
            for _ in range(draws.integers(1, 5)):
                place = int(draws.integers(len(data)))
                kind = draws.integers(4)
                if kind == 0:
                    data[place] = draws.integers(256)
                elif kind == 1:
                    data[place] ^= 1 << draws.integers(8)
                elif kind == 2:
                    del data[place : place + int(draws.integers(1, 60))]
                else:
                    data[place:place] = data[max(0, place - 60) : place]
        yield bytes(data)


def resealed(data, draws):
    """A file whose payloads, or whose header, are changed under correct checksums."""
    reader = Reader(io.BytesIO(data))
    header = reader.header
    if draws.integers(4) == 0:
        changes = {
            "shape": tuple(int(n) for n in draws.integers(1, 5, 3)),
            "num_codes": int(draws.integers(2, 257)),
            "coder": CODERS[draws.integers(4)],
            "chunk_frames": int(draws.integers(1, 100)),
        }
        name = list(changes)[draws.integers(4)]
        header = dataclasses.replace(header, **{name: changes[name]})
    file = io.BytesIO()
    writer = Writer(file, header)
    for record in reader.records:
        payload = bytearray(reader.read_chunk(record)[0])
        for _ in range(draws.integers(4)):
            payload[draws.integers(len(payload))] = draws.integers(256)
        if draws.integers(8) == 0:
            payload = payload[: draws.integers(len(payload) + 1)]
        if draws.integers(8) == 0:
            payload += draws.bytes(20)
        frames = record.frames if draws.integers(8) else int(draws.integers(1, 200))
        frames = frames if record.kind == CODES else 0
        writer._write(record.kind, record.key, record.first, frames, bytes(payload), 0)
        writer._frames += frames
    writer.close()
    return file.getvalue()


def survive(count, seed):
    """Reads mutants; anything but good codes and DamagedError escapes."""
    named = 0
    for data in mutants(count, seed):
        try:
            _, problems = salvage(data)
            named += bool(problems)
        except DamagedError:
            named += 1
    assert named > 0.9 * count  # the rest had its change where nothing is said


def test_mutated_files():
    survive(600, seed=0)


FUZZ = """
import sys
sys.path.insert(0, {root!r})
from tests.codec.test_damage import survive
survive({count}, seed=1)
assert "tensorflow" not in sys.modules
# Not ru_maxrss, which counts what the process was forked from.
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(int(status["VmHWM"].split()[0]) // 1024)
"""


@pytest.mark.soak
def test_ten_thousand_mutated_files_in_little_memory():
    root = str(Path(nwt_tf.__file__).parents[1])
    code = FUZZ.format(root=root, count=10_000)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=3000, cwd=root
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 512


def test_a_long_file_takes_little_memory(tmp_path):
    """Reading and both codings of a minute of Mem16, in a process without TensorFlow."""
    root = str(Path(nwt_tf.__file__).parents[1])
    code = f"""
import sys
sys.path.insert(0, {root!r})
from tests.codec.files import file_of, speechlike
from nwt_tf.codec.coding import Encoder, decode
from nwt_tf.codec.container import Reader, Writer
from tests.codec.files import header_of
path = {str(tmp_path / "long.nwt")!r}
second = speechlike(25, (16, 14, 8), 8)
with open(path, "w+b") as file, Writer(file, header_of("context", (16, 14, 8), 8)) as writer:
    encoder = Encoder(writer)
    for _ in range(60):
        encoder.write(second)
with open(path, "rb") as file:
    assert sum(len(codes) for _, codes in decode(Reader(file))) == 1500
# Not ru_maxrss, which counts what the process was forked from.
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(int(status["VmHWM"].split()[0]) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=root
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 512
