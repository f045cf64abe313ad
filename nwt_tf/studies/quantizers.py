"""Quantisers behind one interface, each a drop-in between an encoder and a decoder.

All turn queries [..., D] into values [..., code_dim] by way of num_heads codes out of num_codes, so
that a Memcode has num_heads * log2(num_codes) bits with any of them. They differ in how a code is
found, how gradients pass, and which loss keeps the codes in use.
"""

from typing import NamedTuple

import keras
import tensorflow as tf
from keras import ops

from nwt_tf.layers.hard_attention import MultiHeadHardAttention, gumbel_noise
from nwt_tf.losses import kl_to_uniform


class Quantization(NamedTuple):
    """What a quantiser gives back for queries of shape [..., D].

    values: [..., code_dim], for the decoder.
    codes: int32 [..., num_heads] in [0, num_codes).
    loss: float32 scalar, to add to the reconstruction loss: 0 where the quantiser needs none.
    """

    values: tf.Tensor
    codes: tf.Tensor
    loss: tf.Tensor


class Quantizer(keras.layers.Layer):
    """Base of the quantisers.

    Args:
        num_heads: codes a Memcode.
        num_codes: what each is out of.
        code_dim: width of the values, a multiple of num_heads.

    Raises:
        ValueError: for sizes that do not fit together.
    """

    def __init__(self, num_heads=8, num_codes=8, code_dim=256, **kwargs):
        super().__init__(**kwargs)
        if num_heads < 1 or num_codes < 2 or code_dim % num_heads:
            raise ValueError(
                "a quantiser needs a head, two codes, and a code_dim that is a multiple of "
                f"num_heads. Received: num_heads={num_heads}, num_codes={num_codes}, "
                f"code_dim={code_dim}"
            )
        self.num_heads = num_heads
        self.num_codes = num_codes
        self.code_dim = code_dim
        self.key_dim = code_dim // num_heads

    def call(self, queries, seed=None, temperature=1.0, training=False):
        """Quantises.

        Args:
            queries: float [..., D].
            seed: int32 [2], of the quantisers that sample (Memcodes, GumbelSoftmax); None is their
                arg max.
            temperature: of GumbelSoftmax, annealed by the training.
            training: gradients pass; VectorEMA moves its codebook.

        Returns:
            A Quantization.
        """
        raise NotImplementedError

    def lookup(self, codes):
        """Values of given codes: int [..., num_heads] -> float [..., code_dim]."""
        raise NotImplementedError

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "num_codes": self.num_codes,
            "code_dim": self.code_dim,
        }


class Memcodes(Quantizer):
    """The paper's hard attention (equations 1 to 3); its loss is the KL to uniform codes.

    Args:
        natural: gradients of natural sampling, see NaturalSampling.
    """

    def __init__(self, *args, natural=False, **kwargs):
        super().__init__(*args, **kwargs)
        self.natural = natural
        kind = NaturalSampling if natural else MultiHeadHardAttention
        self.attention = kind(self.num_heads, self.num_codes, self.code_dim, name="attention")

    def build(self, input_shape):
        self.attention.build(input_shape)
        self.built = True

    def call(self, queries, seed=None, temperature=1.0, training=False):
        values, codes, logits = self.attention(queries, seed=seed, training=training)
        return Quantization(values, codes, kl_to_uniform(logits))

    def lookup(self, codes):
        return self.attention.lookup(codes)

    def get_config(self):
        return {**super().get_config(), "natural": self.natural}


class NaturalSampling(MultiHeadHardAttention):
    """The same draws, but the gradient's softmax is that of chi alone (B.1.5, equation 12).

    arg max(chi + G) is a sample of softmax(chi); what B.1.5 compares is whether the gradient that
    goes straight through knows the noise (equation 13) or not.
    """

    def chances(self, logits, perturbed):
        return logits


class GumbelSoftmax(Quantizer):
    """Relaxed one-hot codes softmax((chi + G) / temperature) (Jang et al., Maddison et al., 2016).

    The values are mixtures while training, and single rows otherwise; annealing the temperature
    brings the two together. The loss is the KL to uniform codes.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.to_logits = keras.layers.Dense(self.num_heads * self.num_codes, name="logits")

    def build(self, input_shape):
        self.to_logits.build(input_shape)
        self.codebook = self.add_weight(
            shape=(self.num_heads, self.num_codes, self.key_dim),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            name="codebook",
        )
        self.built = True

    def call(self, queries, seed=None, temperature=1.0, training=False):
        lead = ops.shape(queries)[:-1]
        logits = ops.reshape(self.to_logits(queries), (-1, self.num_heads, self.num_codes))
        perturbed = logits
        if seed is not None:
            perturbed = logits + gumbel_noise(tf.shape(logits), seed)
        codes = tf.argmax(perturbed, axis=-1, output_type=tf.int32)
        if training:
            weights = tf.nn.softmax(perturbed / temperature)
        else:
            weights = tf.one_hot(codes, self.num_codes)
        values = ops.reshape(
            ops.einsum("nhc,hcd->nhd", weights, self.codebook), (-1, self.code_dim)
        )
        return Quantization(
            ops.reshape(values, (*lead, self.code_dim)),
            ops.reshape(codes, (*lead, self.num_heads)),
            kl_to_uniform(logits),
        )

    def lookup(self, codes):
        return ops.reshape(
            ops.einsum("...hc,hcd->...hd", tf.one_hot(codes, self.num_codes), self.codebook),
            (*ops.shape(codes)[:-1], self.code_dim),
        )
