"""The projection is a dense layer on everything laid side by side, computed in parts."""

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.layers.conditioned_projection import ConditionedProjection

BATCH, FRAMES, SPACE, WIDTHS, FILTERS = 2, 3, (2, 2), (5, 4, 3, 2), 6


@pytest.fixture(scope="module")
def inputs():
    """Activations, audio, style and episode."""
    shapes = [(BATCH, FRAMES, *SPACE), (BATCH, FRAMES, *SPACE), (BATCH, 1, *SPACE), (BATCH,)]
    rng = np.random.default_rng(0)
    return [
        tf.constant(rng.normal(size=(*shape, width)), tf.float32)
        for shape, width in zip(shapes, WIDTHS, strict=True)
    ]


@pytest.fixture(scope="module")
def layer(inputs):
    layer = ConditionedProjection(FILTERS)
    layer(*inputs)
    layer.bias.assign(np.arange(FILTERS))
    return layer


def side_by_side(inputs):
    places = (BATCH, FRAMES, *SPACE)
    activations, audio, style, episode = inputs
    episode = tf.broadcast_to(episode[:, None, None, None], (*places, WIDTHS[3]))
    style = tf.broadcast_to(style, (*places, WIDTHS[2]))
    return tf.concat([activations, audio, style, episode], axis=-1)


def test_equals_a_dense_layer_on_the_concatenation(layer, inputs):
    expected = side_by_side(inputs) @ layer.kernel + layer.bias
    assert layer.kernel.shape == (sum(WIDTHS), FILTERS)
    np.testing.assert_allclose(layer(*inputs), expected, atol=1e-5)


def test_activations_may_be_a_sequence_of_the_places(layer, inputs):
    """MAR's activations have the grid's places in raster order."""
    flat = tf.reshape(inputs[0], (BATCH, -1, WIDTHS[0]))
    found = layer(flat, *inputs[1:])
    assert found.shape == (BATCH, FRAMES * 4, FILTERS)
    np.testing.assert_allclose(
        tf.reshape(found, (BATCH, FRAMES, *SPACE, FILTERS)), layer(*inputs), atol=1e-6
    )


def test_a_share_combines_with_activations_to_the_whole(layer, inputs):
    share = layer.share(*inputs[1:])
    assert share.values.shape == (BATCH, FRAMES, *SPACE, FILTERS)
    np.testing.assert_allclose(layer.combine(inputs[0], share), layer(*inputs), atol=1e-6)


def test_config_round_trip():
    layer = ConditionedProjection(7, name="project0", dtype="mixed_bfloat16")
    copied = ConditionedProjection.from_config(layer.get_config())
    assert copied.filters == 7 and copied.compute_dtype == "bfloat16"
