"""The embedding of Memcodes: table look-ups, heads concatenated or summed, zeros for 'nothing'."""

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.layers.code_embedding import CodeEmbedding


def test_rows_of_one_table_are_concatenated_over_heads():
    codes = np.random.default_rng(0).integers(0, 5, (2, 3, 4, 2, 3))
    layer = CodeEmbedding(5, 6)
    found = layer(tf.constant(codes, tf.int32))
    assert found.shape == (2, 3, 4, 2, 18)
    expected = layer.table.numpy()[codes].reshape(2, 3, 4, 2, 18)
    np.testing.assert_array_equal(found, expected)


def test_rows_of_a_table_a_head_are_summed():
    codes = np.random.default_rng(0).integers(-1, 5, (2, 4, 3))
    layer = CodeEmbedding(5, 6, merge="sum")
    found = layer(tf.constant(codes, tf.int32))
    assert found.shape == (2, 4, 6) and layer.table.shape == (3, 5, 6)
    for place in np.ndindex(2, 4):
        rows = [layer.table[h, c] for h, c in enumerate(codes[place]) if c >= 0]
        np.testing.assert_allclose(found[place], sum(rows, np.zeros(6)), atol=1e-6)


def test_minus_one_embeds_to_zeros():
    found = CodeEmbedding(5, 2)(tf.constant([[2, -1, 0]])).numpy()
    assert (found[0, 2:4] == 0).all() and (found[0, [0, 1, 4, 5]] != 0).all()
    assert (CodeEmbedding(5, 2, "sum")(tf.constant([[-1, -1, -1]])).numpy() == 0).all()


def test_another_merge_is_refused():
    with pytest.raises(ValueError, match="merge='mean'"):
        CodeEmbedding(merge="mean")
