"""The critics of dVAE-Adv (Table 4b, B.1.4): strided and window-based, on clips or frames."""

import keras
from keras import ops

from nwt_tf.layers.resample import fold_time
from nwt_tf.layers.residual import leaky_relu


class Critic(keras.layers.Layer):
    """A stack of convolutions that scores patches and shows all its feature maps.

    Args:
        layers: (filters, kernel, stride, groups) of each hidden layer; kernels of three numbers
            (time, height, width) make a 3D critic on clips, of two numbers a 2D critic on frames.

    Input: float [B, T, H, W, 3] in [-1, 1]; a 2D critic folds time into the batch.
    """

    def __init__(self, layers, **kwargs):
        super().__init__(**kwargs)
        self._layers_argument = [
            [filters, list(kernel), list(stride), groups]
            for filters, kernel, stride, groups in layers
        ]
        self.rank = len(self._layers_argument[0][1])
        conv = keras.layers.Conv3D if self.rank == 3 else keras.layers.Conv2D
        self.hidden = [
            conv(
                filters,
                tuple(kernel),
                strides=tuple(stride),
                groups=groups,
                padding="same",
                activation=leaky_relu,
                dtype=self.dtype_policy,
                name=f"conv{i}",
            )
            for i, (filters, kernel, stride, groups) in enumerate(self._layers_argument)
        ]
        self.output_layer = conv(1, 1, dtype=self.dtype_policy, name="score")

    def samples(self, video):
        """What the critic takes for one sample: clips for 3D, frames for 2D. [N, (T,) H, W, 3]."""
        return video if self.rank == 3 else fold_time(video)

    def call(self, samples):
        """Samples -> (feature maps of every hidden layer, mean patch score float32 [N])."""
        features = []
        for layer in self.hidden:
            samples = layer(samples)
            features.append(samples)
        scores = ops.cast(self.output_layer(samples), "float32")
        return features, ops.mean(scores, axis=tuple(range(1, len(scores.shape))))

    def get_config(self):
        return {**super().get_config(), "layers": self._layers_argument}


class Critics(keras.Model):
    """The set of critics S_C.

    Args:
        critics: for each critic its `layers` (see Critic).
    """

    def __init__(self, critics, **kwargs):
        super().__init__(**kwargs)
        self.members = [
            Critic(layers, dtype=self.dtype_policy, name=f"critic{i}")
            for i, layers in enumerate(critics)
        ]

    def call(self, video):
        """Video [B, T, H, W, 3] -> a (features, scores) pair a critic."""
        return [critic(critic.samples(video)) for critic in self.members]

    def get_config(self):
        return {"critics": [critic._layers_argument for critic in self.members]}
