"""Causal convolutions: equal to Keras on padded input, blind to the future, steppable."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.layers.causal_conv import CausalConv1D, CausalConv3D

FRAMES, SPACE, CHANNELS, FILTERS = 9, (4, 3), 5, 6
DILATIONS = [1, 2, 4]
KERNELS_3D = [(3, 2, 2), (2, 3, 3), (1, 1, 1)]
KERNELS_1D = [(4,), (2,), (1,)]


def clip_of(kernel_size):
    space = SPACE if len(kernel_size) == 3 else ()
    return tf.random.stateless_normal((2, FRAMES, *space, CHANNELS), (0, 1))


def layer_of(kernel_size, dilation, dtype="float32"):
    kind = CausalConv3D if len(kernel_size) == 3 else CausalConv1D
    layer = kind(FILTERS, kernel_size, dilation, dtype=dtype)
    layer.build(clip_of(kernel_size).shape)
    rng = np.random.default_rng(dilation)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(size=variable.shape, scale=0.3))
    return layer


@pytest.mark.parametrize("dilation", DILATIONS)
@pytest.mark.parametrize("kernel_size", KERNELS_3D + KERNELS_1D)
def test_equals_keras_on_padded_input(kernel_size, dilation):
    layer, clip = layer_of(kernel_size, dilation), clip_of(kernel_size)
    time, *space = kernel_size
    conv = keras.layers.Conv3D if space else keras.layers.Conv1D
    reference = conv(FILTERS, kernel_size, dilation_rate=(dilation, *[1] * len(space)))
    around = [((size - 1) // 2, size // 2) for size in space]
    padded = tf.pad(clip, [(0, 0), ((time - 1) * dilation, 0), *around, (0, 0)])
    reference.build(padded.shape)
    reference.set_weights(layer.get_weights())
    np.testing.assert_allclose(layer(clip), reference(padded), atol=1e-5)


@pytest.mark.parametrize("dilation", DILATIONS)
@pytest.mark.parametrize("kernel_size", [(3, 2, 2), (4,)])
def test_gradient_reaches_the_taps_and_is_exactly_zero_elsewhere(kernel_size, dilation):
    layer, clip = layer_of(kernel_size, dilation), clip_of(kernel_size)
    for t in (0, 3, FRAMES - 1):
        with tf.GradientTape() as tape:
            tape.watch(clip)
            total = tf.reduce_sum(tf.square(layer(clip)[:, t]))
        slopes = np.abs(tape.gradient(total, clip))
        reached = np.moveaxis(slopes, 1, 0).reshape(FRAMES, -1).max(axis=1) > 0
        taps = {t - k * dilation for k in range(kernel_size[0])}
        np.testing.assert_array_equal(reached, [s in taps for s in range(FRAMES)])


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 0.05)])
@pytest.mark.parametrize("dilation", DILATIONS)
@pytest.mark.parametrize("kernel_size", [(3, 2, 2), (4,), (1,)])
def test_stepping_equals_the_full_pass(kernel_size, dilation, dtype, tolerance):
    layer, clip = layer_of(kernel_size, dilation, dtype), clip_of(kernel_size)
    full = layer(clip)
    state = layer.init_state(len(clip), *clip.shape[2:-1])
    assert full.dtype == state.dtype == layer.compute_dtype
    assert len(state) == layer.history == (kernel_size[0] - 1) * dilation
    for t in range(FRAMES):
        inputs = tf.cast(clip[:, t], layer.compute_dtype)
        frame, state = layer.step(inputs, state, tf.constant(t))
        assert frame.dtype == full.dtype and len(state) == layer.history
        np.testing.assert_allclose(
            tf.cast(frame, tf.float32), tf.cast(full[:, t], tf.float32), atol=tolerance
        )


def test_the_ring_holds_the_last_inputs_each_in_its_slot():
    layer, clip = layer_of((3,), 2), clip_of((3,))
    state = layer.init_state(2)
    for t in range(7):
        state = layer.step(clip[:, t], state, t)[1]
    for t in (3, 4, 5, 6):
        np.testing.assert_array_equal(state[t % 4], clip[:, t])


@pytest.mark.parametrize("dilation", DILATIONS)
@pytest.mark.parametrize("kernel_size", [(3, 2, 2), (4,), (1,)])
def test_extending_equals_the_full_pass_however_it_is_cut(kernel_size, dilation):
    layer, clip = layer_of(kernel_size, dilation), clip_of(kernel_size)
    state, found, stepped = layer.init_state(len(clip), *clip.shape[2:-1]), [], None
    for start, end in ((0, 1), (1, 3), (3, FRAMES)):
        outputs, state = layer.extend(clip[:, start:end], state, tf.constant(start))
        found.append(outputs)
    np.testing.assert_allclose(np.concatenate(found, axis=1), layer(clip), atol=1e-5)
    stepped = layer.init_state(len(clip), *clip.shape[2:-1])
    for t in range(FRAMES):
        stepped = layer.step(clip[:, t], stepped, tf.constant(t))[1]
    np.testing.assert_array_equal(state, stepped)
