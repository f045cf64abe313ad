"""Hamming neighbours against loops, and ties against simulation."""

import numpy as np

from nwt_tf.studies.retrieval import hamming, nearest, occupancy, zero_shot_accuracy

RNG = np.random.default_rng(0)
CODES, OTHERS = RNG.integers(0, 2, (30, 5)), RNG.integers(0, 2, (200, 5))


def test_hamming_is_equation_10():
    distances = hamming(CODES, OTHERS)
    for i, j in ((0, 0), (3, 17), (29, 199)):
        differing = [a != b for a, b in zip(CODES[i], OTHERS[j], strict=True)]
        assert distances[i, j] == np.float32(sum(differing) / 5)
    assert distances.shape == (30, 200)
    assert (np.diag(hamming(CODES, CODES)) == 0).all()


def test_nearest_ascends_and_breaks_ties_by_the_seed():
    found, distances = nearest(CODES, OTHERS, 12, seed=0)
    every = hamming(CODES, OTHERS)
    np.testing.assert_array_equal(distances, np.sort(every, axis=1)[:, :12])
    np.testing.assert_array_equal(distances, np.take_along_axis(every, found, axis=1))
    assert all(len(set(row)) == 12 for row in found)
    np.testing.assert_array_equal(found, nearest(CODES, OTHERS, 12, seed=0)[0])
    assert (found != nearest(CODES, OTHERS, 12, seed=1)[0]).any()


def test_random_ties_are_what_drawing_neighbours_gives():
    labels, other_labels = RNG.integers(0, 3, 30), RNG.integers(0, 3, 200)
    drawn = []
    for seed in range(400):
        first = nearest(CODES, OTHERS, 1, seed)[0][:, 0]
        drawn.append(np.mean(other_labels[first] == labels))
    accuracy = zero_shot_accuracy(OTHERS, other_labels, CODES, labels, batch=7)
    deviation = np.std(drawn) / np.sqrt(len(drawn))
    assert abs(accuracy["random_ties"] - np.mean(drawn)) < 4 * deviation


def test_majority_vote_counts_every_tied_neighbour():
    train = np.array([[0, 0], [0, 0], [0, 0], [1, 1]])
    labels = np.array([2, 2, 1, 0])
    queries = np.array([[0, 0], [1, 1], [0, 0]])
    accuracy = zero_shot_accuracy(train, labels, queries, np.array([2, 0, 1]))
    assert accuracy["majority_vote"] == 2 / 3
    np.testing.assert_allclose(accuracy["random_ties"], (2 / 3 + 1 + 1 / 3) / 3)


def test_occupancy_counts_each_image_once():
    codes, labels = RNG.integers(0, 4, (50, 2)), RNG.integers(0, 10, 50)
    counts = occupancy(codes, labels, 4)
    assert counts.sum() == 50
    one, two = codes[7]
    assert counts[one, two, labels[7]] == sum(
        (codes == codes[7]).all(axis=1) & (labels == labels[7])
    )
