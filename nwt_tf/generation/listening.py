"""Sound to Memcodes as it comes: fixed chunks of frames, state passed in and out.

One path for whole clips, streams and exported models. A chunk is computed from a window of the
sound that holds the audio encoder's context to both sides, always of one shape, and zeroed outside
of the clip: so the codes do not depend on how the sound arrives.
"""

import math
from typing import NamedTuple

import tensorflow as tf

from nwt_tf.generation.sampler import SamplerState
from nwt_tf.layers.mel import (
    HOP_LENGTH,
    MEL_RATE,
    MELS_PER_FRAME,
    N_FFT,
    SAMPLE_RATE,
    MelSpectrogram,
    first_mel,
)
from nwt_tf.models.prior import Conditioning


class ListeningState(NamedTuple):
    """What is known of a clip between two pieces of its sound.

    sound: float32 [B, n], the samples that are still needed.
    first: int64 scalar, the number of the first of them.
    style: [B, 1, s, s, S] and episode: [B, E], as the prior's decoder takes them.
    sampler: SamplerState.
    """

    sound: tf.Tensor
    first: tf.Tensor
    style: tf.Tensor
    episode: tf.Tensor
    sampler: SamplerState


class Listening:
    """Waveform to Memcodes, piece by piece.

    Args:
        prior: a built Prior.
        sampler: its Sampler, or a ParallelSampler.
        fps: video frames a second.
        chunk_frames: frames drawn at a time.
    """

    def __init__(self, prior, sampler, fps, chunk_frames):
        self.prior, self.sampler, self.fps = prior, sampler, fps
        self.chunk_frames = chunk_frames
        self.mel = MelSpectrogram()
        self.before, self.after = prior.audio_encoder.context
        self.window_frames = self.before + chunk_frames + self.after
        # Mel frames that a window may span, whichever way its first is rounded.
        self.mels = int((self.window_frames - 1) * MEL_RATE / fps) + 2 + MELS_PER_FRAME
        number = tf.TensorSpec([], tf.int64)
        self._condition = tf.function(
            self._window_conditioning,
            input_signature=[tf.TensorSpec([None, None], tf.float32), *[number] * 4],
        )

    def samples_before(self, frames):
        """Samples that must have arrived to draw the first `frames` of a stream, a Python int: the
        sound that the audio encoder reads behind them included. Compare `ready`."""
        frames = frames + self.after
        mels = math.ceil((frames - 1) * MEL_RATE / self.fps) + MELS_PER_FRAME + 1
        held = math.ceil((frames - 0.5) / self.fps * SAMPLE_RATE) + 1
        return max(mels * HOP_LENGTH + N_FFT // 2, held)

    def start(self, style, episode, seeds, guided=False):
        """State before any sound.

        Args:
            style: float32 [B, style_dim].
            episode: float32 [B, episode_dim], rows of the prior's embedding or mixtures of them.
            seeds: int32 [B, 2], see choice.row_seeds.
            guided: bool, whether it is for options with guidance.
        """
        features = self.prior.style_features(style)
        return ListeningState(
            tf.zeros((tf.shape(style)[0], 0)),
            tf.zeros((), tf.int64),
            features,
            tf.cast(episode, features.dtype),
            self.sampler.start(seeds, guided),
        )

    def frames_of(self, samples):
        """Video frames of so much sound: int64 scalar, at least one."""
        seconds = tf.cast(samples, tf.float64) / SAMPLE_RATE
        return tf.maximum(tf.cast(tf.round(seconds * self.fps), tf.int64), 1)

    def ready(self, samples):
        """Frames whose own sound has arrived and that any continuation will have: int64."""
        mels = (samples - N_FFT // 2) // HOP_LENGTH - MELS_PER_FRAME - 1  # one to be sure
        frames = tf.math.floor(tf.cast(mels, tf.float64) / (MEL_RATE / self.fps)) + 1
        return tf.minimum(tf.cast(frames, tf.int64), self.frames_of(samples))

    def step(self, state, samples, last, options):
        """Takes the sound that comes next and draws what it allows.

        Args:
            state: see start.
            samples: float32 [B, n], 24 kHz mono in [-1, 1], any n.
            last: bool scalar, whether the sound ends here.
            options: Options.

        Returns:
            (int32 [B, F, h, w, heads], the F frames that follow; next state). F is a multiple of
            chunk_frames, but what is left over at the end.
        """
        sound = tf.concat([state.sound, samples], axis=1)
        received = state.first + tf.shape(sound, out_type=tf.int64)[1]
        drawn = tf.cast(state.sampler.frame, tf.int64)
        size = tf.constant(self.chunk_frames, tf.int64)
        total = self.frames_of(received)
        whole = tf.maximum(self.ready(received) - self.after - drawn, 0) // size
        chunks = tf.cast(tf.where(last, -(-(total - drawn) // size), whole), tf.int32)
        narrowed, guided = options.narrowed, options.guided
        options = options.tensors()

        def chunk(i, codes, sampler):
            frame = tf.cast(sampler.frame, tf.int64)
            audio = self._condition(sound, state.first, frame, received, total)
            conditioning = Conditioning(audio, state.style, state.episode)
            count = tf.cast(tf.minimum(size, total - frame), tf.int32)
            more, sampler = self.sampler.chunk(
                conditioning, sampler, count, options, narrowed, guided
            )
            return i + 1, tf.concat([codes, more[:, :count]], axis=1), sampler

        shape = (*self.prior.grid, self.prior.num_heads)
        codes = tf.zeros((tf.shape(sound)[0], 0, *shape), tf.int32)
        carried = (tf.constant(0), codes, state.sampler)
        if tf.executing_eagerly():
            while carried[0] < chunks:
                carried = chunk(*carried)
        else:
            spec = tf.TensorShape([samples.shape[0], None, *shape])
            keep = tf.nest.map_structure(lambda each: each.shape, state.sampler)
            # One at a time, see Rendering.step.
            carried = tf.while_loop(
                lambda i, *_: i < chunks,
                chunk,
                carried,
                (tf.TensorShape([]), spec, keep),
                parallel_iterations=1,
            )
        _, codes, sampler = carried
        needed = self._first_sample(tf.cast(sampler.frame, tf.int64) - self.before)
        drop = tf.clip_by_value(needed - state.first, 0, received - state.first)
        return codes, state._replace(
            sound=sound[:, drop:], first=state.first + drop, sampler=sampler
        )

    def _first_sample(self, frame):
        """The first sample that a video frame reads, below 0 near the start of a clip."""
        return first_mel(frame, self.fps) * HOP_LENGTH - N_FFT // 2

    def _window_conditioning(self, sound, first, frame, received, total):
        """Audio features of the chunk that begins at `frame`: [B, chunk_frames, s, s, A].

        Args:
            sound: float32 [B, n], samples from the number `first` on.
            first, frame: int64 scalars.
            received: int64 scalar, samples of the clip so far.
            total: int64 scalar, frames of the clip so far.
        """
        length = (self.mels - 1) * HOP_LENGTH + N_FFT
        begin = self._first_sample(frame - self.before)
        # What lies before the clip and behind it is silence, as the whole clip's mel has it.
        part = sound[:, tf.maximum(begin - first, 0) : tf.maximum(begin - first + length, 0)]
        left = tf.clip_by_value(first - begin, 0, length - tf.shape(part, tf.int64)[1])
        right = length - left - tf.shape(part, tf.int64)[1]
        part = tf.reshape(tf.pad(part, [(0, 0), (left, right)]), (-1, length))
        mel = self.mel.of_frames(tf.signal.frame(part, N_FFT, HOP_LENGTH))  # [B, mels, 80]
        frames = frame - self.before + tf.range(self.window_frames, dtype=tf.int64)
        reads = first_mel(frames, self.fps)[:, None] + tf.range(MELS_PER_FRAME, dtype=tf.int64)
        # Reads past the end repeat the last mel frame.
        reads = tf.minimum(tf.reshape(reads, [-1]), received // HOP_LENGTH)
        reads -= first_mel(frames[0], self.fps)
        mel = tf.gather(mel, tf.clip_by_value(reads, 0, self.mels - 1), axis=1)
        mel = tf.ensure_shape(mel, (None, MELS_PER_FRAME * self.window_frames, None))
        valid = (frames >= 0) & (frames < total)
        audio = self.prior.hear(mel, valid)
        return audio[:, self.before : self.before + self.chunk_frames]
