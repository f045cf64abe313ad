"""The embedding of Memcodes: a table look-up, heads concatenated, zeros for 'nothing'."""

import numpy as np
import tensorflow as tf

from nwt_tf.layers.code_embedding import CodeEmbedding


def test_rows_of_the_table_are_concatenated_over_heads():
    codes = np.random.default_rng(0).integers(0, 5, (2, 3, 4, 2, 3))
    layer = CodeEmbedding(5, 6)
    found = layer(tf.constant(codes, tf.int32))
    assert found.shape == (2, 3, 4, 2, 18)
    expected = layer.table.numpy()[codes].reshape(2, 3, 4, 2, 18)
    np.testing.assert_array_equal(found, expected)


def test_minus_one_embeds_to_zeros():
    found = CodeEmbedding(5, 2)(tf.constant([[2, -1, 0]])).numpy()
    assert (found[0, 2:4] == 0).all() and (found[0, [0, 1, 4, 5]] != 0).all()


def test_config_round_trip():
    layer = CodeEmbedding(5, 6)
    codes = tf.constant([[0, 4], [3, -1]])
    expected = layer(codes)
    copy = CodeEmbedding.from_config(layer.get_config())
    copy.build((None, 2))
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(codes), expected)
