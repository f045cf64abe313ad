"""Nearest neighbours by Hamming distance over codes (A.2, equation 10)."""

import numpy as np


def hamming(codes, others):
    """Equation 10: the share of heads that differ, float32 [A, B].

    Args:
        codes: int [A, heads].
        others: int [B, heads].
    """
    differing = np.zeros((len(codes), len(others)), np.float32)
    for head in range(codes.shape[1]):
        differing += codes[:, head, None] != others[None, :, head]
    return differing / codes.shape[1]


def nearest(queries, codes, count, seed):
    """The nearest of codes for each query, in ascending distance, ties in random order.

    Args:
        queries: int [Q, heads].
        codes: int [N, heads].
        count: how many.
        seed: of the ties.

    Returns:
        (indices into codes int64 [Q, count], their distances float32 [Q, count]).
    """
    order = np.random.default_rng(seed).permutation(len(codes))
    distances = hamming(queries, codes)[:, order]
    first = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return order[first], np.take_along_axis(distances, first, axis=1)


def zero_shot_accuracy(train_codes, train_labels, codes, labels, batch=500):
    """Accuracy of giving each of `codes` the label of its nearest neighbour in the training set.

    With few cells, many neighbours are equally near. `random_ties` is the accuracy of taking one of
    them at random, in expectation, so that it has no seed; `majority_vote` takes the label that
    most of them have.

    Args:
        train_codes: int [N, heads].
        train_labels: int [N], from 0.
        codes, labels: of the queries, int [Q, heads] and [Q].

    Returns:
        {"random_ties", "majority_vote"}, shares of right answers.
    """
    cells, cell_of = np.unique(train_codes, axis=0, return_inverse=True)
    classes = int(max(train_labels.max(), labels.max())) + 1
    counts = np.zeros((len(cells), classes))  # training labels in each cell
    np.add.at(counts, (cell_of.reshape(-1), train_labels), 1)
    chance, votes = np.zeros(len(codes)), np.zeros(len(codes))
    for start in range(0, len(codes), batch):
        rows = slice(start, start + batch)
        distances = hamming(codes[rows], cells)
        ties = (distances == distances.min(axis=1, keepdims=True)) @ counts  # [batch, classes]
        right = np.take_along_axis(ties, labels[rows, None], axis=1)[:, 0]
        chance[rows] = right / ties.sum(axis=1)
        votes[rows] = ties.argmax(axis=1) == labels[rows]
    return {"random_ties": float(chance.mean()), "majority_vote": float(votes.mean())}


def occupancy(codes, labels, num_codes):
    """How often each cell of a two-headed latent is used, and by which digits (Figure 2b).

    Args:
        codes: int [N, 2].
        labels: int [N], 0 to 9.

    Returns:
        int64 [num_codes, num_codes, 10]: counts, indexed by head 1's and head 2's code.
    """
    counts = np.zeros((num_codes, num_codes, 10), np.int64)
    np.add.at(counts, (codes[:, 0], codes[:, 1], labels), 1)
    return counts
