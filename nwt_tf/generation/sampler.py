"""Cached sampling on the device (B.2.3, Paine et al. 2016)."""

import tensorflow as tf

from nwt_tf.layers.hard_attention import gumbel_noise


class Sampler:
    """Draws Memcodes element by element from a prior, the whole loop in one graph.

    Args:
        prior: a built FAR, MAR or HAR.
    """

    def __init__(self, prior):
        self.prior = prior

    def __call__(self, conditioning, seed, temperature=1.0):
        """Samples one clip for each row of the conditioning.

        Args:
            conditioning: Conditioning of T frames, batch B.
            seed: int32 [2]; the same seed gives the same codes.
            temperature: of the draws; 0 takes the most likely codes.

        Returns:
            int32 [B, T, h, w, heads].
        """
        # Tensors: a Python number would trace the loop anew for each temperature.
        seed = tf.convert_to_tensor(seed, tf.int32)
        return self._loop(conditioning, seed, tf.convert_to_tensor(temperature, tf.float32))

    @tf.function(reduce_retracing=True)
    def _loop(self, conditioning, seed, temperature):
        prior = self.prior
        batch, frames = tf.shape(conditioning.audio)[0], tf.shape(conditioning.audio)[1]
        steps = frames * prior.steps_per_frame
        codes = tf.fill((batch, *prior.element_shape), -1)
        state = prior.init_state(batch)
        drawn = tf.TensorArray(tf.int32, steps, element_shape=(None, *prior.element_shape))
        for n in tf.range(steps):
            choose = Chooser(tf.random.experimental.stateless_fold_in(seed, n), temperature)
            codes, state = prior.draw(codes, state, prior.at(conditioning, n), choose)
            codes = tf.ensure_shape(codes, (None, *prior.element_shape))
            drawn = drawn.write(n, codes)
        sequence = tf.transpose(
            drawn.stack(), (1, 0, *range(2, 2 + len(prior.element_shape)))
        )  # [B, steps, *element_shape]
        return tf.reshape(sequence, (batch, frames, *prior.grid, prior.num_heads))


class Chooser:
    """Gumbel-max choice of the codes of one element; calls draw independent noise.

    Args:
        seed: int32 [2], of this element.
        temperature: float scalar; 0 takes the most likely codes.
    """

    def __init__(self, seed, temperature):
        self.seed, self.temperature = seed, temperature
        self.calls = 0

    def __call__(self, logits):
        """float32 logits [..., num_codes] -> int32 codes [...]."""
        seed = tf.random.experimental.stateless_fold_in(self.seed, self.calls)
        self.calls += 1
        perturbed = logits + self.temperature * gumbel_noise(tf.shape(logits), seed)
        flat = tf.reshape(perturbed, (-1, logits.shape[-1]))
        codes = tf.argmax(flat, axis=-1, output_type=tf.int32)
        return tf.reshape(codes, tf.shape(logits)[:-1])
