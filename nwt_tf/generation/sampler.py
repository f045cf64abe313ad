"""Cached sampling on the device (B.2.3, Paine et al. 2016): a chunk of frames in one program."""

from typing import NamedTuple

import tensorflow as tf

from nwt_tf.generation.choice import Chooser, Options, frame_noise, row_seeds
from nwt_tf.models.prior import Conditioning

GPU_ROWS = 8  # matrix-vector products at batch 1 cost more there than matrix products of 8 rows


class SamplerState(NamedTuple):
    """What sampling knows after some frames.

    seeds: int32 [B, 2], one a row.
    frame: int32 scalar, frames drawn.
    codes: int32 [rows, elements of a frame, *element_shape], the last frame's; -1 everywhere before
        the first.
    memory: the prior's state; with guidance of 2 B rows, told the sound and not by turns.
    passes: int64 scalar, passes of the prior so far: one an element, fewer for ParallelSampler.
    """

    seeds: tf.Tensor
    frame: tf.Tensor
    codes: tf.Tensor
    memory: tuple
    passes: tf.Tensor


class Sampler:
    """Draws Memcodes element by element from a prior, a chunk of frames in one compiled program.

    The draws of a frame depend on the row's seed and the frame's number only, so that chunks of any
    size give the same codes.

    Args:
        prior: a built FAR, MAR or HAR.
        jit_compile: compile by XLA; None does so where there is a GPU.
        rows: batches are computed with at least so many rows; None chooses.
    """

    def __init__(self, prior, jit_compile=None, rows=None):
        gpu = bool(tf.config.list_physical_devices("GPU"))
        self.prior = prior
        self.jit_compile = gpu if jit_compile is None else jit_compile
        by_memcode = prior.steps_per_frame > 1
        self.rows = (GPU_ROWS if gpu and by_memcode else 1) if rows is None else rows
        self._chunk = tf.function(self._draw, jit_compile=self.jit_compile, reduce_retracing=True)

    def start(self, seeds, guided=False):
        """State before the first frame.

        Args:
            seeds: int32 [B, 2], one a row (see choice.row_seeds).
            guided: bool, whether it is for options with guidance.
        """
        prior = self.prior
        codes = tf.fill((tf.shape(seeds)[0], prior.steps_per_frame, *prior.element_shape), -1)
        return SamplerState(
            seeds,
            tf.zeros((), tf.int32),
            codes,
            prior.init_state(tf.shape(seeds)[0] * (2 if guided else 1)),
            tf.zeros((), tf.int64),
        )

    def chunk(self, conditioning, state, frames, options, narrowed=None, guided=None):
        """Draws the frames that come next.

        Args:
            conditioning: of C frames, batch B.
            state: see start.
            frames: int32 scalar up to C, how many to draw.
            options: Options.
            narrowed: bool, whether options leave codes out; None asks the options.
            guided: bool, whether they have guidance; None asks the options.

        Returns:
            (int32 [B, C, h, w, heads], of which the first `frames` count; next state).

        Raises:
            ValueError: for a state that was not started with, or without, guidance as the options.
        """
        narrowed = options.narrowed if narrowed is None else narrowed
        guided = options.guided if guided is None else guided
        rows, batch = state.memory[1][0].shape[1], state.codes.shape[0]
        if None not in (rows, batch) and rows != batch * (2 if guided else 1):
            raise ValueError(
                "A state started without guidance goes on without, and one with guidance with it. "
                f"Received: guidance={options.guidance}"
            )
        return self._chunk(
            conditioning, state, frames, options.tensors(), narrowed=narrowed, guided=guided
        )

    def __call__(self, conditioning, seed, temperature=1.0, top_k=0, top_p=1.0, guidance=1.0):
        """Samples one clip for each row of the conditioning.

        Args:
            conditioning: Conditioning of T frames, batch B.
            seed: int32 [2]; row b draws as a batch of one would with (seed[0], seed[1] + b).
            temperature, top_k, top_p, guidance: see Options.

        Returns:
            int32 [B, T, h, w, heads].

        Raises:
            ValueError: for options out of range.
        """
        batch, frames = tf.unstack(tf.shape(conditioning.audio)[:2])
        options = Options(temperature, top_k, top_p, guidance).check()
        state = self.start(row_seeds(seed, batch), options.guided)
        return self.chunk(conditioning, state, frames, options)[0]

    def _draw(self, conditioning, state, frames, options, narrowed, guided):
        prior = self.prior
        shares, noise = self._prepare(conditioning, state, guided)
        per_frame = prior.steps_per_frame
        batch = tf.shape(state.codes)[0]
        turns = 2 if guided else 1  # rows of the prior a row of the batch
        fewest = -(-self.rows // turns)
        noise = self._pad(noise, fewest)
        codes = tf.repeat(self._pad(state.codes[:, -1], fewest), turns, axis=0)
        shares = tuple(
            share._replace(values=self._pad(share.values, fewest * turns)) for share in shares
        )
        memory = (state.memory[0], self._pad(state.memory[1], fewest * turns, axis=1))

        def element(n, drawn, codes, memory):
            choose = Chooser(noise[:, n], options, narrowed, guided)
            chosen, memory = prior.draw(codes, memory, prior.at(shares, n), choose)
            chosen = tf.ensure_shape(chosen, codes.shape)
            return tf.tensor_scatter_nd_update(drawn, [[n]], chosen[None]), chosen, memory

        def frame(t, *carried):
            if per_frame == 1:
                return t + 1, *element(t, *carried)
            # A loop of known length: XLA runs it without asking the device after each turn.
            inner = tf.while_loop(
                lambda k, *_: k < per_frame,
                lambda k, *inner: (k + 1, *element(t * per_frame + k, *inner)),
                (tf.constant(0), *carried),
            )
            return t + 1, *inner[1:]

        drawn = tf.zeros(tf.concat([tf.shape(noise)[1:2], tf.shape(codes)], 0), tf.int32)
        drawn = tf.ensure_shape(drawn, (noise.shape[1], *codes.shape))
        _, drawn, _, memory = tf.while_loop(
            lambda t, *_: t < frames, frame, (tf.constant(0), drawn, codes, memory)
        )
        drawn = tf.transpose(drawn, (1, 0, *range(2, len(drawn.shape))))[::turns][:batch]
        rings = tuple(tf.ensure_shape(ring[:, : batch * turns], like.shape)
                      for ring, like in zip(memory[1], state.memory[1], strict=True))  # fmt: skip
        # A gather, because XLA wants to know the size of a slice.
        last = tf.gather(drawn, (frames - 1) * per_frame + tf.range(per_frame), axis=1)
        return self._clips(drawn, conditioning), SamplerState(
            state.seeds,
            state.frame + frames,
            tf.ensure_shape(last, state.codes.shape),
            (memory[0], rings),
            state.passes + tf.cast(frames * per_frame, tf.int64),
        )

    def _pad(self, tensors, rows, axis=0):
        """Adds rows of zeros to a batch that has fewer than `rows`."""

        def pad(tensor):
            missing = tf.maximum(rows - tf.shape(tensor)[axis], 0)
            around = [(0, 0)] * len(tensor.shape)
            around[axis] = (0, missing)
            return tf.pad(tensor, around)

        return tensors if self.rows == 1 else tf.nest.map_structure(pad, tensors)

    def _prepare(self, conditioning, state, guided):
        """A chunk's shares, with guidance told and untold by turns, and its noise
        [B, elements, *element_shape, num_codes]."""
        prior, frames = self.prior, tf.shape(conditioning.audio)[1]
        noise = frame_noise(
            state.seeds, state.frame, frames, (*prior.grid, prior.num_heads, prior.num_codes)
        )
        elements = (frames * prior.steps_per_frame, *prior.element_shape, prior.num_codes)
        if guided:
            both = Conditioning(*(tf.repeat(each, 2, axis=0) for each in conditioning))
            conditioning = both.untold(tf.range(tf.shape(both.audio)[0]) % 2 == 1)
        return prior.project(conditioning), tf.reshape(noise, (-1, *elements))

    def _clips(self, drawn, conditioning):
        """[B, elements, *element_shape] -> [B, C, h, w, heads]."""
        prior, (batch, frames) = self.prior, tf.unstack(tf.shape(conditioning.audio)[:2])
        return tf.reshape(drawn, (batch, frames, *prior.grid, prior.num_heads))
