"""What the autoregressive priors share (section 2.2): encoders, style, episodes, likelihood."""

import math
from typing import NamedTuple

import keras
import tensorflow as tf
from keras import ops

from nwt_tf.layers.episode_embedding import EpisodeEmbedding
from nwt_tf.layers.initializers import unit_normal
from nwt_tf.layers.mel import MELS_PER_FRAME, NUM_MELS
from nwt_tf.models.audio_encoder import DILATIONS, AudioEncoder
from nwt_tf.models.input_checks import (
    check_at_least,
    check_batch,
    check_codes,
    check_count,
    check_episode,
    check_floats,
    check_history,
    check_lengths,
    check_seed,
    check_shape,
)
from nwt_tf.models.style_encoder import LAYERS, StyleEncoder, StylePyramid


class Conditioning(NamedTuple):
    """What a prior's decoder is told beside the codes.

    audio: [B, T, s, s, A]; style: [B, 1, s, s, S]; episode: [B, E].
    """

    audio: tf.Tensor
    style: tf.Tensor
    episode: tf.Tensor

    def untold(self, clips=None):
        """The same without the sound: features of zeros, where normalised ones have their mean.

        Not in the paper. Guidance compares what a prior says with and without the sound, and
        PriorTrainer's sound_dropout teaches it the latter.

        Args:
            clips: bool [B], those that the sound is taken from; None: all.
        """
        silent = tf.zeros_like(self.audio)
        if clips is None:
            return self._replace(audio=silent)
        return self._replace(audio=tf.where(clips[:, None, None, None, None], silent, self.audio))


