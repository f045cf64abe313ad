"""Normalised features: over the batch in training, by measured statistics afterwards."""

import numpy as np
import tensorflow as tf

from nwt_tf.layers.feature_norm import FeatureNorm


def _features(seed=0):
    draw = np.random.default_rng(seed).normal(3.0, 5.0, (4, 6, 2, 3))
    return np.float32(draw * [1.0, 10.0, 0.1] + [0.0, -20.0, 1.0])


def test_training_takes_the_statistics_of_the_batch():
    norm, features = FeatureNorm(2), _features()
    found = norm(features, training=True).numpy()
    expected = (features - features.mean((0, 1))) / np.sqrt(features.var((0, 1)) + 1e-6)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(norm(features), features, rtol=1e-5)  # nothing was measured yet


def test_settled_statistics_belong_to_the_features_measured():
    norm, features = FeatureNorm(2), _features()
    norm.build(features.shape)
    norm.settle(features)
    np.testing.assert_allclose(norm(features), norm(features, training=True), atol=1e-5)
    one = features[:1, :1]  # a single frame of a clip gets what it gets in the batch
    np.testing.assert_allclose(norm(one), norm(features)[:1, :1], atol=1e-5)


def test_gradients_cannot_move_what_is_constant():
    norm, features = FeatureNorm(2), tf.constant(_features())
    with tf.GradientTape() as tape:
        tape.watch(features)
        loss = tf.reduce_sum(norm(features, training=True) * _features(1))
    slopes = tape.gradient(loss, features).numpy()
    assert np.abs(slopes).max() > 0.01
    np.testing.assert_allclose(slopes.sum((0, 1)), 0.0, atol=1e-2)


def test_statistics_are_no_trained_weights():
    norm = FeatureNorm(2)
    norm.build((None, None, 2, 3))
    assert not norm.trainable_variables and len(norm.variables) == 2


def test_float64_is_kept():
    norm, features = FeatureNorm(2, dtype="float64"), _features()
    norm.build(features.shape)
    norm.settle(features)
    exact = np.float64(features)
    found = norm(tf.constant(exact)).numpy()
    mean, variance = (np.float64(each.numpy()) for each in (norm.mean, norm.variance))
    np.testing.assert_allclose(found, (exact - mean) / np.sqrt(variance + 1e-6), rtol=1e-13)
