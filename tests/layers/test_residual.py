"""The residual block against its sum in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.layers.residual import ResidualBlock2D, leaky_relu


def slow_conv(inputs, kernel, bias):
    """'Same' 2D convolution [N, H, W, C] in loops; an even kernel reads further right and down."""
    high, wide = kernel.shape[:2]
    rows, columns = ((high - 1) // 2, high // 2), ((wide - 1) // 2, wide // 2)
    padded = np.pad(inputs, ((0, 0), rows, columns, (0, 0)))
    outputs = np.zeros((*inputs.shape[:3], kernel.shape[3]))
    for y, x in np.ndindex(*inputs.shape[1:3]):
        outputs[:, y, x] = np.tensordot(padded[:, y : y + high, x : x + wide], kernel, 3) + bias
    return outputs


def slow_relu(values):
    return np.where(values > 0, values, 0.2 * values)


@pytest.mark.parametrize("num_convs", [1, 2])
@pytest.mark.parametrize("filters", [3, 5])
def test_equals_the_sum_of_shortcut_and_convolutions(filters, num_convs):
    inputs = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)
    block = ResidualBlock2D(filters, 4, num_convs)
    found = block(inputs)
    weights = [w.astype(np.float64) for w in block.get_weights()]
    convs = [(block.convs[i].kernel, block.convs[i].bias) for i in range(num_convs)]
    branch = inputs.astype(np.float64)
    for i, (kernel, bias) in enumerate(convs):
        branch = slow_conv(branch, np.float64(kernel), np.float64(bias))
        branch = slow_relu(branch) if i < num_convs - 1 else branch
    carried = inputs
    if filters != 3:  # the width changes: a 1x1 convolution
        carried = inputs @ np.float64(block.shortcut.kernel[0, 0]) + np.float64(block.shortcut.bias)
    assert len(weights) == 2 * num_convs + 2 * (filters != 3)
    np.testing.assert_allclose(found, slow_relu(carried + branch), atol=1e-5)


def test_leaky_relu_has_slope_a_fifth():
    np.testing.assert_allclose(leaky_relu(tf.constant([-2.0, 0.0, 3.0])), [-0.4, 0.0, 3.0])
