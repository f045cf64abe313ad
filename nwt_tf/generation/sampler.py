"""Cached sampling on the device (B.2.3, Paine et al. 2016)."""

import tensorflow as tf

from nwt_tf.layers.hard_attention import gumbel_noise


class Sampler:
    """Draws Memcodes frame by frame from a FAR prior, the whole loop in one graph.

    Args:
        prior: a built prior with init_state and step.
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
        return self._loop(conditioning, tf.convert_to_tensor(seed, tf.int32), float(temperature))

    @tf.function(reduce_retracing=True)
    def _loop(self, conditioning, seed, temperature):
        prior = self.prior
        batch, frames = tf.shape(conditioning.audio)[0], tf.shape(conditioning.audio)[1]
        shape = (batch, *prior.grid, prior.num_heads)
        codes = -tf.ones(shape, tf.int32)
        state = prior.init_state(batch)
        drawn = tf.TensorArray(tf.int32, size=frames, element_shape=(None, *shape[1:]))
        for t in tf.range(frames):
            logits, state = prior.step(codes, state, conditioning.frame(t))
            noise = gumbel_noise(
                tf.shape(logits), tf.random.experimental.stateless_fold_in(seed, t)
            )
            perturbed = logits + temperature * noise
            flat = tf.reshape(perturbed, (-1, prior.num_codes))
            codes = tf.reshape(tf.argmax(flat, axis=-1, output_type=tf.int32), shape)
            drawn = drawn.write(t, codes)
        return tf.transpose(drawn.stack(), (1, 0, 2, 3, 4))
