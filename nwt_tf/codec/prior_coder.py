"""Coder `prior`: context mixing with a prior network's probabilities (docs/codec.md, section 7).

The network reaches this module as a predictor, an object with

    side(first, codes, key) -> bytes        what the decoder must be told of a chunk, and adopts it
    adopt(first, frames, key, reader)       takes it from a varint.Reader
    run(frames, choose)                     predicts, element after element: calls choose(log_p)
                                            with float64 [n, num_codes] for the n symbols that come
                                            next in raster order, and is given their codes uint8 [n]

whose state lasts from a key chunk to the next. It computes in float64, and its log-probabilities
are rounded to steps of 1/16 nat with a guard.
"""

import numpy as np

from nwt_tf.codec import varint
from nwt_tf.codec.context_models import ContextModels
from nwt_tf.codec.snapping import follow, from_reader, snap, to_numbers

STEPS_PER_NAT = 16
LOWEST = -255  # steps; below it a code counts as improbable as this
GUARD = 2.0**-20  # steps; float64 on CPU and GPU differs by some 1e-12


def _masses():
    """Round(2 ** 20 exp(-k / 16)) + 1 for k from 0 to 255: int64 [256]."""
    steps = np.arange(1 - LOWEST)
    return np.round((1 << 20) * np.exp(-steps / STEPS_PER_NAT)).astype(np.int64) + 1


MASSES = _masses()


class PriorCoder:
    """Coder `prior`.

    Args:
        shape: (h, w, heads) of a frame's codes.
        num_codes: codes a head.
        predictor: see above.
    """

    def __init__(self, shape, num_codes, predictor):
        self.shape, self.num_codes, self.predictor = tuple(shape), num_codes, predictor
        self.models = ContextModels(shape, num_codes, with_prior=True)
        self.reset()

    def reset(self, first=0):
        """Forgets the frames before: the next chunk stands alone and begins with frame `first`."""
        self.models.reset()
        self._first, self._key = first, True

    def encode(self, codes):
        """uint8 [T, h, w, heads] -> bytes."""
        side = self.predictor.side(self._first, codes, self._key)
        flat = codes.reshape(-1)
        steps, places, upward = [], [], []
        done = 0

        def choose(log_p):
            nonlocal done
            scaled, close, up = snap(_scaled(log_p), GUARD)
            steps.append(scaled.reshape(log_p.shape))
            places.append(close + done * self.num_codes)
            upward.append(up)
            chosen = flat[done : done + len(log_p)]
            done += len(log_p)
            return chosen

        self.predictor.run(len(codes), choose)
        self.models.start_encoding(len(codes))
        steps = np.concatenate(steps)
        for frame in range(len(codes)):
            part = slice(frame * self.models.symbols, (frame + 1) * self.models.symbols)
            self.models.code(flat[part].copy(), MASSES[-steps[part]])
        self._advance(len(codes))
        borders = to_numbers(np.concatenate(places), np.concatenate(upward))
        return side + varint.write(borders) + self.models.finish()

    def decode(self, payload, frames):
        """bytes -> uint8 [frames, h, w, heads].

        Raises:
            ValueError: bytes that no encoder writes.
        """
        reader = varint.Reader(payload)
        self.predictor.adopt(self._first, frames, self._key, reader)
        codes = np.zeros((frames, *self.shape), np.uint8)
        flat = codes.reshape(-1)
        places, upward = from_reader(reader, flat.size * self.num_codes)
        self.models.start_decoding(reader.rest())
        done = 0

        def choose(log_p):
            nonlocal done
            begin, end = np.searchsorted(places, np.array([done, done + len(log_p)])
                                         * self.num_codes)  # fmt: skip
            steps = follow(
                _scaled(log_p), places[begin:end] - done * self.num_codes, upward[begin:end]
            )
            chosen = flat[done : done + len(log_p)]
            self.models.code(chosen, MASSES[-np.clip(steps, LOWEST, 0)].reshape(log_p.shape))
            done += len(log_p)
            return chosen

        self.predictor.run(frames, choose)
        self._advance(frames)
        return codes

    def _advance(self, frames):
        self._first, self._key = self._first + frames, False


def _scaled(log_p):
    """Log-probabilities in steps, float64 [n]; a whole number beyond the lowest and the highest."""
    return np.clip(log_p.reshape(-1) * STEPS_PER_NAT, LOWEST, 0.0)
