"""Exact parallel sampling of MAR and HAR: the codes of sequential sampling, many Memcodes a pass.

With its noise drawn beforehand, a Memcode is a function of the Memcodes before it, so that the
clip is the one fixed point of computing all Memcodes from a guess of all (Jacobi iteration; Song
et al. 2021, Accelerating feedforward computation via parallel nonlinear equation solving). A pass
makes at least one more Memcode right, and many where the guess, the last frame's codes, was nearly
right. Blocks follow each other (Gauss-Seidel): each starts from the true state behind the last.
"""

import time

import tensorflow as tf

from nwt_tf.generation.choice import Chooser
from nwt_tf.generation.sampler import Sampler


class ParallelSampler(Sampler):
    """A Sampler that guesses blocks of Memcodes and repeats them until nothing changes.

    In float32 the codes are those of Sampler: logits differ in their last digits only, as products
    of other sizes are summed in another order. In bfloat16 a few draws differ.

    Args:
        prior: a built MAR or HAR.
        jit_compile: see Sampler.
        block: Memcodes of a block, a divisor of those of a frame; None for a whole frame.

    Raises:
        ValueError: for FAR, or a block that does not divide a frame.
    """

    def __init__(self, prior, jit_compile=None, block=None):
        if prior.steps_per_frame == 1:
            raise ValueError(
                f"{type(prior).__name__} draws a frame at once: only MAR and HAR sample in parallel"
            )
        super().__init__(prior, jit_compile, rows=1)
        self.block = block or prior.steps_per_frame
        if prior.steps_per_frame % self.block:
            raise ValueError(
                f"block must divide the {prior.steps_per_frame} Memcodes of a frame. "
                f"Received: block={block}"
            )

    def _draw(self, conditioning, state, frames, options, narrowed, guided):
        prior, size, per_frame = self.prior, self.block, self.prior.steps_per_frame
        shares, noise = self._prepare(conditioning, state, guided)
        turns = 2 if guided else 1  # rows of the prior a row of the batch

        def block(n, drawn, memory, passes):
            """Memcodes n to n + size of the chunk; `drawn` has the frame before the chunk first."""
            first = n + per_frame
            before = tf.gather(drawn, [first - 1], axis=1)
            told = tuple(
                share._replace(values=self._part(share.values, n)) for share in shares
            )
            own_noise = self._part(noise, n)

            def again(guess, _, passes, __):
                past = tf.concat([before, guess[:, :-1]], axis=1)
                past = tf.ensure_shape(past, (None, size, prior.num_heads))
                past, guessed = (tf.repeat(each, turns, axis=0) for each in (past, guess))
                features, after = prior.body_extend(past, memory, told)
                logits = prior.guess_logits(features, guessed)
                found = Chooser(own_noise, options, narrowed, guided)(logits)[::turns]
                found = tf.ensure_shape(found, guess.shape)
                return found, tf.reduce_any(found != guess), passes + 1, after

            guess = self._part(drawn, n)  # the Memcodes a frame before
            guess, _, passes, memory = tf.while_loop(
                lambda _, changed, *__: changed,
                again,
                (guess, tf.constant(True), passes, memory),
                (guess.shape, tf.TensorShape([]), passes.shape, _shapes(memory)),
            )
            places = tf.range(size) + first
            drawn = tf.transpose(
                tf.tensor_scatter_nd_update(
                    tf.transpose(drawn, (1, 0, 2)), places[:, None], tf.transpose(guess, (1, 0, 2))
                ),
                (1, 0, 2),
            )
            return n + size, drawn, memory, passes

        chunk = tf.zeros((tf.shape(state.codes)[0], tf.shape(noise)[1], prior.num_heads), tf.int32)
        drawn = tf.concat([state.codes, chunk], axis=1)
        drawn = tf.ensure_shape(drawn, (state.codes.shape[0], None, prior.num_heads))
        _, drawn, memory, passes = tf.while_loop(
            lambda n, *_: n < frames * per_frame,
            block,
            (tf.constant(0), drawn, state.memory, state.passes),
            (tf.TensorShape([]), drawn.shape, _shapes(state.memory), state.passes.shape),
        )
        last = tf.gather(drawn, frames * per_frame + tf.range(per_frame), axis=1)
        codes = self._clips(drawn[:, per_frame:], conditioning)
        return codes, state._replace(
            frame=state.frame + frames, codes=last, memory=memory, passes=passes
        )

    def _part(self, elements, first):
        """A block of [B, elements, ...]: [B, block, ...]; a gather, because XLA wants its size."""
        return tf.gather(elements, first + tf.range(self.block), axis=1)


class FasterSampler(Sampler):
    """Sequential or parallel, whichever draws the first chunk faster on this machine.

    Args:
        prior: a built MAR or HAR.

    Attributes:
        seconds: {name: of the first chunk}, once it is drawn.
    """

    def __init__(self, prior):
        super().__init__(prior, rows=1)
        self._candidates = {"sequential": Sampler(prior), "parallel": ParallelSampler(prior)}
        self._chosen, self.seconds = None, {}

    def chunk(self, conditioning, state, frames, options, narrowed=None, guided=None):
        """See Sampler; the first chunk is drawn by both, twice, since the first time compiles."""
        arguments = (conditioning, state, frames, options, narrowed, guided)
        if self._chosen is None:
            for name, sampler in self._candidates.items():
                for _ in range(2):
                    start = time.monotonic()
                    sampler.chunk(*arguments)[0].numpy()
                    self.seconds[name] = time.monotonic() - start
            self._chosen = self._candidates[min(self.seconds, key=self.seconds.get)]
        return self._chosen.chunk(*arguments)


def sampler_of(prior, sampling):
    """A prior's sampler by the name of how it samples.

    Args:
        prior: a built Prior.
        sampling: 'sequential', 'parallel', or 'auto', which is the faster of the two for MAR and
            HAR, and sequential for FAR.

    Raises:
        ValueError: for another name, or 'parallel' with FAR.
    """
    if sampling == "auto" and prior.steps_per_frame == 1:
        sampling = "sequential"
    kinds = {"sequential": Sampler, "parallel": ParallelSampler, "auto": FasterSampler}
    if sampling not in kinds:
        raise ValueError(f"sampling must be one of {', '.join(kinds)}. Received: {sampling!r}")
    return kinds[sampling](prior)


def _shapes(state):
    return tf.nest.map_structure(lambda each: each.shape, state)
