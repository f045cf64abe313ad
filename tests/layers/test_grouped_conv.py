"""Grouped convolutions: three forms of one function, its gradient and its second gradient."""

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.layers.grouped_conv import FORMS, GroupedConv

CASES = {  # input, filters, kernel, strides, groups
    "2d strided": ((2, 9, 8, 8), 16, (4, 4), (2, 2), 4),
    "2d of eight taps": ((2, 16, 12, 4), 8, (8, 8), (4, 4), 4),
    "3d": ((2, 4, 6, 5, 4), 6, (2, 3, 2), (1, 2, 1), 2),
    "ungrouped": ((2, 6, 5, 3), 4, (2, 2), (1, 1), 1),
}


def made(case, form):
    shape, filters, kernel, strides, groups = CASES[case]
    layer = GroupedConv(filters, kernel, strides, groups, form)
    layer.build(shape)
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return layer, tf.constant(rng.normal(size=shape), tf.float32)


@tf.function
def penalized(layer, inputs):
    """Outputs, and the kernel's gradient of the squared slopes: through the second gradient."""
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(inputs)
            outputs = layer(inputs)
            total = tf.reduce_sum(outputs**2)
        slopes = inner.gradient(total, inputs)
        squares = tf.reduce_sum(slopes**2)
    return outputs, slopes, outer.gradient(squares, layer.kernel.value)


@pytest.mark.parametrize("groups", [1, 4, 32])
def test_unit_noise_comes_out_alike_in_any_number_of_groups(groups):
    """Fans of the kernel's whole shape would have 32 groups come out at a fifth."""
    layer = GroupedConv(64, (4, 4), (2, 2), groups)
    noise = tf.random.stateless_normal((4, 32, 32, 64), (0, 1))
    assert 0.85 < float(tf.math.reduce_std(layer(noise))) < 1.15


@pytest.mark.parametrize("case", CASES)
def test_forms_agree_up_to_the_second_gradient(case):
    expected = penalized(*made(case, "grouped"))
    for form in FORMS[1:]:
        for found, wanted in zip(penalized(*made(case, form)), expected, strict=True):
            scale = np.abs(wanted).max()
            np.testing.assert_allclose(found / scale, wanted / scale, atol=2e-5)


@pytest.mark.parametrize("case", CASES)
def test_without_keras_wrapper_as_on_gpus(case, monkeypatch):
    """Only XLA has the gradients on a CPU."""
    compiled = tf.function(penalized.python_function, jit_compile=True)
    expected = compiled(*made(case, "grouped"))
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    bare = tf.function(penalized.python_function, jit_compile=True)
    layer, inputs = made(case, "grouped")
    functions = bare.get_concrete_function(layer, inputs).graph.as_graph_def().library.function
    assert not functions  # no wrapper, thus no zeros from one
    for found, wanted in zip(bare(layer, inputs), expected, strict=True):
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(found / scale, wanted / scale, atol=2e-5)


@pytest.mark.parametrize("case", CASES)
def test_without_keras_wrapper_as_on_gpus_op_by_op(case, monkeypatch):
    layer, inputs = made(case, "dense")
    expected = layer(inputs)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["a GPU"])
    with tf.GradientTape() as tape:
        outputs = layer(inputs)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    assert np.any(tape.gradient(outputs, layer.kernel.value))


def test_a_kernel_on_all_of_its_input_is_one_product(monkeypatch):
    for shape, kernel in (((3, 7, 5, 4), (7, 5)), ((2, 4, 3, 2, 1), (4, 3, 2))):
        layer = GroupedConv(6, kernel, kernel)
        layer.build(shape)
        inputs = tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)
        found = penalized(layer, inputs)
        assert found[0].shape == (shape[0], *[1] * len(kernel), 6)
        with monkeypatch.context() as patch:
            patch.setattr(layer, "_covers", lambda sizes: False)
            expected = penalized.python_function(layer, inputs)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_each_group_reads_its_own_channels():
    for form in FORMS:
        layer, inputs = made("2d strided", form)
        changed = inputs + tf.one_hot(3, 8)  # a channel of group 1: filters 4 to 7
        moved = np.abs(layer(changed) - layer(inputs)).max(axis=(0, 1, 2))
        assert (moved[4:8] > 1e-3).all() and (np.delete(moved, range(4, 8)) < 1e-5).all()


def test_it_computes_in_the_dtype_of_its_input():
    for form in FORMS:
        layer, inputs = made("2d strided", form)
        half = layer(tf.cast(inputs, tf.bfloat16))
        assert half.dtype == tf.bfloat16
        np.testing.assert_allclose(tf.cast(half, tf.float32), layer(inputs), atol=0.5)


def test_groups_that_do_not_divide_are_refused():
    for filters, groups in ((30, 16), (4, 0)):
        with pytest.raises(ValueError, match=f"filters={filters}. Received: groups={groups}"):
            GroupedConv(filters, (2, 2), (1, 1), groups)
    with pytest.raises(ValueError, match="divide the input's 6 channels. Received: groups=4"):
        GroupedConv(4, (2, 2), (1, 1), 4).build((None, 8, 8, 6))


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="form must be one of .*'fast'"):
        GroupedConv(4, (2, 2), (1, 1), form="fast")


@pytest.mark.parametrize(
    ("filters", "kernel", "strides", "named"),
    [
        (0, (2, 2), (1, 1), "filters"),
        (4, (2, 0), (1, 1), "kernel_size"),
        (4, (2,), (1,), "kernel_size"),
        (4, (2, 2), (0, 1), "strides"),
        (4, (2, 2), (1, 1, 1), "strides"),
    ],
)
def test_sizes_that_no_convolution_has_are_refused(filters, kernel, strides, named):
    with pytest.raises(ValueError, match=f"^{named} must be .*Received: "):
        GroupedConv(filters, kernel, strides)
