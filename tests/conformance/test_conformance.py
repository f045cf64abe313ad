"""Every layer and model of the table: shapes, dtypes, graphs, configs, gradients, saving.

All on a GPU where one is visible; `make test` hides it.
"""

import functools
import importlib
import inspect
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.ops import gen_nn_ops

import nwt_tf
from tests.conformance.table import TABLE, named

BATCH, TIME = 2, 5
every_row = pytest.mark.parametrize("name", TABLE)


@pytest.fixture(scope="module", autouse=True)
def exact_products():
    """On GPUs, where float32 is TF32 by default."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    yield
    tf.config.experimental.enable_tensor_float_32_execution(before)


class Specimen:
    """A row's layer, built, with its call as a graph of dynamic sizes."""

    def __init__(self, name, layer):
        self.row, self.layer = TABLE[name], layer
        self.graph = tf.function(self.eager, self.row.signature(), autograph=False)
        self.eager(*self.row.arrays(1, 2))

    def eager(self, *inputs):
        outputs = self.row.call(self.layer, *inputs)
        return outputs if isinstance(outputs, dict) else named(outputs)


@functools.cache
def specimen(name, dtype="float32"):
    """The row's layer with seeded weights; biases, too, are not zero."""
    keras.utils.set_random_seed(0)
    made = Specimen(name, TABLE[name].make(dtype=dtype))
    rng = np.random.default_rng(1)
    for variable in made.layer.trainable_variables:
        variable.assign_add(0.1 * rng.normal(size=variable.shape))
    return made


@functools.cache
def copy_from_config(name):
    """A layer made from the specimen's config, with weights of its own."""
    layer = specimen(name).layer
    return Specimen(name, type(layer).from_config(layer.get_config()))


def inputs_of(name):
    return TABLE[name].arrays(BATCH, TIME)


def assert_equal(found, expected, tolerance=1e-5):
    assert found.keys() == expected.keys()
    for key in expected:
        np.testing.assert_allclose(found[key], expected[key], atol=tolerance, err_msg=key)


def test_the_table_has_every_layer_and_model():
    rows = [type(specimen(name).layer) for name in TABLE]
    for package in ("layers", "models"):
        for module in pkgutil.iter_modules([f"{nwt_tf.__path__[0]}/{package}"]):
            content = vars(importlib.import_module(f"nwt_tf.{package}.{module.name}"))
            for kind in content.values():
                if inspect.isclass(kind) and issubclass(kind, keras.layers.Layer):
                    public = not kind.__name__.startswith("_") and kind.__module__[:6] == "nwt_tf"
                    assert not public or any(issubclass(row, kind) for row in rows), kind


@every_row
@pytest.mark.parametrize(("batch", "time"), [(1, 1), (3, 4)])
def test_shapes_of_any_batch_and_time(name, batch, time):
    row = TABLE[name]
    outputs = specimen(name).graph(*row.arrays(batch, time))
    assert {key: tuple(each.shape) for key, each in outputs.items()} == row.outputs(batch, time)
    for each in outputs.values():
        assert np.isfinite(tf.cast(each, tf.float32)).all()


@every_row
def test_eager_equals_graph(name):
    inputs = inputs_of(name)
    # Graphs fuse operations: float32 rounding differs, and adds up over a model's twenty layers.
    assert_equal(specimen(name).graph(*inputs), specimen(name).eager(*inputs), tolerance=5e-5)


def steady_uniform(shape, seed, minval=0.0, maxval=1.0):
    """Draws by integer arithmetic: XLA's generator gives others from a seed than TensorFlow's."""
    places = tf.range(1, 1 + tf.reduce_prod(shape))
    shares = tf.cast(places * 7919 % 1009, tf.float32) / 1009
    return tf.reshape(minval + (maxval - minval) * shares, shape)


def steady_normal(shape, seed):
    return steady_uniform(shape, seed, -2.0, 2.0)


@every_row
def test_xla_equals_graph(name, monkeypatch):
    tested, inputs = specimen(name), inputs_of(name)
    monkeypatch.setattr(tf.random, "stateless_uniform", steady_uniform)
    monkeypatch.setattr(tf.random, "stateless_normal", steady_normal)
    compiled = tf.function(tested.eager, jit_compile=True, autograph=False)
    graph = tf.function(tested.eager, autograph=False)
    assert_equal(compiled(*inputs), graph(*inputs), tolerance=1e-4)


