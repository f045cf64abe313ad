"""HAR: the prior that predicts a head a step, the strategy that section 2.2.2 names and leaves."""

import keras
import tensorflow as tf
from keras import ops

from nwt_tf.layers.causal_conv import CausalConv1D
from nwt_tf.layers.initializers import unit_normal
from nwt_tf.models.input_checks import check_at_least
from nwt_tf.models.mar import MAR


class HAR(MAR):
    """Head-level autoregressive prior: MAR's body a Memcode, then a causal network over its heads.

    The network reads, for each head, an embedding of the code of the head before and the body's
    features, through causal convolutions over the heads that reach back to the first one.

    Args:
        head_width: of the network over the heads.
        Others: see MAR.
    """

    HEAD_TAPS = 4

    def __init__(self, head_width=256, **kwargs):
        super().__init__(**kwargs)
        check_at_least(1, head_width=head_width)
        self._arguments |= {"head_width": head_width}
        policy = self.dtype_policy
        self.head_width = head_width
        # Row 0 of each head stands before the first head, row 1 + c is code c of the head before.
        self.head_embedding = keras.layers.Embedding(
            self.num_heads * (self.num_codes + 1),
            head_width,
            embeddings_initializer=unit_normal(),
            dtype=policy,
            name="head_embedding",
        )
        self.head_input = keras.layers.Dense(head_width, dtype=policy, name="head_input")
        self.head_convs = [
            CausalConv1D(head_width, (self.HEAD_TAPS,), dilation, dtype=policy, name=f"head{i}")
            for i, dilation in enumerate(self._head_dilations())
        ]

    def _head_dilations(self):
        """Of the convolutions over the heads: 1 and 2, by which a head sees 1 + 3 (1 + 2) = 10
        before it, and 4, 8 and so on where there are more."""
        dilations = [1, 2]
        while 1 + (self.HEAD_TAPS - 1) * sum(dilations) < self.num_heads - 1:
            dilations.append(2 * dilations[-1])
        return dilations

    def _output_width(self):
        """Logits that the output layer gives at once: those of one head."""
        return self.num_codes

    def _embed_head(self, codes, head):
        """Codes of the head before `head`, int [...], -1 before the first -> [..., head_width]."""
        return self.head_embedding(head * (self.num_codes + 1) + codes + 1)

    def _head_logits(self, features, codes):
        """Logits of all heads given the heads before: [n, width], int [n, heads]."""
        before = ops.concatenate([-tf.ones_like(codes[:, :1]), codes[:, :-1]], axis=1)
        heads = tf.range(self.num_heads)
        hidden = self._embed_head(before, heads) + self.head_input(features)[:, None]
        for conv in self.head_convs:
            hidden = hidden + keras.activations.mish(conv(hidden))
        return self.as_logits(self.output_layer(hidden))  # [n, heads, num_codes]

    def logits(self, codes, conditioning):
        """Logits of every head from the Memcodes before and the heads before it; see MAR.

        The heads before count as history: what a training corrupts or leaves out of `codes`, it
        does in the predicted Memcode too.
        """
        features = self.body(codes, conditioning)
        features = ops.reshape(features, (-1, features.shape[-1]))
        logits = self._head_logits(features, ops.reshape(codes, (-1, self.num_heads)))
        return tf.reshape(logits, tf.concat([tf.shape(codes), [self.num_codes]], axis=0))

    def guess_logits(self, features, codes):
        """Logits of every head given the guessed heads before it; see MAR."""
        flat = ops.reshape(features, (-1, features.shape[-1]))
        logits = self._head_logits(flat, ops.reshape(codes, (-1, self.num_heads)))
        return tf.reshape(logits, tf.concat([tf.shape(codes), [self.num_codes]], axis=0))

    def draw(self, codes, state, shares, choose):
        """Samples one Memcode, head after head; see Prior.draw."""
        features, state = self.body_step(codes, state, shares)
        projected = self.head_input(features)
        batch = tf.shape(codes)[0]
        rings = [conv.init_state(batch) for conv in self.head_convs]
        chosen = [-tf.ones((batch,), tf.int32)]
        for head in range(self.num_heads):
            hidden = self._embed_head(chosen[-1], head) + projected
            for i, conv in enumerate(self.head_convs):
                branch, rings[i] = conv.step(hidden, rings[i], head)
                hidden = hidden + keras.activations.mish(branch)
            logits = self.as_logits(self.output_layer(hidden))  # [B, num_codes]
            chosen.append(choose(logits[:, None])[:, 0])
        return tf.stack(chosen[1:], axis=-1), state

    def step(self, codes, state, shares):
        """A Memcode's heads depend on one another: use `draw`.

        Raises:
            TypeError: always.
        """
        raise TypeError("HAR has no logits of a Memcode before its heads are drawn: use draw.")
