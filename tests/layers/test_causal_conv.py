"""Causal convolutions: equal to Keras on padded input, blind to the future, steppable."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.layers.causal_conv import CausalConv3D

FRAMES, HEIGHT, WIDTH, CHANNELS, FILTERS = 9, 4, 3, 5, 6
DILATIONS = [1, 2, 4]


@pytest.fixture(scope="module")
def clip():
    return tf.random.stateless_normal((2, FRAMES, HEIGHT, WIDTH, CHANNELS), (0, 1))


def layer_of(dilation, kernel_size=(3, 2, 2), dtype="float32"):
    layer = CausalConv3D(FILTERS, kernel_size, dilation, dtype=dtype)
    layer.build((None, None, HEIGHT, WIDTH, CHANNELS))
    rng = np.random.default_rng(dilation)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(size=variable.shape, scale=0.3))
    return layer


@pytest.mark.parametrize("dilation", DILATIONS)
@pytest.mark.parametrize("kernel_size", [(3, 2, 2), (2, 3, 3), (1, 1, 1)])
def test_equals_keras_on_padded_input(clip, kernel_size, dilation):
    layer = layer_of(dilation, kernel_size)
    reference = keras.layers.Conv3D(FILTERS, kernel_size, dilation_rate=(dilation, 1, 1))
    time, height, width = kernel_size
    padded = tf.pad(
        clip,
        [
            (0, 0),
            ((time - 1) * dilation, 0),
            ((height - 1) // 2, height // 2),
            ((width - 1) // 2, width // 2),
            (0, 0),
        ],
    )
    reference.build(padded.shape)
    reference.set_weights(layer.get_weights())
    np.testing.assert_allclose(layer(clip), reference(padded), atol=1e-5)


@pytest.mark.parametrize("dilation", DILATIONS)
def test_gradient_reaches_the_taps_and_is_exactly_zero_elsewhere(clip, dilation):
    layer = layer_of(dilation)
    for t in (0, 3, FRAMES - 1):
        with tf.GradientTape() as tape:
            tape.watch(clip)
            total = tf.reduce_sum(tf.square(layer(clip)[:, t]))
        reached = np.abs(tape.gradient(total, clip)).max(axis=(0, 2, 3, 4)) > 0
        taps = {t - k * dilation for k in range(3)}
        np.testing.assert_array_equal(reached, [s in taps for s in range(FRAMES)])


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 0.05)])
@pytest.mark.parametrize("dilation", DILATIONS)
def test_stepping_equals_the_full_pass(clip, dilation, dtype, tolerance):
    layer = layer_of(dilation, dtype=dtype)
    full = layer(clip)
    state = layer.init_state(len(clip), HEIGHT, WIDTH)
    assert full.dtype == state.dtype == layer.compute_dtype
    assert state.shape[1] == layer.history == 2 * dilation
    for t in range(FRAMES):
        frame, state = layer.step(tf.cast(clip[:, t], layer.compute_dtype), state)
        assert frame.dtype == full.dtype
        np.testing.assert_allclose(
            tf.cast(frame, tf.float32), tf.cast(full[:, t], tf.float32), atol=tolerance
        )


def test_works_inside_a_graph_with_dynamic_batch_and_time(clip):
    layer = layer_of(2)
    shape = [None, None, HEIGHT, WIDTH, CHANNELS]
    graph = tf.function(layer.call, input_signature=[tf.TensorSpec(shape)])
    for frames in (1, 4, FRAMES):
        np.testing.assert_allclose(graph(clip[:1, :frames]), layer(clip[:1, :frames]), atol=1e-6)


def test_config_round_trip(clip):
    layer = layer_of(4, (2, 2, 2))
    copy = CausalConv3D.from_config(layer.get_config())
    copy.build(clip.shape)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(clip), layer(clip))
