"""A prior led by a caller sees what the full pass sees."""

import numpy as np
import pytest

from nwt_tf.generation.replay import Replay
from tests.models import tiny_priors
from tests.models.tiny_priors import CODES

FRAMES = 5


@pytest.mark.parametrize("kind", ["far", "mar", "har"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-12)])
def test_the_caller_is_asked_in_order_and_told_the_full_pass_logits(kind, dtype, tolerance):
    prior = tiny_priors.make(kind, dtype=dtype)
    codes = tiny_priors.codes_of(prior, FRAMES)
    conditioning = tiny_priors.conditioning_of(prior, FRAMES)
    flat, asked = codes.reshape(-1), []

    def choose(logits):
        done = sum(map(len, asked))
        asked.append(logits)
        return flat[done : done + len(logits)]

    replay = Replay(prior)
    for first, frames in ((0, 2), (2, 3)):  # the state lasts
        replay.run(conditioning, first, frames, choose)
    full = np.asarray(prior.logits(codes, conditioning)).reshape(-1, CODES)
    told = np.concatenate(asked)
    assert told.dtype == full.dtype == dtype
    assert np.abs(told - full).max() < tolerance * np.abs(full).max()
    again = []
    replay.restart()
    replay.run(conditioning, 0, 1, lambda logits: again.append(logits) or flat[: len(logits)])
    assert np.array_equal(again[0], asked[0])