class Prior(keras.Model):
    """p(z | y): Memcodes from sound, style and episode. Subclasses give the autoregressive decoder.

    A subclass implements `logits(codes, conditioning)` on whole clips, and for sampling
    `init_state(batch)` and `step(codes, state, shares)`, which go element by element: frames for
    FAR, Memcodes in raster order for MAR and HAR. What the conditioning adds to the decoder does
    not depend on the codes: `project` computes it for many elements at once, `at` takes one out.
    A subclass has `projections`, a ConditionedProjection a block.

    Args:
        grid: (h, w) of the Memcodes.
        episode_dim: width of the episode embedding (B.3).
        audio_widths, audio_pyramid, causal_audio, normalize_audio: see AudioEncoder.
        style_dim, style_widths, style_pyramid: see StyleEncoder and StylePyramid.
        embedding_dim, merge: of the code embedding.
        padded_grid: the (height, width) that the style encoder reads.
        element_grid: Memcodes of an element: the grid where it is a frame, () where it is one.
        num_heads, num_codes: of a Memcode.
        num_episodes: named episodes; the embedding has a further row for 'none'.

    The defaults are what Tables 5 and 6 have in common.

    Attributes:
        steps_per_frame: elements of a frame.
        element_shape: of the codes of an element, [*element_grid, num_heads].

    Raises:
        ValueError: for sizes below 1 or of another number, a codebook of one, a negative number of
            episodes. `condition`, `log_prob` and the call refuse shapes, dtypes and, outside
            graphs, values that are not as documented.
    """

    def __init__(
        self,
        *,
        grid,
        episode_dim,
        audio_pyramid,
        style_pyramid,
        embedding_dim,
        merge,
        padded_grid,
        element_grid,
        num_heads=8,
        num_codes=8,
        num_episodes=0,
        audio_widths=(256, 256, 256, 512, 512, 512, 1024),
        style_dim=16,
        style_widths=(256, 512, 512, 512),
        causal_audio=False,
        normalize_audio=False,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)  # mel goes whole to the audio encoder
        check_count(len(DILATIONS), "widths", audio_widths=audio_widths)
        check_count(len(LAYERS), "widths", style_widths=style_widths)
        check_at_least(1, grid=grid, num_heads=num_heads, episode_dim=episode_dim)
        check_at_least(1, embedding_dim=embedding_dim, style_dim=style_dim)
        check_at_least(1, audio_widths=audio_widths, audio_pyramid=audio_pyramid)
        check_at_least(1, style_widths=style_widths, style_pyramid=style_pyramid)
        check_at_least(2, num_codes=num_codes)
        check_at_least(0, num_episodes=num_episodes)
        self._arguments = {
            "grid": list(grid),
            "num_heads": num_heads,
            "num_codes": num_codes,
            "num_episodes": num_episodes,
            "episode_dim": episode_dim,
            "audio_widths": list(audio_widths),
            "audio_pyramid": list(audio_pyramid),
            "style_dim": style_dim,
            "style_widths": list(style_widths),
            "style_pyramid": list(style_pyramid),
            "embedding_dim": embedding_dim,
            "causal_audio": causal_audio,
            "normalize_audio": normalize_audio,
        }
        self.grid = tuple(grid)
        self.num_heads, self.num_codes = num_heads, num_codes
        self.num_episodes = num_episodes
        self.style_dim = style_dim
        self.steps_per_frame = math.prod(grid) // math.prod(element_grid)
        self.element_shape = (*element_grid, num_heads)
        policy = self.dtype_policy
        self.audio_encoder = AudioEncoder(
            audio_widths,
            audio_pyramid,
            causal_audio,
            normalize_audio,
            dtype=policy,
            name="audio",
        )
        self.style_encoder = StyleEncoder(
            num_codes,
            embedding_dim,
            merge,
            padded_grid,
            style_widths,
            style_dim,
            dtype=policy,
            name="style",
        )
        self.style_grid = StylePyramid(style_pyramid, dtype=policy, name="style_grid")
        self.episode_embedding = EpisodeEmbedding(
            num_episodes,
            episode_dim,
            embeddings_initializer=unit_normal(),
            dtype=policy,
            name="episode",
        )

    def build(self, input_shape=None):
        if not self.built:
            self.built = True
            codes = tf.zeros((1, 2, *self.grid, self.num_heads), tf.int32)
            mel = tf.zeros((1, 2 * MELS_PER_FRAME, NUM_MELS))
            self(mel, codes, tf.constant([-1]), seed=tf.zeros((2,), tf.int32))

    def condition(self, mel, style, episode, training=False):
        """Conditioning of whole clips.

        Args:
            mel: float [B, 4 T, 80], log-mel aligned to the video (align_mel).
            style: float [B, style_dim].
            episode: int32 [B], -1 is 'none'; or float [B, episode_dim], see EpisodeEmbedding.
            training: see AudioEncoder's `normalize`.
        """
        mel, style, episode = map(tf.convert_to_tensor, (mel, style, episode))
        frames = mel.shape[1] if mel.shape.rank == 3 else None
        check_shape(
            "mel",
            mel,
            (None, None if frames is None else frames - frames % MELS_PER_FRAME, NUM_MELS),
            f"[B, {MELS_PER_FRAME} T, {NUM_MELS}] with at least one video frame (align_mel)",
        )
        check_shape("style", style, (None, self.style_dim), f"[B, {self.style_dim}]")
        for name, tensor in (("mel", mel), ("style", style)):
            check_floats(name, tensor)
        check_episode(episode, self.num_episodes, self.episode_embedding.output_dim)
        check_batch("style", style, mel)
        check_batch("episode", episode, mel)
        return Conditioning(
            self.hear(mel, training=training),
            self.style_features(style),
            self.episode_embedding(episode),
        )

    def hear(self, mel, valid=None, training=False):
        """Audio features on the decoder's grid: [B, 4 T, 80] -> [B, T, s, s, A].

        For a window of a clip with `valid` and the context of the audio encoder, see there.
        """
        return self.audio_encoder(mel, valid, training=training)

    def style_features(self, style):
        """Style on the decoder's grid, the same for all frames: [B, D] -> [B, 1, s, s, S]."""
        return self.style_grid(style)

    def call(
        self,
        mel,
        codes,
        episode,
        seed,
        history=None,
        training=False,
        start=None,
        untold=None,
    ):
        """Teacher-forced logits with the style sampled from the posterior (B.2.2).

        Args:
            mel, episode: see condition.
            codes: int32 [B, T, h, w, heads], the targets.
            seed: int32 [2] of the style's draw.
            history: what the decoder is shown instead of the codes (corrupted, say), or None.
            training: see AudioEncoder's `normalize`.
            start: int32 scalar, the frame of the sound that the codes begin with, where it is of a
                longer clip; None for sound and codes of one length.
            untold: bool [B], clips whose sound the decoder is not told, see Conditioning.untold; or
                None.

        Returns:
            (logits float32 [B, T, h, w, heads, num_codes], StylePosterior).
        """
        mel, codes, seed = map(tf.convert_to_tensor, (mel, codes, seed))
        check_codes(codes, self.grid, self.num_heads, self.num_codes)
        check_batch("mel", mel, codes, shared=False)
        check_seed(seed)
        if start is None:
            check_lengths("mel", mel, codes, MELS_PER_FRAME)
        if history is not None:
            history = tf.convert_to_tensor(history)
            check_history(history, codes, self.num_codes)
        posterior = self.style_encoder(codes)
        conditioning = self.condition(mel, posterior.sample(seed), episode, training)
        if start is not None:
            # A gather keeps the static length, which XLA wants; a slice from a tensor does not.
            heard = tf.gather(conditioning.audio, start + tf.range(codes.shape[1]), axis=1)
            conditioning = conditioning._replace(audio=heard)
        if untold is not None:
            conditioning = conditioning.untold(untold)
        return self.logits(codes if history is None else history, conditioning), posterior

    def as_logits(self, outputs):
        """Logits as they leave the model: float32, or float64 where it computes in that."""
        return ops.cast(outputs, "float64" if self.compute_dtype == "float64" else "float32")

    def project(self, conditioning):
        """A Share a block, values [B, elements, ..., filters]: all that the decoder is told."""
        return tuple(projection.share(*conditioning) for projection in self.projections)

    def at(self, shares, index):
        """The shares of the element `index` (int32 scalar): values [B, ..., filters]."""
        return tuple(share._replace(values=share.values[:, index]) for share in shares)

    def after(self, position, steps):
        """The position `steps` later, int32 scalar, modulo the length of all rings together: a
        stream of days does not overflow it."""
        lengths = [conv.history for block in self.blocks for conv in block if conv.history]
        return tf.math.floormod(position + steps, math.lcm(*lengths))

    def draw(self, codes, state, shares, choose):
        """Samples one element.

        Args:
            codes: int32 [B, *element_shape], the element before; -1 everywhere before the first.
            state: from init_state or the last draw.
            shares: of this element, see `at`.
            choose: float32 logits [B, ..., heads, num_codes] -> int32 codes [B, ..., heads]; called
                once with all heads, or by HAR once a head.

        Returns:
            (codes of the element, next state).
        """
        logits, state = self.step(codes, state, shares)
        return choose(logits), state

    def log_prob(self, codes, conditioning):
        """Log-probability of every code in nats: float32 [B, T, h, w, heads].

        Args:
            codes: int32 [B, T, h, w, heads].
            conditioning: of T frames, see condition.
        """
        codes = tf.convert_to_tensor(codes)
        check_codes(codes, self.grid, self.num_heads, self.num_codes)
        check_lengths("conditioning.audio", conditioning.audio, codes)
        log_p = tf.nn.log_softmax(
            tf.reshape(self.logits(codes, conditioning), (-1, self.num_codes))
        )
        picked = tf.gather(log_p, tf.reshape(codes, (-1,)), axis=1, batch_dims=1)
        return ops.reshape(picked, ops.shape(codes))

    def get_config(self):
        """The arguments but for the precision, which is no part of what was trained: whoever loads
        a model chooses its dtype."""
        return dict(self._arguments)
