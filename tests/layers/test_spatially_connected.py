"""SC3D against a loop over places, in values and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.layers.spatially_connected import SpatiallyConnected3D, SpatialPyramid

FRAMES, HEIGHT, WIDTH, CHANNELS, FILTERS = 5, 3, 4, 2, 3
KERNELS = [(3, 2, 2), (2, 3, 1), (1, 1, 2), (4, 3, 3)]
BEFORE = {  # frames of zeros before and after the clip
    "same": lambda time: ((time - 1) // 2, time // 2),
    "causal": lambda time: (time - 1, 0),
    "valid": lambda time: (0, 0),
}


@pytest.fixture
def clip():
    return np.random.default_rng(0).normal(size=(2, FRAMES, HEIGHT, WIDTH, CHANNELS))


def layer_of(kernel_size, time_padding):
    layer = SpatiallyConnected3D(FILTERS, kernel_size, time_padding)
    layer.build((None, FRAMES, HEIGHT, WIDTH, CHANNELS))
    layer.bias.assign(np.random.default_rng(1).normal(size=FILTERS))
    return layer


def slow_sc3d(clip, kernel, bias, kernel_size, time_padding):
    """One output at a time: its place's own matrix on the inputs around it, zeros outside."""
    before, after = BEFORE[time_padding](kernel_size[0])
    frames = clip.shape[1] + before + after - kernel_size[0] + 1
    outputs = np.zeros((len(clip), frames, HEIGHT, WIDTH, FILTERS))
    for b, t, y, x in np.ndindex(*outputs.shape[:4]):
        total = bias.astype(np.float64)
        for tap, (i, j, k) in enumerate(np.ndindex(*kernel_size)):
            s = t + i - before
            v = y + j - (kernel_size[1] - 1) // 2
            u = x + k - (kernel_size[2] - 1) // 2
            if 0 <= s < clip.shape[1] and 0 <= v < HEIGHT and 0 <= u < WIDTH:
                own = kernel[y, x, tap * CHANNELS : (tap + 1) * CHANNELS]
                total = total + clip[b, s, v, u] @ own
        outputs[b, t, y, x] = total
    return outputs


@pytest.mark.parametrize("time_padding", ["same", "causal", "valid"])
@pytest.mark.parametrize("kernel_size", KERNELS)
def test_values_equal_a_loop_over_places(clip, kernel_size, time_padding):
    layer = layer_of(kernel_size, time_padding)
    kernel, bias = np.float64(layer.kernel), np.float64(layer.bias)
    expected = slow_sc3d(clip, kernel, bias, kernel_size, time_padding)
    np.testing.assert_allclose(layer(np.float32(clip)), expected, atol=1e-5)


@pytest.mark.parametrize("time_padding", ["same", "causal", "valid"])
def test_gradients_equal_the_loop_s(clip, time_padding):
    """The loop is linear in the clip and in the kernel, so slopes are values on unit arrays."""
    kernel_size = (2, 2, 2)
    layer = layer_of(kernel_size, time_padding)
    kernel = np.float64(layer.kernel)
    inputs = tf.constant(clip[:1], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
        direction = np.random.default_rng(2).normal(size=outputs.shape)
        total = tf.reduce_sum(outputs * direction.astype(np.float32))
    found = tape.gradient(total, (inputs, layer.kernel.value, layer.bias.value))
    zero = np.zeros(FILTERS)

    def slope(clip, kernel):
        return np.sum(direction * slow_sc3d(clip, kernel, zero, kernel_size, time_padding))

    rng = np.random.default_rng(3)
    for place in zip(*[rng.integers(0, size, 6) for size in clip[:1].shape], strict=True):
        unit = np.zeros_like(clip[:1])
        unit[place] = 1
        np.testing.assert_allclose(found[0].numpy()[place], slope(unit, kernel), atol=1e-4)
    for place in zip(*[rng.integers(0, size, 6) for size in kernel.shape], strict=True):
        unit = np.zeros_like(kernel)
        unit[place] = 1
        np.testing.assert_allclose(found[1].numpy()[place], slope(clip[:1], unit), atol=1e-4)
    np.testing.assert_allclose(found[2], direction.sum((0, 1, 2, 3)), atol=1e-4)


def test_places_have_weights_of_their_own_and_time_shares_them():
    layer = layer_of((3, 2, 2), "same")
    constant = np.ones((1, 9, HEIGHT, WIDTH, CHANNELS), np.float32)
    outputs = layer(constant).numpy()[0, 1:-1, :-1, :-1]  # away from the padding
    np.testing.assert_allclose(outputs, np.broadcast_to(outputs[:1], outputs.shape), atol=1e-6)
    places = outputs[0].reshape(-1, FILTERS)
    assert len(np.unique(places.round(4), axis=0)) == len(places)


def test_small_signals_pass_the_first_weights_and_mish_at_their_scale():
    layer = SpatiallyConnected3D(64, (3, 2, 2), "valid")
    signal = 0.1 * tf.random.stateless_normal((1, 6, 4, 4, 64), (0, 1))
    outputs = keras.activations.mish(layer(signal))[:, :, :-1, :-1]  # away from the padding
    assert 0.8 < float(tf.math.reduce_std(outputs)) / 0.1 < 1.2


def test_other_time_padding_is_refused():
    with pytest.raises(ValueError, match="time_padding='reflect'"):
        SpatiallyConnected3D(4, time_padding="reflect")


@pytest.mark.parametrize(("levels", "side"), [(1, 2), (2, 4), (3, 8)])
def test_pyramid_doubles_the_grid_a_level(levels, side):
    pyramid = SpatialPyramid((4, 3, 2)[:levels], (2, 2, 2))
    assert pyramid(tf.ones((2, 5, 6))).shape == (2, 5, side, side, (4, 3, 2)[levels - 1])


def test_valid_pyramid_on_a_constant_is_an_endless_clip_s_middle():
    pyramid = SpatialPyramid((4, 3), time_padding="valid")
    endless = SpatialPyramid((4, 3), time_padding="same")
    features = tf.random.stateless_normal((2, 1, 5), (0, 1))
    once = pyramid(tf.repeat(features, pyramid.time_span, axis=1))
    endless(features)
    endless.set_weights(pyramid.get_weights())
    length = 3 * pyramid.time_span
    middle = endless(tf.repeat(features, length, axis=1))[:, length // 2 : length // 2 + 1]
    assert once.shape == (2, 1, 4, 4, 3)
    np.testing.assert_allclose(once, middle, atol=1e-6)
