"""Reshapes between clips and frames, nearest-neighbour upsampling and padding."""

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.layers.resample import fold_time, keep_valid, pad_grid, unfold_time, upsample


@pytest.fixture
def clips():
    return np.random.default_rng(0).normal(size=(2, 3, 4, 5, 6)).astype(np.float32)


def test_fold_puts_a_clip_s_frames_one_after_another(clips):
    frames = fold_time(tf.constant(clips))
    np.testing.assert_array_equal(frames, [frame for clip in clips for frame in clip])


def test_unfold_undoes_fold_and_keeps_new_sizes(clips):
    frames = fold_time(tf.constant(clips))
    np.testing.assert_array_equal(unfold_time(frames, like=clips), clips)
    smaller = unfold_time(frames[:, :2, :1, :3], like=clips)
    np.testing.assert_array_equal(smaller, clips[:, :, :2, :1, :3])


def test_fold_and_unfold_with_dynamic_sizes(clips):
    @tf.function(input_signature=[tf.TensorSpec([None, None, 4, 5, 6])])
    def round_trip(inputs):
        outputs = unfold_time(fold_time(inputs), like=inputs)
        assert outputs.shape.as_list() == [None, None, 4, 5, 6]
        return outputs

    np.testing.assert_array_equal(round_trip(clips), clips)
    np.testing.assert_array_equal(round_trip(clips[:1, :2]), clips[:1, :2])


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_upsampling_repeats_the_nearest_place(lead, factor):
    grids = np.random.default_rng(0).normal(size=(*lead, 2, 3, 4)).astype(np.float32)
    found = upsample(tf.constant(grids), factor).numpy()
    assert found.shape == (*lead, 2 * factor, 3 * factor, 4)
    for y, x in np.ndindex(2 * factor, 3 * factor):
        nearest = grids[..., y // factor, x // factor, :]
        np.testing.assert_array_equal(found[..., y, x, :], nearest)


@pytest.mark.parametrize("lead", [(2,), (2, 3)])
def test_padding_adds_zeros_at_the_bottom_and_right(lead):
    grids = np.random.default_rng(0).normal(size=(*lead, 3, 2, 4)).astype(np.float32)
    found = pad_grid(tf.constant(grids), 5, 4).numpy()
    expected = np.zeros((*lead, 5, 4, 4), np.float32)
    expected[..., :3, :2, :] = grids
    np.testing.assert_array_equal(found, expected)


def test_keep_valid_zeros_the_frames_outside_of_the_clip():
    clips = tf.ones((2, 4, 3, 3, 5))
    assert keep_valid(clips, None) is clips
    kept = keep_valid(clips, tf.constant([False, True, True, False]))
    np.testing.assert_array_equal(tf.reduce_sum(kept, axis=(0, 2, 3, 4)), [0, 90, 90, 0])
    assert keep_valid(tf.ones((1, 2, 3), tf.bfloat16), [1, 0]).dtype == tf.bfloat16
