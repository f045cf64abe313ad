"""Choosing codes from logits: noise that seed and place decide alone, guidance, top-k and top-p."""

import math
import numbers
from typing import NamedTuple

import tensorflow as tf

LARGEST = 1e6  # temperature, guidance: logits times more leave float32's range


class Options(NamedTuple):
    """How codes are drawn; each field a number or a scalar tensor.

    temperature: logits are divided by it; 0 takes the likeliest codes.
    top_k: draw among the k likeliest codes of a head; 0 is all.
    top_p: draw among the likeliest codes whose chances sum up to p, at least one; 1 is all. It
        counts after temperature and top_k.
    guidance: how far logits go from those of the prior that is not told the sound, 0, past those of
        the prior that is, 1: classifier-free guidance (Ho & Salimans 2022), before temperature. Not
        in the paper. Others than 1 compute two rows a clip.
    """

    temperature: float | tf.Tensor = 1.0
    top_k: int | tf.Tensor = 0
    top_p: float | tf.Tensor = 1.0
    guidance: float | tf.Tensor = 1.0

    @property
    def guided(self):
        """Whether the prior runs with and without the sound; True where a tensor hides it."""
        return tf.is_tensor(self.guidance) or self.guidance != 1.0

    @property
    def narrowed(self):
        """Whether some codes are left out; True where tensors hide it."""
        return any(
            tf.is_tensor(value) or value != every
            for value, every in ((self.top_k, 0), (self.top_p, 1.0))
        )

    def check(self):
        """Refuses numbers out of range.

        Raises:
            ValueError: names the option.
        """
        for name, value in self._asdict().items():
            if isinstance(value, bool) or not isinstance(value, numbers.Real):
                raise ValueError(f"{name} must be a number. Received: {value!r}")
        for name in ("temperature", "guidance"):
            value = getattr(self, name)
            if not value >= 0:
                raise ValueError(f"{name} must be at least 0. Received: {value}")
            if value > LARGEST:
                raise ValueError(f"{name} must be at most {LARGEST:g}. Received: {value}")
        if not 0 <= self.top_k < 2**31 or self.top_k != int(self.top_k):
            raise ValueError(
                f"top_k must be a whole number from 0 to {2**31 - 1}. Received: {self.top_k}"
            )
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must lie in (0, 1]. Received: {self.top_p}")
        return self

    def figures(self):
        """The same as {option: Python number}, for JSON."""
        return {
            name: int(value) if name == "top_k" else float(value)
            for name, value in self._asdict().items()
        }

    def tensors(self):
        """The same as scalar tensors: a Python number would trace a graph anew for each value."""
        return Options(
            tf.convert_to_tensor(self.temperature, tf.float32),
            tf.cast(self.top_k, tf.int32),
            tf.convert_to_tensor(self.top_p, tf.float32),
            tf.convert_to_tensor(self.guidance, tf.float32),
        )


def options_of(draws):
    """The Options that a preset recommends: {option: number}, what it does not name as ever.

    Raises:
        ValueError: for what is no option, or out of range.
    """
    if not isinstance(draws, dict):
        raise ValueError(f"draws must be {{option: number}}. Received: {draws!r}")
    odd = sorted(set(draws) - set(Options._fields))
    if odd:
        raise ValueError(f"draws must be of {', '.join(Options._fields)}. Received: {odd[0]}")
    return Options(**draws).check()


def row_seeds(seed, batch):
    """Seeds of a batch's rows: row b draws what a batch of one draws with (seed[0], seed[1] + b).

    Args:
        seed: int32 [2].
        batch: B.

    Returns:
        int32 [B, 2].
    """
    seed = tf.convert_to_tensor(seed, tf.int32)
    return tf.stack([tf.repeat(seed[0], batch), seed[1] + tf.range(batch)], axis=1)


