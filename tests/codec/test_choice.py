"""Codes that cost less."""

import itertools

import numpy as np
import pytest

from nwt_tf.codec.choice import BITS, choose_codes, distortion_weight


def cost(codes, logits, weights, lam, before):
    chosen = np.take_along_axis(logits, codes[..., None].astype(int), -1)[..., 0]
    total = float(((logits.max(-1) - chosen) * weights).sum())
    steps = codes if before is None else np.concatenate([before[None], codes])
    return total + lam * BITS * float((steps[1:] != steps[:-1]).sum())


@pytest.mark.parametrize("lam", [0.0, 0.05, 0.3, 3.0])
@pytest.mark.parametrize("with_before", [False, True])
def test_it_is_the_cheapest_of_all(lam, with_before):
    draws = np.random.default_rng(3)
    logits = draws.normal(size=(4, 1, 1, 2, 3)).astype(np.float32)
    weights = np.array([0.5, 2.0])
    before = np.array([[[2, 0]]], np.uint8) if with_before else None
    found = choose_codes(logits, weights, lam, before)
    every = itertools.product(range(3), repeat=8)
    best = min(
        cost(np.array(each, np.uint8).reshape(4, 1, 1, 2), logits, weights, lam, before)
        for each in every
    )
    assert cost(found, logits, weights, lam, before) == pytest.approx(best, abs=1e-5)


def test_full_quality_is_arg_max_and_less_changes_less():
    logits = np.random.default_rng(0).normal(size=(30, 3, 2, 4, 8)).astype(np.float32)
    assert distortion_weight(100) == 0
    changes = []
    for quality in (100, 95, 90, 80, 40, 0):
        codes = choose_codes(logits, np.ones(4), distortion_weight(quality))
        changes.append(int((codes[1:] != codes[:-1]).sum()))
    assert np.array_equal(choose_codes(logits, np.ones(4), 0.0), logits.argmax(-1))
    assert changes == sorted(changes, reverse=True)
    assert changes[0] > 10 * changes[2] and changes[-1] == 0
    with pytest.raises(ValueError, match="quality"):
        distortion_weight(101)
