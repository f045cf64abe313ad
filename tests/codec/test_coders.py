"""Every coder gives every kind of codes back, and what it is for holds."""

import io
import itertools
import time

import numpy as np
import pytest

from nwt_tf.codec.coding import decode, make_coder, write_codes
from nwt_tf.codec.container import Reader
from nwt_tf.codec.header import CODERS
from nwt_tf.codec.prior_coder import PriorCoder
from tests.codec.files import Predictor, file_of, header_of, predictor_of, speechlike

SHAPE = (4, 3, 5)


def back(data, start=0, stop=None):
    """(codes, problems) of a file's bytes."""
    reader = Reader(io.BytesIO(data))
    pieces = [c for _, c in decode(reader, start, stop, predictor_of(reader.header))]
    empty = np.zeros((0, *reader.header.shape), np.uint8)
    return np.concatenate([empty, *pieces]), reader.problems


def cases(seed, num_codes):
    draws = np.random.default_rng(seed)
    frames = int(draws.integers(2, 70))
    yield "random", draws.integers(0, num_codes, (frames, *SHAPE)).astype(np.uint8)
    yield "constant", np.full((frames, *SHAPE), draws.integers(num_codes), np.uint8)
    yield "maximal", np.full((frames, *SHAPE), num_codes - 1, np.uint8)
    yield "empty", np.zeros((0, *SHAPE), np.uint8)
    yield "one frame", draws.integers(0, num_codes, (1, *SHAPE)).astype(np.uint8)
    yield "still but for one", speechlike(frames, SHAPE, num_codes, seed, rate=0.001)
    alternating = np.zeros((frames, *SHAPE), np.uint8)
    alternating[1::2] = num_codes - 1
    yield "alternating", alternating


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("num_codes", [2, 3, 8, 200, 256])
def test_codes_come_back(coder, num_codes):
    for seed, key_chunks in ((0, 1), (1, 3)):
        for name, codes in cases(seed, num_codes):
            found, problems = back(file_of(coder, codes, num_codes, key_chunks, 10))
            assert problems == [], name
            assert np.array_equal(found, codes), name


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 2), (9, 1, 3), (2, 2, 64)])
def test_any_grid(coder, shape):
    codes = speechlike(12, shape, 7, rate=0.3)
    assert np.array_equal(back(file_of(coder, codes, 7))[0], codes)


@pytest.mark.parametrize("coder", CODERS)
def test_any_stretch_is_what_the_whole_has(coder):
    codes = speechlike(47, SHAPE, 6)
    data = file_of(coder, codes, 6, key_chunks=2, chunk_frames=10)
    for start, stop in itertools.product((0, 9, 10, 25, 46), (1, 10, 26, 47)):
        if start < stop:
            found, problems = back(data, start, stop)
            assert problems == []
            assert np.array_equal(found, codes[start:stop])


@pytest.mark.parametrize("coder", CODERS[:-1])
def test_an_hour(coder):
    """90,000 frames of a small grid; a paper-sized one in the soak."""
    codes = speechlike(90_000, (2, 2, 3), 8, rate=0.02)
    assert np.array_equal(back(file_of(coder, codes, 8, key_chunks=10))[0], codes)


@pytest.mark.soak
@pytest.mark.parametrize("coder", CODERS[:-1])
def test_an_hour_of_mem16(coder):
    codes = np.tile(speechlike(4500, (16, 14, 8), 8, rate=0.02), (20, 1, 1, 1))
    assert np.array_equal(back(file_of(coder, codes, 8))[0], codes)


@pytest.mark.soak
def test_an_hour_with_a_prior():
    codes = speechlike(90_000, (1, 2, 3), 4, rate=0.02)
    assert np.array_equal(back(file_of("prior", codes, 4, key_chunks=10))[0], codes)


class Again:
    """Says at once what another predictor said of a chunk."""

    def __init__(self, told):
        self.told = told

    def side(self, first, codes, key):
        return b""

    def adopt(self, first, frames, key, reader):
        pass

    def run(self, frames, choose):
        for log_p in self.told:
            choose(log_p)


