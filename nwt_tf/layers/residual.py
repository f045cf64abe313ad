"""Frame-wise 2D blocks of the dVAE-Adv generator (B.1.1, Table 4a)."""

import keras
from keras import ops


def leaky_relu(inputs):
    """LeakyReLU with slope 0.2, the activation of every layer of Table 4."""
    return ops.leaky_relu(inputs, negative_slope=0.2)


class ResidualBlock2D(keras.layers.Layer):
    """LeakyReLU(shortcut(x) + convolutions(x)) on frames.

    The shortcut is the identity, or a 1x1 convolution where the width changes.

    Args:
        filters: output width.
        kernel_size: of each convolution.
        num_convs: one (the `paper` config) or two convolutions in the branch.

    Input and output: float [N, H, W, C] -> [N, H, W, filters].
    """

    def __init__(self, filters, kernel_size=4, num_convs=1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.num_convs = num_convs
        self.convs = [
            keras.layers.Conv2D(
                filters, kernel_size, padding="same", name=f"conv{i}", dtype=self.dtype_policy
            )
            for i in range(num_convs)
        ]
        self.shortcut = None

    def build(self, input_shape):
        if input_shape[-1] != self.filters:
            self.shortcut = keras.layers.Conv2D(
                self.filters, 1, name="shortcut", dtype=self.dtype_policy
            )
            self.shortcut.build(input_shape)
        shape = tuple(input_shape)
        for conv in self.convs:
            conv.build(shape)
            shape = (*shape[:-1], self.filters)
        self.built = True

    def call(self, inputs):
        branch = inputs
        for conv in self.convs[:-1]:
            branch = leaky_relu(conv(branch))
        branch = self.convs[-1](branch)
        carried = inputs if self.shortcut is None else self.shortcut(inputs)
        return leaky_relu(carried + branch)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "num_convs": self.num_convs,
        }
