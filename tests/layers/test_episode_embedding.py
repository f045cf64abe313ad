"""Indices, 'none' and vectors of one's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.layers.episode_embedding import EpisodeEmbedding


@pytest.fixture
def embedding():
    keras.utils.set_random_seed(0)
    embedding = EpisodeEmbedding(3, 5, name="episode")
    embedding.build()
    return embedding


def test_none_is_the_first_row_and_index_n_the_one_after_it(embedding):
    table = embedding.embeddings.numpy()
    assert table.shape == (4, 5)
    np.testing.assert_array_equal(embedding(tf.constant([-1, 2, 0])), table[[0, 3, 1]])


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_row_as_a_vector_is_the_same_as_its_index(dtype):
    embedding = EpisodeEmbedding(3, 5, dtype=dtype)
    embedding.build()
    by_index = embedding(tf.constant([1, -1]))
    as_vector = embedding(tf.gather(embedding.embeddings, [2, 0]))
    assert by_index.dtype == as_vector.dtype == embedding.compute_dtype
    np.testing.assert_array_equal(tf.cast(by_index, "float32"), tf.cast(as_vector, "float32"))


def test_both_ways_in_a_graph(embedding):
    call = tf.function(lambda episode: embedding(episode))
    np.testing.assert_array_equal(call(tf.constant([1])), embedding.embeddings.numpy()[2:3])
    np.testing.assert_array_equal(call(tf.ones((1, 5))), np.ones((1, 5)))


def test_none_is_the_mean_of_the_trained_within(embedding):
    own = embedding.embeddings.numpy()
    with embedding.with_mean_none([0, 2]):
        (none,) = embedding(tf.constant([-1]))
        np.testing.assert_allclose(none, (own[1] + own[3]) / 2, rtol=1e-6)
        np.testing.assert_array_equal(embedding.embeddings[1:], own[1:])
    np.testing.assert_array_equal(embedding.embeddings, own)
    with embedding.with_mean_none([]):
        np.testing.assert_array_equal(embedding.embeddings, own)


def test_config_round_trip(embedding):
    again = EpisodeEmbedding.from_config(embedding.get_config())
    assert again.get_config() == embedding.get_config()
    assert (embedding.get_config()["num_episodes"], embedding.get_config()["dim"]) == (3, 5)
