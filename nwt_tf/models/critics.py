"""The critics of dVAE-Adv (Table 4b, B.1.4): strided and window-based, on clips or frames."""

import keras
import tensorflow as tf
from keras import ops

from nwt_tf.layers.grouped_conv import GroupedConv
from nwt_tf.layers.resample import fold_time


def leaky_relu(inputs):
    """LeakyReLU with slope 0.2 whose slopes count as constants, as they are.

    The penalty's second gradient goes through the slopes otherwise, all of it zero: two more
    convolutions a layer.
    """
    slopes = tf.where(inputs > 0, tf.ones((), inputs.dtype), tf.constant(0.2, inputs.dtype))
    return inputs * tf.stop_gradient(slopes)


class Critic(keras.layers.Layer):
    """A stack of convolutions that scores patches and shows all its feature maps.

    Args:
        layers: (filters, kernel, stride, groups) of each hidden layer; kernels of three numbers
            (time, height, width) make a 3D critic on clips, of two numbers a 2D critic on frames.
        grouped: form of the grouped convolutions, see GroupedConv.

    Input: float [B, T, H, W, 3] in [-1, 1]; a 2D critic folds time into the batch.

    Raises:
        ValueError: for layers of another form or none, and sizes that GroupedConv refuses.
    """

    def __init__(self, layers, grouped="grouped", **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.grouped = grouped
        try:
            self._layers_argument = [
                [filters, list(kernel), list(stride), groups]
                for filters, kernel, stride, groups in layers
            ]
        except (TypeError, ValueError):
            self._layers_argument = []
        if not self._layers_argument:
            raise ValueError(
                "A critic's layers must be (filters, kernel, stride, groups), one or more of them. "
                f"Received: critics with {layers!r}"
            )
        self.rank = len(self._layers_argument[0][1])
        self.hidden = [
            GroupedConv(
                filters,
                kernel,
                stride,
                groups,
                grouped,
                leaky_relu,
                dtype=self.dtype_policy,
                name=f"conv{i}",
            )
            for i, (filters, kernel, stride, groups) in enumerate(self._layers_argument)
        ]
        ones = (1,) * self.rank
        self.output_layer = GroupedConv(1, ones, ones, dtype=self.dtype_policy, name="score")

    def samples(self, video):
        """What the critic takes for one sample: clips for 3D, frames for 2D. [N, (T,) H, W, 3]."""
        return video if self.rank == 3 else fold_time(video)

    def call(self, samples, dtype=None):
        """Samples -> (feature maps of every hidden layer, mean patch score float32 [N]).

        `dtype` is what it computes in, the policy's if None.
        """
        samples = ops.cast(samples, dtype or self.compute_dtype)
        features = []
        for layer in self.hidden:
            samples = layer(samples)
            features.append(samples)
        scores = ops.cast(self.output_layer(samples), "float32")
        return features, ops.mean(scores, axis=tuple(range(1, len(scores.shape))))

    def get_config(self):
        return {**super().get_config(), "layers": self._layers_argument, "grouped": self.grouped}


class Critics(keras.Model):
    """The set of critics S_C.

    Args:
        critics: for each critic its `layers` (see Critic).
        grouped: form of the grouped convolutions, see GroupedConv.

    Raises:
        ValueError: for no critics, and as Critic.
    """

    def __init__(self, critics, grouped="grouped", **kwargs):
        super().__init__(**kwargs)
        self.members = [
            Critic(layers, grouped, dtype=self.dtype_policy, name=f"critic{i}")
            for i, layers in enumerate(critics)
        ]
        if not self.members:
            raise ValueError(f"critics must be one or more. Received: critics={critics!r}")

    def call(self, video):
        """Video [B, T, H, W, 3] -> a (features, scores) pair a critic."""
        return [critic(critic.samples(video)) for critic in self.members]

    def get_config(self):
        layers = [critic._layers_argument for critic in self.members]
        return {"critics": layers, "grouped": self.members[0].grouped}
