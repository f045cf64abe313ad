"""Embedding of episodes (B.3)."""

import contextlib

import keras
import numpy as np
from keras import ops


class EpisodeEmbedding(keras.layers.Embedding):
    """A vector for each named episode, and one for 'none'.

    Args:
        num_episodes: named episodes.
        dim: width of a vector.

    Input: int [B], an index a clip, -1 for 'none', the table's first row; or float [B, dim],
    vectors that were made of rows (a mixture of two episodes, say), which pass as they are.
    Output: [B, dim].
    """

    def __init__(self, num_episodes, dim, **kwargs):
        super().__init__(num_episodes + 1, dim, **kwargs)

    def call(self, episode):
        if keras.backend.is_float_dtype(keras.backend.standardize_dtype(episode.dtype)):
            return ops.cast(episode, self.compute_dtype)
        return super().call(episode + 1)

    @contextlib.contextmanager
    def with_mean_none(self, episodes):
        """Within, 'none' is the mean of some episodes' vectors.

        Args:
            episodes: a list of indices, those that were trained; where it is empty, 'none' stays.
        """
        if not episodes:
            yield
            return
        own = self.embeddings.numpy()
        mean = own[np.asarray(episodes) + 1].mean(axis=0, keepdims=True)
        self.embeddings.assign(np.concatenate([mean, own[1:]]))
        try:
            yield
        finally:
            self.embeddings.assign(own)

    def get_config(self):
        config = super().get_config()
        rows, dim = config.pop("input_dim"), config.pop("output_dim")
        return {**config, "num_episodes": rows - 1, "dim": dim}