@pytest.mark.soak
@pytest.mark.parametrize("coder", CODERS)
def test_a_second_of_mem16_takes_a_fiftieth_of_it(coder):
    """Processor time of this thread, the network left out; the best of several, as others work."""
    codes, told = speechlike(25, (16, 14, 8), 8), []
    predictor = Predictor(1792, 8)
    predictor.side(0, codes, True)
    predictor.run(25, told.append)
    header, seconds = header_of(coder, (16, 14, 8), 8), {"encode": [], "decode": []}
    for _ in range(20):
        encoder, decoder = (make_coder(header, Again(told)) for _ in range(2))
        start = time.thread_time()
        payload = encoder.encode(codes)
        middle = time.thread_time()
        decoder.decode(payload, 25)
        seconds["encode"].append(middle - start)
        seconds["decode"].append(time.thread_time() - middle)
    speeds = {way: round(1 / min(spent)) for way, spent in seconds.items()}
    print(f"{coder}: {speeds} times real time")
    assert min(speeds.values()) > 50


def test_each_coder_beats_the_one_before():
    """Codes that stay, then codes that a predictor knows: every coder finds what it is for."""
    cells = speechlike(100, (8, 7, 1), 8, rate=0.02)
    codes = (cells + np.arange(8, dtype=np.uint8)) % 8  # heads change together
    sizes = [len(file_of(coder, codes, 8, key_chunks=4)) for coder in CODERS[:-1]]
    assert sizes[0] > 4 * sizes[1] and sizes[1] > 2 * sizes[2]
    shape, frames = (6, 5, 4), 40
    told = Predictor(int(np.prod(shape)), 5)
    told.side(0, None, True)
    rows = []
    told.run(frames, rows.append)
    likely = np.array([row.argmax(-1) for row in rows]).reshape(frames, *shape).astype(np.uint8)
    assert len(file_of("prior", likely, 5)) < 0.6 * len(file_of("context", likely, 5))


def test_raw_takes_24_bits_a_memcode():
    codes = speechlike(25, (16, 14, 8), 8)
    coder = make_coder(header_of("raw", (16, 14, 8), 8))
    assert len(coder.encode(codes)) == 25 * 16 * 14 * 3


def test_context_learns_over_chunks_that_build_on_one_another():
    codes = speechlike(200, rate=0.02)
    alone, chained = (len(file_of("context", codes, 5, key, 10)) for key in (1, 20))
    assert chained < 0.8 * alone


@pytest.mark.parametrize("portion", [1, 4, 20])
def test_the_prior_may_predict_a_frame_or_a_code_at_a_time(portion):
    codes = speechlike(20, (2, 5, 2), 6, rate=0.5)
    whole = PriorCoder((2, 5, 2), 6, Predictor(20, 6))
    parts = PriorCoder((2, 5, 2), 6, Predictor(20, 6, run=portion))
    payload = whole.encode(codes)
    assert payload == PriorCoder((2, 5, 2), 6, Predictor(20, 6, run=portion)).encode(codes)
    assert np.array_equal(parts.decode(payload, 20), codes)


def test_another_machines_rounding_errors_change_nothing():
    """Errors far above float64's, in every probability; those above the guard are noticed."""
    codes = speechlike(200, (6, 6, 8), 8, rate=0.3)
    header = header_of("prior", (6, 6, 8), 8)
    file = io.BytesIO()
    write_codes(file, header, codes, 4, predictor_of(header))
    for error in (1e-12, 2e-8):
        reader = Reader(file)
        parts = [part for _, part in decode(reader, predictor=predictor_of(header, error))]
        assert reader.problems == []
        assert np.array_equal(np.concatenate(parts), codes)
    reader = Reader(file)
    list(decode(reader, predictor=predictor_of(header, 0.3)))
    assert "lost" in reader.problems[0]


@pytest.mark.parametrize("coder", CODERS)
def test_refuses_codes_that_are_none(coder):
    header = header_of(coder, SHAPE, 6)
    for codes, what in (
        (np.full((3, *SHAPE), 6, np.uint8), "below 6"),
        (np.zeros((3, *SHAPE), np.int32), "uint8"),
        (np.zeros((3, 4, 3, 4), np.uint8), "uint8"),
    ):
        with pytest.raises(ValueError, match=what):
            write_codes(io.BytesIO(), header, codes, 1, predictor_of(header))
