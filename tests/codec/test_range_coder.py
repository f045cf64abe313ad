"""The binary range coder and the tables that every reader must have."""

import numpy as np
import pytest

from nwt_tf.codec import range_coder
from nwt_tf.codec.checksum import crc32c
from nwt_tf.codec.prior_coder import MASSES, STEPS_PER_NAT


@pytest.mark.parametrize("seed", range(4))
def test_bits_come_back_at_about_their_information(seed):
    draws = np.random.default_rng(seed)
    chances = draws.choice([1, 8, 300, 20_000, 32_768, 65_000, 65_528, 65_535], 5000)
    bits = (draws.random(5000) < chances / 65536).astype(int)
    state, buffer = range_coder.start_encoding(20_000)
    for bit, p in zip(bits, chances, strict=True):
        range_coder.code_bit(state, buffer, False, int(bit), int(p))
    data = range_coder.finish_encoding(state, buffer)
    information = -np.log2(np.where(bits, chances, 65536 - chances) / 65536).sum() / 8
    assert information - 2 < len(data) < 1.002 * information + 4
    state, buffer = range_coder.start_decoding(data)
    found = [range_coder.code_bit(state, buffer, True, 0, int(p)) for p in chances]
    assert found == bits.tolist()


def test_the_tables_are_those_of_the_format():
    """And no entry lies where another machine's logarithm would round it elsewhere."""
    tables = {"stretch": range_coder.STRETCH, "squash": range_coder.SQUASH}
    sums = {name: crc32c(table.astype("<i4").view(np.uint8)) for name, table in tables.items()}
    sums["masses"] = crc32c(MASSES.astype("<i8").view(np.uint8))
    assert sums == {"stretch": 3432609622, "squash": 3252168258, "masses": 1998600565}
    p = (np.arange(4096) + 0.5) / 4096
    logits = np.arange(-3072, 3072) / 256
    exact = (
        256 * np.log(p / (1 - p)),
        65536 / (1 + np.exp(-logits)),
        2.0**20 * np.exp(-np.arange(256) / STEPS_PER_NAT),
    )
    for values in exact:
        borders = np.abs(values - np.floor(values) - 0.5)
        assert borders.min() > 1e-7


def test_the_checksum_is_crc32c():
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720
    assert crc32c(b"") == 0
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(np.arange(32, dtype=np.uint8).reshape(4, 8)) == 0x46DD794E
