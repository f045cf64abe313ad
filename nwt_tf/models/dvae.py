"""dVAE-Adv: encoder, hard attention, decoder (sections 2.1.3 and B.1)."""

import keras
import tensorflow as tf
from keras import ops

from nwt_tf import presets
from nwt_tf.layers.episode_embedding import EpisodeEmbedding
from nwt_tf.layers.hard_attention import MultiHeadHardAttention, gumbel_noise
from nwt_tf.models.generator import TEMPORAL_KERNELS, Decoder, Encoder, generator_arguments
from nwt_tf.models.input_checks import (
    check_at_least,
    check_batch,
    check_codes,
    check_episode,
    check_finite,
    check_seed,
    check_video,
)


class DVAE(keras.Model):
    """dVAE-Adv: video to Memcodes and back.

    Args:
        height, width: of the frames in pixels; multiples of 2 ** len(stages).
        stem, stages, temporal, res_convs: see Encoder; the defaults are Table 4a (Mem16).
        num_heads, num_codes, code_dim: of the hard attention.
        num_episodes: named episodes; the embedding has a further row for 'none'.
        episode_dim: width of the episode embedding, concatenated to the attention output (B.3).
        normalize_queries: see Encoder's `normalize`.

    Raises:
        ValueError: for sizes that do not divide, no heads, a codebook of one. The call, `encode`
            and `decode` refuse shapes, dtypes and, outside graphs, values that are not as
            documented; `render` the episode.
    """

    def __init__(
        self,
        height=256,
        width=224,
        stem=32,
        stages=((64, 3), (128, 4), (256, 6), (256, 3)),
        temporal=(256, 512, 512),
        res_convs=1,
        num_heads=8,
        num_codes=8,
        code_dim=1024,
        num_episodes=0,
        episode_dim=64,
        normalize_queries=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_at_least(0, num_episodes=num_episodes)
        check_at_least(1, stem=stem, res_convs=res_convs)
        check_at_least(1, code_dim=code_dim, episode_dim=episode_dim)
        generator = generator_arguments(stages, temporal, res_convs)
        stride = 2 ** len(stages)
        for name, size in (("height", height), ("width", width)):
            if size < stride or size % stride:
                raise ValueError(
                    f"{name} must be a multiple of {stride}, the product of the "
                    f"{len(stages)} strides. Received: {name}={size}"
                )
        self._arguments = {
            "height": height,
            "width": width,
            "stem": stem,
            **generator,
            "num_heads": num_heads,
            "num_codes": num_codes,
            "code_dim": code_dim,
            "num_episodes": num_episodes,
            "episode_dim": episode_dim,
            "normalize_queries": normalize_queries,
        }
        self.height, self.width = height, width
        self.grid = (height // stride, width // stride)
        self.num_heads, self.num_codes = num_heads, num_codes
        self.num_episodes = num_episodes
        policy = self.dtype_policy
        self.encoder = Encoder(
            stem, stages, temporal, res_convs, normalize_queries, dtype=policy, name="encoder"
        )
        self.attention = MultiHeadHardAttention(
            num_heads, num_codes, code_dim, dtype=policy, name="attention"
        )
        self.episode_embedding = EpisodeEmbedding(
            num_episodes, episode_dim, dtype=policy, name="episode"
        )
        self.decoder = Decoder(stages, temporal, res_convs, dtype=policy, name="decoder")
        # The temporal block is the only part that looks beside a frame.
        self.context = sum(kernel[0] // 2 for kernel in TEMPORAL_KERNELS)

    def build(self, input_shape=None):
        if not self.built:
            self.built = True
            self(tf.zeros((1, 1, self.height, self.width, 3)))

    def render(self, values, episode):
        """Decoder on attention values [B, T, h, w, code_dim] -> video; episode as in decode."""
        episode = self._episode(episode, like=values)
        return self.decoder(self._with_episode(values, self.episode_embedding(episode)))

    def _with_episode(self, values, vectors):
        """Values [B, T, h, w, code_dim] with episode vectors [B, E] tiled behind them."""
        tiled = tf.broadcast_to(
            vectors[:, None, None, None],
            tf.concat([tf.shape(values)[:-1], [vectors.shape[-1]]], axis=0),
        )
        return ops.concatenate([values, ops.cast(tiled, values.dtype)], axis=-1)

    def call(self, video, episode=None, seed=None, training=False):
        """Reconstructs a clip.

        Args:
            video: float [B, T, height, width, 3] in [-1, 1].
            episode: int32 [B], or None for 'none'.
            seed: int32 [2] to sample codes, or None for arg max.
            training: straight-through gradients.

        Returns:
            (reconstruction float32 like video, Quantized).
        """
        check_video(video, self.height, self.width)
        check_finite("video", video)
        if seed is not None:
            seed = tf.convert_to_tensor(seed)
            check_seed(seed)
        quantized = self.attention(
            self.encoder(video, training=training), seed=seed, training=training
        )
        return self.render(quantized.values, episode), quantized

    def _episode(self, episode, like):
        """The checked episode, int32 [B] or float [B, E]; all -1 for None."""
        if episode is None:
            return tf.fill(tf.shape(like)[:1], -1)
        episode = tf.convert_to_tensor(episode)
        check_episode(episode, self.num_episodes, self.episode_embedding.output_dim)
        check_batch("episode", episode, like)
        return episode if episode.dtype.is_floating else tf.cast(episode, tf.int32)

    def _windows(self, function, clips, window):
        """Applies a function that reads `context` frames to each side, a window at a time.

        Equal to applying it at once: each window carries its context, and only the clip's own ends
        are padded with zeros. Yields the result's windows.
        """
        for start in range(0, clips.shape[1], window):
            first = max(0, start - self.context)
            result = function(clips[:, first : start + window + self.context])
            yield result[:, start - first : start - first + window]

    def encode(self, video, seed=None, window=64):
        """Video of any length to Memcodes.

        Args:
            video: float [B, T, height, width, 3] in [-1, 1]; in a graph, too, of known T.
            seed: int32 [2] to sample, or None for arg max.
            window: frames computed at once.

        Returns:
            int32 [B, T, h, w, num_heads].
        """
        logits = self.code_logits(video, window)
        flat = tf.reshape(logits, (-1, self.num_heads, self.num_codes))
        if seed is not None:
            seed = tf.convert_to_tensor(seed)
            check_seed(seed)
            flat = flat + gumbel_noise(tf.shape(flat), seed)
        codes = tf.argmax(flat, axis=-1, output_type=tf.int32)
        return tf.reshape(codes, tf.shape(logits)[:-1])

    def code_logits(self, video, window=64):
        """What encode chooses from: float32 [B, T, h, w, num_heads, num_codes]; see encode."""
        video = tf.convert_to_tensor(video)
        check_video(video, self.height, self.width)
        check_finite("video", video)
        check_at_least(1, window=window)
        self.build()
        return tf.concat(list(self._windows(self._encode_logits, video, window)), axis=1)

    @tf.function(reduce_retracing=True)
    def _encode_logits(self, video):
        return self.attention.logits(self.encoder(video))

    def decode(self, codes, episode=None, window=64):
        """Memcodes of any length to video.

        Args:
            codes: int [B, T, h, w, num_heads]; in a graph, too, of known T.
            episode: int32 [B], -1 for 'none'; or float [B, episode_dim], see EpisodeEmbedding; or
                None for 'none'.
            window: frames computed at once, at most.

        Returns:
            float32 [B, T, height, width, 3] in (-1, 1).
        """
        return tf.concat(list(self.decode_windows(codes, episode, window)), axis=1)

    def decode_windows(self, codes, episode=None, window=64):
        """As decode, but yields float32 [B, up to window, height, width, 3] as computed."""
        codes = tf.convert_to_tensor(codes)
        check_codes(codes, self.grid, self.num_heads, self.num_codes)
        check_at_least(1, window=window)
        self.build()
        vectors = self.episode_embedding(self._episode(episode, like=codes))
        frames = codes.shape[1]
        # All windows are of one size, for one program; even ones compute least beyond the end.
        count = -(-frames // window)
        return self._decoded(codes, vectors, frames, -(-frames // count))

    def _decoded(self, codes, vectors, frames, window):
        around = [(0, 0), (self.context, window + self.context), *[(0, 0)] * 3]
        codes = tf.pad(codes, around)
        for start in range(0, frames, window):
            places = tf.range(start - self.context, start + window + self.context)
            valid = (places >= 0) & (places < frames)
            part = codes[:, start : start + window + 2 * self.context]
            yield self._decode(part, valid, vectors)[:, : frames - start]

    def decode_window(self, codes, valid, vectors):
        """Renders the middle of a window of codes: equal to those frames of the whole clip.

        Args:
            codes: int [B, context + W + context, h, w, num_heads]; outside of the clip any codes.
            valid: [context + W + context], whether a frame is the clip's.
            vectors: float [B, episode_dim], rows of the episode embedding or mixtures of them.

        Returns:
            float32 [B, W, height, width, 3] in (-1, 1).
        """
        values = self.decoder.temporal(
            self._with_episode(self.attention.lookup(codes), vectors), valid
        )
        return self.decoder.frames(values[:, self.context : -self.context])

    @tf.function(reduce_retracing=True)
    def _decode(self, codes, valid, vectors):
        return self.decode_window(codes, valid, vectors)

    @classmethod
    def from_preset(cls, name_or_dir, dtype="float32"):
        """The DVAE of a preset: a folder (a training workdir is one) or a shipped name.

        Args:
            name_or_dir: see presets.locate.
            dtype: policy of its layers.

        Raises:
            ValueError: for no such preset or weights of another model.
        """
        return presets.load(cls, "dvae", name_or_dir, dtype=dtype)

    def get_config(self):
        """The arguments but for the precision, see Prior.get_config."""
        return dict(self._arguments)
