"""Names, lists and mixtures of episodes, typed and as vectors."""

import keras
import numpy as np
import pytest

from nwt_tf.generation import episodes
from nwt_tf.layers.episode_embedding import EpisodeEmbedding

KNOWN = {"monday": 0, "friday": 2}  # index 1 was held out whole


@pytest.fixture(scope="module")
def embedding():
    keras.utils.set_random_seed(0)
    embedding = EpisodeEmbedding(3, 4)
    embedding.build()
    return embedding


@pytest.mark.parametrize(
    ("episode", "shares"),
    [
        ("friday", [0, 0, 0, 1]),
        ("none", [1, 0, 0, 0]),
        (None, [1, 0, 0, 0]),
        ({"monday": 0.25, "friday": 0.75}, [0, 0.25, 0, 0.75]),
        ({"monday": 1, "friday": 3}, [0, 0.25, 0, 0.75]),  # relative to their sum
        ({"monday": 1, "none": 1}, [0.5, 0.5, 0, 0]),
        ({"monday": 1e308, "friday": 1e308}, [0, 0.5, 0, 0.5]),  # whose sum is infinite
        ({"monday": 0, "friday": 2}, [0, 0, 0, 1]),
    ],
)
def test_a_vector_is_the_weighted_mean_of_rows(embedding, episode, shares):
    found = episodes.vector(embedding, episode, KNOWN)
    assert found.dtype == np.float32 and found.shape == (1, 4)
    np.testing.assert_allclose(found[0], shares @ embedding.embeddings.numpy(), atol=1e-7)


def test_one_name_is_its_row_to_the_bit(embedding):
    rows = embedding.embeddings.numpy()
    np.testing.assert_array_equal(episodes.vector(embedding, "monday", KNOWN)[0], rows[1])


@pytest.mark.parametrize(
    ("episode", "message"),
    [
        ("sunday", "Unknown episode 'sunday'; the preset has monday, friday, none."),
        ({"monday": 1, "sunday": 1}, "Unknown episode 'sunday'"),
        ({"monday": 0.0}, "weights of episodes must be .* Received: monday:0"),
        ({"monday": 2, "friday": -1}, "Received: monday:2,friday:-1"),
        ({"monday": np.nan}, "Received: monday:nan"),
        ({}, "weights of episodes"),
    ],
)
def test_what_is_no_episode_is_refused(embedding, episode, message):
    with pytest.raises(ValueError, match=message):
        episodes.vector(embedding, episode, KNOWN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("monday", ["monday"]),
        ("none", ["none"]),
        ("friday, monday,none", ["friday", "monday", "none"]),
        ("monday:0.5,friday:0.5", [{"monday": 0.5, "friday": 0.5}]),
        ("monday:1, none:3", [{"monday": 1.0, "none": 3.0}]),
    ],
)
def test_what_is_typed(text, expected):
    assert episodes.parse(text, KNOWN) == expected
    assert episodes.parse(",".join(map(episodes.spell, expected)), KNOWN) == expected


def test_names_with_commas_and_colons_are_taken_as_they_are(embedding):
    known = {"s1:e2, part": 0, "s1:e3": 1, "none": 2}
    assert episodes.parse("s1:e2, part", known) == ["s1:e2, part"]
    assert episodes.parse("s1:e3", known) == ["s1:e3"]
    assert episodes.parse("s1:e3:0.25,none:0.75", known) == [{"s1:e3": 0.25, "none": 0.75}]
    rows = embedding.embeddings.numpy()
    np.testing.assert_array_equal(episodes.vector(embedding, "none", known)[0], rows[3])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sunday", "Unknown episode 'sunday'; the preset has monday, friday, none."),
        ("monday,sunday", "Unknown episode 'sunday'"),
        ("monday:0.5,sunday:0.5", "Unknown episode 'sunday'"),
        ("monday:0.5,friday", "weights to some"),
        ("monday:half,friday:0.5", "'half' in 'monday:half,friday:0.5' is no weight"),
        ("monday:0.5,monday:0.5", "twice"),
        ("", "Unknown episode ''"),
    ],
)
def test_what_is_mistyped(text, message):
    with pytest.raises(ValueError, match=message):
        episodes.parse(text, KNOWN)
