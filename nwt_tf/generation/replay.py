"""A prior led through a clip by a caller who chooses the codes: the drawing path, one element a
step, in Python's hands. A codec walks it on both sides."""

import numpy as np
import tensorflow as tf


class Replay:
    """Steps a prior, batch of one; its state lasts over calls of `run`.

    Args:
        prior: a built FAR, MAR or HAR.
    """

    def __init__(self, prior):
        self.prior = prior
        self._choose = None
        self.restart()

    def restart(self):
        """Stands before the first element again."""
        self._codes = tf.fill((1, *self.prior.element_shape), -1)
        self._state = self.prior.init_state(1)

    def run(self, conditioning, first, frames, choose):
        """Goes on for so many frames.

        Args:
            conditioning: Conditioning, batch of one, that holds those frames.
            first: their place in it.
            frames: how many.
            choose: takes logits [n, num_codes] (in the prior's dtype) of the n codes that come
                next in raster order, heads inner, and returns the codes, int [n].
        """
        self._choose = choose
        steps, shares = self.prior.steps_per_frame, self.prior.project(conditioning)
        for n in range(first * steps, (first + frames) * steps):
            self._codes, self._state = self._draw(self._codes, self._state, shares, tf.constant(n))

    @tf.function(reduce_retracing=True)
    def _draw(self, codes, state, shares, n):
        def choose(logits):
            flat = tf.reshape(logits, (-1, self.prior.num_codes))
            chosen = tf.numpy_function(self._ask, [flat], tf.int32)
            return tf.reshape(chosen, tf.shape(logits)[:-1])

        codes, state = self.prior.draw(codes, state, self.prior.at(shares, n), choose)
        return tf.ensure_shape(codes, (1, *self.prior.element_shape)), state

    def _ask(self, logits):
        return np.asarray(self._choose(logits), np.int32)
