"""MAR and HAR: what a logit depends on in raster order, and over the heads of a Memcode."""

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.models.mar import MAR
from tests.models import tiny_priors
from tests.models.tiny_priors import (
    CODES,
    HEADS,
    RASTER_FIELD,
    Shown,
    codes_of,
    conditioning_of,
    elements,
)

FRAMES = 4  # 24 Memcodes


@pytest.fixture(scope="module")
def mar():
    return tiny_priors.make("mar")


@pytest.fixture(scope="module")
def har():
    return tiny_priors.make("har")


def moved_logits(prior, frames):
    """Which logits move with which code: bool [N, heads, N, heads], the changed code first."""
    codes = codes_of(prior, frames)
    count = codes.size
    rows = np.repeat(codes, count, axis=0).reshape(count, count)
    rows[range(count), range(count)] = (codes.ravel() + 1) % CODES
    changed = rows.reshape(count, *codes.shape[1:])
    conditioning = conditioning_of(prior, frames)
    moved = prior.logits(changed, tiny_priors.repeated(conditioning, count))
    difference = np.abs(
        moved
        - prior.logits(np.repeat(codes, count, axis=0), tiny_priors.repeated(conditioning, count))
    )
    return difference.max(axis=-1).reshape(count // HEADS, HEADS, count // HEADS, HEADS) > 0


def test_a_mar_logit_depends_on_the_memcodes_before_it_in_raster_order(mar):
    """Every head of the last RASTER_FIELD Memcodes moves every head, and nothing else does."""
    found = moved_logits(mar, FRAMES)
    for s, j, n, k in np.ndindex(*found.shape):
        assert found[s, j, n, k] == (s < n <= s + RASTER_FIELD), (s, j, n, k)


def test_a_har_logit_depends_on_the_heads_before_it_as_well(har):
    found = moved_logits(har, 2)
    for s, j, n, k in np.ndindex(*found.shape):
        expected = j < k if s == n else s < n <= s + RASTER_FIELD
        assert found[s, j, n, k] == expected, (s, j, n, k)


def test_receptive_field_of_table_6_is_3070_memcodes():
    prior = MAR()
    assert sum(conv.history for block in prior.blocks for conv in block) + 1 == 3070
    assert 13 < 3070 / prior.steps_per_frame < 14  # frames


@pytest.mark.parametrize("kind", ["mar", "har"])
def test_no_gradient_flows_to_the_memcode_itself_or_later_ones(kind, request, monkeypatch):
    prior = request.getfixturevalue(kind)
    count = 2 * prior.steps_per_frame
    embedded = tf.random.stateless_normal((1, count, 4), (0, 1))
    conditioning = conditioning_of(prior, 2)
    monkeypatch.setitem(prior.__dict__, "embedding", Shown(embedded))
    codes = tf.constant(codes_of(prior, 2))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(embedded)
        logits = tf.reshape(prior.logits(codes, conditioning), (count, -1))
        totals = {n: tf.reduce_sum(tf.square(logits[n])) for n in (0, 5, 11)}
    for n, total in totals.items():
        reached = np.abs(tape.gradient(total, embedded)[0]).max(axis=-1) > 0
        # Place k of the decoder's input holds Memcode k - 1.
        expected = [n - RASTER_FIELD < k <= n for k in range(count)]
        np.testing.assert_array_equal(reached, expected)


def test_no_gradient_flows_to_the_head_itself_or_later_ones(har, monkeypatch):
    count = har.steps_per_frame
    embedded = tf.random.stateless_normal((count, HEADS, har.head_width), (0, 1))
    conditioning = conditioning_of(har, 1)
    monkeypatch.setitem(har.__dict__, "head_embedding", Shown(embedded))
    codes = tf.constant(codes_of(har, 1))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(embedded)
        logits = tf.reshape(har.logits(codes, conditioning), (count, HEADS, CODES))
        totals = [tf.reduce_sum(tf.square(logits[3, head])) for head in range(HEADS)]
    for head, total in enumerate(totals):
        reached = np.abs(tape.gradient(total, embedded)).max(axis=-1) > 0
        expected = np.zeros((count, HEADS), bool)
        expected[3, : head + 1] = True  # place k of the network's input holds head k - 1
        np.testing.assert_array_equal(reached, expected)


def test_the_same_code_means_another_thing_in_another_head(mar, har):
    """Heads are summed, so swapping two heads' codes must show."""
    for prior in (mar, har):
        codes = codes_of(prior, 1)
        codes[..., 0], codes[..., 1] = 1, 2
        swapped = codes[..., [1, 0, 2]]
        conditioning = conditioning_of(prior, 1)
        difference = prior.logits(codes, conditioning) - prior.logits(swapped, conditioning)
        assert np.abs(elements(prior, difference)[:, 1:]).max() > 1e-3


def test_har_has_no_logits_of_a_memcode_at_once(har):
    with pytest.raises(TypeError, match="use draw"):
        har.step(None, None, None)


@pytest.mark.parametrize("name", ["audio_pyramid", "style_pyramid"])
def test_a_pyramid_that_does_not_cover_the_grid_is_refused(name):
    with pytest.raises(
        ValueError, match=rf"{name} must have levels up to the grid \(16, 14\).*4\)"
    ):
        MAR(**{name: (8, 8, 4)})


@pytest.mark.parametrize("blocks", [(), ((),), ((16, 1), (16, 2)), (((16,),),), 3])
def test_blocks_are_of_filters_and_dilations(blocks):
    with pytest.raises(ValueError, match="blocks must be .filters, dilation. .*Received: blocks="):
        MAR(blocks=blocks)


def test_the_last_of_many_heads_depends_on_the_first():
    har = tiny_priors.make("har", num_heads=12)
    codes = np.zeros((1, 1, *har.grid, 12), np.int32)
    changed = codes.copy()
    changed[..., 0] = 1
    conditioning = conditioning_of(har, 1)
    moved = np.abs(har.logits(changed, conditioning) - har.logits(codes, conditioning))
    assert (moved[0, 0, 0, 0, 1:].max(axis=-1) > 0).all()
    assert moved[0, 0, 0, 0, 0].max() == 0