@every_row
def test_config_round_trip(name):
    layer, copy = specimen(name).layer, copy_from_config(name).layer
    config = copy.get_config()
    assert config == layer.get_config()
    assert "dtype" in config or isinstance(layer, keras.Model)
    keras.saving.serialize_keras_object(config)  # plain values and lists only
    assert [v.path.split("/")[1:] for v in copy.weights] == [
        v.path.split("/")[1:] for v in layer.weights
    ]
    assert [v.shape for v in copy.weights] == [v.shape for v in layer.weights]
    inputs = inputs_of(name)
    shapes = {key: tuple(each.shape) for key, each in copy_from_config(name).eager(*inputs).items()}
    assert shapes == TABLE[name].outputs(BATCH, TIME)


@every_row
def test_bfloat16_is_near_float32(name):
    row = TABLE[name]
    low, full = specimen(name, "mixed_bfloat16"), specimen(name)
    assert all(weight.dtype == "float32" for weight in low.layer.weights)
    for variable, value in zip(low.layer.weights, full.layer.weights, strict=True):
        variable.assign(value)
    inputs = inputs_of(name)
    expected = full.graph(*inputs)
    for key, each in low.eager(*inputs).items():
        each = tf.cast(each, tf.float32).numpy()
        assert np.isfinite(each).all(), key
        if key not in row.drawn:
            spread = np.std(expected[key])
            difference = np.abs(each - tf.cast(expected[key], tf.float32))
            assert np.sqrt(np.mean(difference**2)) <= row.tolerance * spread, key


@pytest.fixture
def filter_gradients_in_float32(monkeypatch):
    """On CPUs, where TensorFlow 2.21's oneDNN leaves bfloat16 ones of Conv3D partly unwritten.

    Trainings are in float32 there, whatever `mixed_precision` says.
    """
    if tf.config.list_physical_devices("GPU"):
        return
    differentiate = gen_nn_ops.conv3d_backprop_filter_v2

    def in_float32(inputs, sizes, gradient, **arguments):
        both = tf.cast(inputs, tf.float32), tf.cast(gradient, tf.float32)
        return tf.cast(differentiate(both[0], sizes, both[1], **arguments), gradient.dtype)

    monkeypatch.setattr(gen_nn_ops, "conv3d_backprop_filter_v2", in_float32)


@every_row
@pytest.mark.usefixtures("filter_gradients_in_float32")
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_gradient_reaches_every_weight(name, dtype):
    row, tested = TABLE[name], specimen(name, dtype)
    layer = tested.layer
    with tf.GradientTape() as tape:
        total = 0.0
        for each in tested.eager(*inputs_of(name)).values():
            if each.dtype.is_floating:
                weights = tf.random.stateless_normal(tf.shape(each), (5, 6))
                total += tf.reduce_mean(tf.cast(each, tf.float32) * weights)
    gradients = tape.gradient(total, layer.trainable_variables)
    largest = {}
    for variable, each in zip(layer.trainable_variables, gradients, strict=True):
        each = tf.convert_to_tensor(each).numpy()  # embeddings have sparse gradients
        assert np.isfinite(each).all(), variable.path
        largest[variable.path] = np.abs(each).max()
    silent = {path for path in largest if path.endswith(tuple(row.silent))} if row.silent else set()
    assert len(silent) == len(row.silent)
    for path, value in largest.items():
        if path in silent:  # in bfloat16 what cancels out leaves a rounding error
            assert value < (1e-6 if dtype == "float32" else 1e-2), (path, value)
        else:
            assert value > 1e-8, (path, value)


def checkpoint_of(layer):
    """Of the weights themselves: Checkpoint(layer=layer) passes over sublayers in lists."""
    return tf.train.Checkpoint(weights=[weight.value for weight in layer.weights])


@every_row
def test_checkpoint_round_trip(name, tmp_path):
    layer, copy = specimen(name).layer, copy_from_config(name)
    path = checkpoint_of(layer).write(str(tmp_path / "checkpoint"))
    for variable in copy.layer.weights:
        variable.assign(tf.zeros_like(variable))
    checkpoint_of(copy.layer).read(path).assert_consumed()
    assert_equal(copy.eager(*inputs_of(name)), specimen(name).eager(*inputs_of(name)), 0.0)


@every_row
def test_saved_model_round_trip(name, tmp_path):
    exported = tf.Module()
    exported.graph = specimen(name).graph
    exported.weights = [weight.value for weight in specimen(name).layer.weights]
    tf.saved_model.save(exported, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for batch, time in ((BATCH, TIME), (1, 3)):
        inputs = TABLE[name].arrays(batch, time)
        assert_equal(loaded.graph(*inputs), specimen(name).graph(*inputs), 0.0)
