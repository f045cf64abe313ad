"""What every quantiser promises, and what each does beside it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.studies.comparison import QUANTIZERS
from nwt_tf.studies.quantizers import Memcodes
from nwt_tf.studies.scalar_quantizers import FiniteScalar, LookupFree
from nwt_tf.studies.vector_quantizers import VectorEMA

SEED = tf.constant([1, 2])
every_quantizer = pytest.mark.parametrize("name", QUANTIZERS)


def made(name, num_heads=3, num_codes=4, width=7, **arguments):
    """A built layer; the same weights for the same sizes."""
    keras.utils.set_random_seed(0)
    layer = QUANTIZERS[name](num_heads, num_codes, 12, **arguments)
    layer.build((None, width))
    return layer


@pytest.fixture(scope="module")
def queries():
    return 3.0 * tf.random.stateless_normal((2, 5, 4, 7), (0, 1))


@every_quantizer
def test_shapes_and_ranges(name, queries):
    layer = made(name)
    for arguments in ({}, {"seed": SEED, "training": True, "temperature": 0.5}):
        values, codes, loss = layer(queries, **arguments)
        assert (values.shape, codes.shape, loss.shape) == ((2, 5, 4, 12), (2, 5, 4, 3), ())
        assert (values.dtype, codes.dtype) == (tf.float32, tf.int32)
        assert 0 <= np.min(codes) and np.max(codes) < 4
        assert np.isfinite(values).all() and np.isfinite(loss)
    assert len(np.unique(codes)) == 4


@every_quantizer
def test_codes_alone_give_the_values_back(name, queries):
    layer = made(name)
    values, codes, _ = layer(queries)
    np.testing.assert_allclose(layer.lookup(codes), values, atol=1e-6)


@every_quantizer
def test_a_drop_in_learns(name):
    """Between two dense layers, points of eight places come back, by way of six bits."""
    layer = made(name, width=16)
    encoder, decoder = keras.layers.Dense(16, "gelu"), keras.layers.Dense(2)
    places = tf.random.stateless_normal((8, 2), (3, 4))
    points = tf.repeat(places, 8, axis=0)
    optimizer = keras.optimizers.Adam(1e-2)

    @tf.function
    def step(seed, temperature):
        with tf.GradientTape() as tape:
            quantized = layer(encoder(points), seed=seed, temperature=temperature, training=True)
            error = tf.reduce_mean(tf.square(decoder(quantized.values) - points))
            total = error + 0.01 * quantized.loss
        variables = [v for part in (encoder, layer, decoder) for v in part.trainable_variables]
        optimizer.apply(tape.gradient(total, variables), variables)
        return error

    encoder(points), decoder(tf.zeros((1, 12)))
    for number in range(150):
        step(tf.constant([0, number]), tf.constant(0.98**number))
    error = tf.reduce_mean(tf.square(decoder(layer(encoder(points)).values) - points))
    assert error < 0.25 * np.var(points)


@every_quantizer
def test_config_round_trip(name, queries):
    layer = made(name)
    copy = type(layer).from_config(layer.get_config())
    copy.build((None, 7))
    for variable, value in zip(copy.weights, layer.weights, strict=True):
        variable.assign(value)
    np.testing.assert_array_equal(copy(queries).values, layer(queries).values)
    assert copy.get_config() == layer.get_config()


@every_quantizer
def test_impossible_sizes_are_refused(name):
    for sizes in ((0, 4), (5, 4), (3, 1)):
        with pytest.raises(ValueError, match="num_heads"):
            made(name, *sizes)


def test_natural_sampling_draws_the_same_and_differs_in_the_gradient(queries):
    layers = [made("memcodes"), made("memcodes", natural=True)]
    found = []
    for layer in layers:
        with tf.GradientTape() as tape:
            tape.watch(queries)
            out = layer(queries, seed=SEED, training=True)
            total = tf.reduce_sum(tf.square(out.values))
        found.append((out.codes, out.values, tape.gradient(total, queries)))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])
    assert np.abs(found[0][2] - found[1][2]).max() > 1e-3


def test_without_noise_both_gradients_agree(queries):
    found = []
    for layer in (made("memcodes"), made("memcodes", natural=True)):
        with tf.GradientTape() as tape:
            tape.watch(queries)
            total = tf.reduce_sum(tf.square(layer(queries, training=True).values))
        found.append(tape.gradient(total, queries))
    np.testing.assert_array_equal(*found)


def test_memcodes_loss_is_the_kl_to_uniform(queries):
    layer = made("memcodes")
    assert isinstance(layer, Memcodes)
    chance = tf.nn.softmax(tf.reshape(layer.attention.logits(queries), (-1, 4)))
    entropy = -tf.reduce_sum(chance * tf.math.log(chance), axis=-1)
    expected = 3 * tf.reduce_mean(np.log(4) - entropy)
    np.testing.assert_allclose(layer(queries).loss, expected, rtol=1e-5)


@pytest.mark.parametrize("num_codes", [2, 3, 4, 5, 8])
def test_finite_scalars_reach_every_level_and_no_other(num_codes):
    layer = FiniteScalar(1, num_codes, 1)
    layer.build((None, 1))
    layer.project_in.kernel.assign([[1.0]])
    codes = layer(tf.linspace(-20.0, 20.0, 4001)[:, None]).codes.numpy()[:, 0]
    assert sorted(set(codes)) == list(range(num_codes))
    assert (np.diff(codes) >= 0).all()


def test_lookup_free_codes_are_the_bits_of_signs(queries):
    layer = LookupFree(2, 4, 8)
    codes = layer(queries).codes.numpy()
    bits = (layer.project_in(queries) > 0).numpy().reshape(2, 5, 4, 2, 2)
    np.testing.assert_array_equal(codes, bits[..., 0] + 2 * bits[..., 1])
    with pytest.raises(ValueError, match="power of two"):
        LookupFree(2, 6, 8)


def test_the_loss_of_signs_is_their_entropies_and_the_commitment(queries):
    layer = LookupFree(2, 4, 8, entropy=0.3, commitment=0.7)
    loss = layer(queries).loss
    numbers = np.reshape(layer.project_in(queries), (-1, 4)).astype(np.float64)
    chance = 1 / (1 + np.exp(-4 * numbers))

    def entropy(p):
        return -(p * np.log(p) + (1 - p) * np.log(1 - p))

    sure, even = entropy(chance).mean(axis=0), entropy(chance.mean(axis=0))
    away = np.square(numbers - np.where(numbers > 0, 1, -1)).mean()
    np.testing.assert_allclose(loss, 0.3 * (sure - even).sum() + 0.7 * away, rtol=1e-4)


def test_moving_averages_bring_rows_to_their_queries():
    layer = VectorEMA(1, 2, 2, decay=0.5)
    layer.build((None, 2))
    layer.project_in.kernel.assign(np.eye(2))
    layer.codebook.assign([[[0.5, 0.0], [-0.5, 0.0]]])
    queries = tf.constant([[2.0, 1.0], [-2.0, 1.0], [-4.0, 1.0]])
    before = layer.codebook.numpy()
    layer(queries)
    np.testing.assert_array_equal(layer.codebook, before)  # only training moves it
    for _ in range(40):
        layer(queries, training=True)
    np.testing.assert_allclose(layer.codebook[0], [[2.0, 1.0], [-3.0, 1.0]], atol=1e-3)