def frame_noise(seeds, first, frames, shape):
    """Standard Gumbel noise of frames, each frame's its own.

    Counter-based: the noise of a frame follows from the row's seed and the frame's number alone,
    wherever a clip is cut into chunks, and Philox gives XLA and TensorFlow the same bits (what
    tf.random makes of them differs, so the bits become numbers here).

    Args:
        seeds: int32 [B, 2], one a row.
        first: int32 scalar, number of the first frame.
        frames: how many.
        shape: of one frame's noise, ints.

    Returns:
        float32 [B, frames, *shape].
    """
    size = math.prod(shape)
    counts = -(-size // 4)  # a counter gives four words

    def row(seed):
        key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
        skip = tf.cast(first, tf.uint64) * tf.constant(counts, tf.uint64)
        return tf.raw_ops.StatelessRandomUniformFullIntV2(
            shape=[frames * counts * 4],
            key=key,
            counter=counter + tf.stack([skip, tf.zeros((), tf.uint64)]),
            alg=1,  # Philox
            dtype=tf.uint32,
        )

    bits = tf.map_fn(row, seeds, fn_output_signature=tf.TensorSpec([None], tf.uint32))
    bits = tf.reshape(bits, (-1, frames, counts * 4))[..., :size]  # [B, frames, size]
    # In float64: a float32 logarithm rounds differently by device and place in a vector.
    uniform = (tf.cast(bits, tf.float64) + 0.5) * 2.0**-32  # strictly between 0 and 1
    noise = tf.cast(-tf.math.log(-tf.math.log(uniform)), tf.float32)
    return tf.reshape(noise, (-1, frames, *shape))


def keep_likeliest(logits, options):
    """Logits with -inf for codes that top_k and top_p leave out.

    Ranks come from comparing all pairs: codebooks are small, and a sort is slow where this is one
    kernel.

    Args:
        logits: float32 [..., num_codes].
        options: Options of tensors.
    """
    higher = logits[..., None, :] > logits[..., :, None]  # [..., code, the other]
    tie = logits[..., None, :] == logits[..., :, None]
    codes = tf.range(logits.shape[-1])
    before = higher | (tie & (codes[None, :] < codes[:, None]))
    rank = tf.reduce_sum(tf.cast(before, tf.int32), axis=-1)
    k = tf.where(options.top_k > 0, options.top_k, logits.shape[-1])
    scaled = tf.where(rank < k, logits / tf.maximum(options.temperature, 1e-6), -math.inf)
    chances = tf.exp(scaled - tf.reduce_max(scaled, axis=-1, keepdims=True))
    chances = chances / tf.reduce_sum(chances, axis=-1, keepdims=True)
    mass_before = tf.reduce_sum(tf.where(before, chances[..., None, :], 0.0), axis=-1)
    # The likeliest always stays: float32 may have rounded top_p to 0.
    kept = (rank == 0) | ((rank < k) & (mass_before < options.top_p))
    return tf.where(kept, logits, -math.inf)


def guide(logits, guidance):
    """Logits led by the sound: float32 [2 R, ...], told and untold by turns, -> [R, ...]."""
    told, untold = logits[0::2], logits[1::2]
    return told + (guidance - 1.0) * (told - untold)


class Chooser:
    """Gumbel-max choice of the codes of one element (Algorithm 1's noise, at a temperature).

    A call takes the noise of the heads that come next.

    Args:
        noise: float32 [..., heads, num_codes], standard Gumbel.
        options: Options of tensors.
        narrowed: bool, whether options leave codes out.
        guided: bool, whether logits come in two rows a row of noise, told the sound and not; both
            are given the codes that are chosen, so that they go on from the same past.
    """

    def __init__(self, noise, options, narrowed, guided=False):
        self.noise, self.options = noise, options
        self.narrowed, self.guided = narrowed, guided
        self.heads = 0

    def __call__(self, logits):
        """float32 logits [..., heads, num_codes] -> int32 codes [..., heads]."""
        if self.guided:
            logits = guide(logits, self.options.guidance)
        if self.narrowed:
            logits = keep_likeliest(logits, self.options)
        first, self.heads = self.heads, self.heads + logits.shape[-2]
        perturbed = logits + self.options.temperature * self.noise[..., first : self.heads, :]
        # Flattened: TensorFlow's arg max takes few axes on the CPU.
        flat = tf.reshape(perturbed, (-1, logits.shape[-1]))
        codes = tf.argmax(flat, axis=-1, output_type=tf.int32)
        codes = tf.reshape(codes, tf.shape(logits)[:-1])
        return tf.repeat(codes, 2, axis=0) if self.guided else codes
