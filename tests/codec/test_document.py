"""docs/codec.md suffices: a reader written from it alone, in plain Python, reads the files."""

import io
import math

import numpy as np
import pytest

from nwt_tf.codec.coding import write_codes
from tests.codec.files import (
    Predictor,
    file_of,
    file_with_sound,
    header_of,
    speechlike,
)
from tests.codec.plain_container import crc32c, header, read_raw, read_rle, records, sound
from tests.codec.plain_models import ContextReader, RangeDecoder, close_calls, masses


def read(data, predict=None):
    """All codes of a file; `predict` gives ln P [symbols, num_codes] of a frame."""
    about, _ = header(data)
    shape = about["h"], about["w"], about["heads"]
    places, width = math.prod(shape), max(1, (about["num_codes"] - 1).bit_length())
    contexts, last, found = ContextReader(shape, about["num_codes"]), None, []
    for kind, key, frames, first, checksum, payload in records(data):
        if kind != 1:
            continue
        if key:
            contexts.reset()
            last = None
        if about["coder"] == 0:
            codes = read_raw(payload, frames, places, width)
        elif about["coder"] == 1:
            codes = read_rle(payload, frames, places, width, last)
        else:
            mass, position = [None] * frames, 0
            if predict:
                log_p = np.concatenate([predict(first + t) for t in range(frames)])
                # The tests' predictor tells one byte, where a prior tells style and mel.
                rounded, position = close_calls(payload, 1, 16 * log_p.reshape(-1))
                mass = masses(log_p, rounded)
                mass = [mass[t * places : (t + 1) * places] for t in range(frames)]
            decoder = RangeDecoder(payload[position:])
            codes = np.array([contexts.frame(decoder, mass[t]) for t in range(frames)])
        found.append(codes.reshape(frames, *shape))
        assert crc32c(found[-1].astype(np.uint8).tobytes()) == checksum
        last = found[-1][-1].reshape(-1)
    return np.concatenate(found)


@pytest.mark.parametrize("coder", ["raw", "rle", "context"])
@pytest.mark.parametrize(("num_codes", "rate"), [(8, 0.05), (5, 0.6), (200, 0.3)])
def test_a_reader_written_from_the_document(coder, num_codes, rate):
    for shape, key_chunks in (((3, 4, 3), 1), ((2, 3, 10), 2)):
        codes = speechlike(16, shape, num_codes, rate=rate)
        assert np.array_equal(read(file_of(coder, codes, num_codes, key_chunks, 5)), codes)


class Leaning(Predictor):
    """Some of its numbers lie next to a border of steps, on the side that `lean` says."""

    lean = 1e-9

    def run(self, frames, choose):
        def nudged(log_p):
            log_p = log_p.copy()
            log_p[::5, 0] = (np.rint(16 * log_p[::5, 0]) + 0.5 + self.lean) / 16
            return choose(log_p)

        super().run(frames, nudged)


def test_a_prior_s_probabilities_of_another_machine():
    """Section 7 but the network; numbers close to a border fall to the other side here."""
    shape, file = (2, 3, 3), io.BytesIO()
    codes = speechlike(12, shape, 6, rate=0.4)
    write_codes(file, header_of("prior", shape, 6, 5), codes, 2, Leaning(18, 6))
    here = Leaning(18, 6)
    here.lean = -1e-9

    def predict(frame):
        found, here.first = [], frame
        here.run(1, found.append)
        return found[0]

    assert np.array_equal(read(file.getvalue(), predict), codes)


def test_header_and_sound_are_read():
    data, codes, packets = file_with_sound("raw")
    about, _ = header(data)
    assert (about["sound"], about["sample_rate"], about["channels"]) == (1, 16000, 1)
    assert (about["base"], about["base_per"]) == (1, 16000)
    assert (about["configuration"], about["episode"]) == (b"\x14\x08", "épisode")
    assert (about["rate"], about["per"], about["chunk_frames"], about["frames"]) == (25, 1, 10, 60)
    found = [sound(payload) for kind, *_, payload in records(data) if kind == 2]
    assert sum(found, []) == [tuple(packet) for packet in packets]
    assert np.array_equal(read(data), codes)


def test_every_run_length_code_is_read():
    """Each of the 48, by codes that make it the cheapest or by forcing it."""
    from nwt_tf.codec import rle

    codes = speechlike(40, (2, 2, 2), 4, rate=0.1)
    for mode in [*range(24), *range(32, 56)]:
        with pytest.MonkeyPatch.context() as patch:
            costs = rle._costs
            layout = iter((mode < 32, mode >= 32))
            patch.setattr(
                rle, "_costs",
                lambda lengths, costs=costs, layout=layout, mode=mode: [
                    cost - (10**9 if i == mode % 32 and chosen else 0)
                    for chosen in [next(layout)] for i, cost in enumerate(costs(lengths))
                ],
            )  # fmt: skip
            patch.setattr(rle.np, "zeros", lambda *a, zeros=np.zeros: zeros(max(a[0], 4000), a[1]))
            payload = rle.RunLengths((2, 2, 2), 4).encode(codes)
        assert payload[0] == mode
        assert np.array_equal(read_rle(payload, 40, 8, 2, None), codes.reshape(40, -1))
        back = rle.RunLengths((2, 2, 2), 4).decode(payload, 40)
        assert np.array_equal(back, codes)
