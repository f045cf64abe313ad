"""FAR: which frames a logit depends on."""

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.models.far import FAR
from tests.models import tiny_priors
from tests.models.tiny_priors import CODES, HEADS, Shown, codes_of, conditioning_of


@pytest.fixture(scope="module")
def far():
    return tiny_priors.make("far")


def test_a_logit_depends_on_the_27_frames_before_it_and_on_no_other(far):
    """C.2.2. Row s has other codes in frame s: where do logits differ from the untouched rows'?"""
    frames = 30
    codes = np.repeat(codes_of(far, frames), frames, axis=0)
    changed = codes.copy()
    changed[range(frames), range(frames)] = (codes[0] + 1) % CODES
    conditioning = tiny_priors.repeated(conditioning_of(far, frames), frames)
    difference = np.abs(far.logits(changed, conditioning) - far.logits(codes, conditioning))
    found = difference.max(axis=(2, 3, 4, 5)) > 0  # [changed frame, logits' frame]
    expected = [[s < t <= s + 27 for t in range(frames)] for s in range(frames)]
    np.testing.assert_array_equal(found, expected)


def test_no_gradient_flows_to_the_frame_itself_or_later_ones(far, monkeypatch):
    frames = 5
    embedded = tf.random.stateless_normal((frames, *far.grid, HEADS * 4), (0, 1))
    conditioning = conditioning_of(far, frames)
    monkeypatch.setitem(far.__dict__, "embedding", Shown(embedded))
    for t in range(frames):
        with tf.GradientTape() as tape:
            tape.watch(embedded)
            logits = far.logits(tf.constant(codes_of(far, frames)), conditioning)
            total = tf.reduce_sum(tf.square(logits[:, t]))
        reached = np.abs(tape.gradient(total, embedded)).max(axis=(1, 2, 3)) > 0
        # Place k of the decoder's input holds frame k - 1.
        np.testing.assert_array_equal(reached, np.arange(frames) <= t)


def test_history_of_the_state_is_26_frames_in_all(far):
    assert sum(len(ring) for ring in far.init_state(1)[1]) == 26


@pytest.mark.parametrize("name", ["audio_pyramid", "style_pyramid"])
def test_a_pyramid_that_does_not_meet_the_grid_is_refused(name):
    with pytest.raises(ValueError, match=rf"{name} must have 2 levels, up to 4x4.*\(256,\)"):
        FAR(**{name: (256,)})


@pytest.mark.parametrize("dilations", [((1, 2),), (1, 2, 1), ((1, 1, 2), (1, 2))])
def test_blocks_have_three_dilations(dilations):
    with pytest.raises(ValueError, match=r"dilations\[.\] must be 3 dilations.*Received: "):
        FAR(dilations=dilations)


@pytest.mark.parametrize(
    ("grid", "levels", "side"), [((6, 5), 2, 8), ((12, 10), 3, 16), ((2, 1), 0, 2), ((1, 9), 3, 16)]
)
def test_any_grid_is_padded_to_one_that_pyramids_meet(grid, levels, side):
    pyramid = (8,) * levels
    far = tiny_priors.make("far", grid=grid, audio_pyramid=pyramid, style_pyramid=pyramid)
    assert far.side == side
    codes, conditioning = codes_of(far, 3), conditioning_of(far, 3)
    logits = far.logits(tf.constant(codes), conditioning)
    assert logits.shape == (1, 3, *grid, HEADS, CODES)
    changed = codes.copy()
    changed[:, 1] = (codes[:, 1] + 1) % CODES
    moved = np.abs(far.logits(tf.constant(changed), conditioning) - logits).max(axis=(0, 4, 5))
    assert not moved[:2].any() and moved[2].all()  # every place of the padded grid sees the past
