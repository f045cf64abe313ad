"""Strided, grouped convolutions in three forms that give the same, for the critics (Table 4b)."""

import itertools
import math

import keras
import tensorflow as tf
from keras import ops

FORMS = ("grouped", "dense", "patches")


def convolution(inputs, kernel, strides):
    """The framework's own, with 'same' padding and as many groups as the kernel has room for.

    TensorFlow has no gradients of grouped convolutions on CPUs but through XLA, so Keras wraps them
    in a compiled function of their own, wherever they run. Second gradients then get zeros of every
    feature map's size from the wrappers, which are computed while XLA compiles: 108 GB of them at
    Table 4b's widths. GPUs need no wrapper.
    """
    if tf.config.list_logical_devices("GPU"):
        # The eager gradient of a 3D convolution needs the format said.
        data_format = "NHWC" if len(strides) == 2 else "NDHWC"
        return tf.nn.convolution(inputs, kernel, list(strides), "SAME", data_format)
    return ops.conv(inputs, kernel, strides, padding="same")


class GroupedConv(keras.layers.Layer):
    """A 2D or 3D convolution with 'same' padding, in groups of channels.

    Which form is fastest, the second gradient included, depends on device and compiler. The weights
    are those of keras.layers.Conv2D and Conv3D in every form. It computes in its input's dtype, so
    that one layer serves a bfloat16 pass and a float32 penalty.

    Args:
        filters: output width.
        kernel_size: (height, width) or (time, height, width).
        strides: likewise.
        groups: of channels; filters and input channels are multiples.
        form: how more than one group is computed: 'grouped' by the framework's own convolution;
            'dense' by an ungrouped one whose kernel has zeros between the groups; 'patches' by a
            matrix product a group on the inputs that the kernel covers, laid side by side.
        activation: as Keras layers take it.

    Input: float [N, (T,) H, W, C]. Output: [N, (T',) H', W', filters].

    Raises:
        ValueError: for another form, groups that filters or input channels are no multiple of,
            sizes below 1, kernels and strides that are not both of two or both of three.
    """

    def __init__(
        self, filters, kernel_size, strides, groups=1, form="grouped", activation=None, **kwargs
    ):
        super().__init__(autocast=False, **kwargs)
        if form not in FORMS:
            raise ValueError(f"form must be one of {FORMS}. Received: form={form!r}")
        for name, sizes in (("kernel_size", kernel_size), ("strides", strides)):
            if len(sizes) not in (2, 3) or len(sizes) != len(kernel_size) or min(sizes) < 1:
                raise ValueError(
                    f"{name} must be 2 or 3 sizes from 1 on, as many as the other has. "
                    f"Received: kernel_size={tuple(kernel_size)}, strides={tuple(strides)}"
                )
        if filters < 1:
            raise ValueError(f"filters must be at least 1. Received: filters={filters}")
        if groups < 1 or filters % groups:
            raise ValueError(
                f"groups must be at least 1 and divide filters={filters}. Received: groups={groups}"
            )
        self.filters = filters
        self.kernel_size, self.strides = tuple(kernel_size), tuple(strides)
        self.groups = groups
        self.form = form
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        if input_shape[-1] % self.groups:
            raise ValueError(
                f"groups must divide the input's {input_shape[-1]} channels. "
                f"Received: groups={self.groups}"
            )
        # Glorot's limit with the fans of a group. From the kernel's shape alone one would take all
        # filters for fed by each input: of 256 groups, weights a tenth and less.
        fans = math.prod(self.kernel_size) * (input_shape[-1] + self.filters) / self.groups
        limit = math.sqrt(6.0 / fans)
        self.kernel = self.add_weight(
            shape=(*self.kernel_size, input_shape[-1] // self.groups, self.filters),
            initializer=keras.initializers.RandomUniform(-limit, limit),
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.built = True

    def compute_output_shape(self, input_shape):
        batch, *sizes, _ = input_shape
        places = zip(sizes, self.strides, strict=True)
        return (batch, *(size and -(-size // stride) for size, stride in places), self.filters)

    def call(self, inputs):
        kernel, bias = (ops.cast(weight, inputs.dtype) for weight in (self.kernel, self.bias))
        if self.groups == 1 and self._covers(inputs.shape[1:-1]):
            outputs = self._of_one_patch(inputs, kernel)
        elif self.groups > 1 and self.form == "patches":
            outputs = self._by_patches(inputs, kernel)
        else:
            if self.groups > 1 and self.form == "dense":
                kernel = self._between_zeros(kernel)
            outputs = convolution(inputs, kernel, self.strides)
        return self.activation(outputs + bias)

    def _covers(self, sizes):
        """Whether the kernel lies on all of its input, once."""
        return self.kernel_size == tuple(sizes) and all(
            stride >= size for stride, size in zip(self.strides, sizes, strict=True)
        )

    def _of_one_patch(self, inputs, kernel):
        """One matrix product: on a CPU, a convolution's second gradient costs a multiple of it."""
        width = math.prod(kernel.shape[:-1])
        flat = ops.reshape(inputs, (-1, width))
        products = ops.matmul(flat, ops.reshape(kernel, (width, self.filters)))
        return ops.reshape(products, (-1, *[1] * len(self.kernel_size), self.filters))

    def _between_zeros(self, kernel):
        """[..., C / groups, filters] -> [..., C, filters], zero where groups differ."""
        width = kernel.shape[-2]
        of_channel = tf.range(width * self.groups) // width
        of_filter = tf.range(self.filters) // (self.filters // self.groups)
        same = ops.cast(of_channel[:, None] == of_filter, kernel.dtype)  # [C, filters]
        ones = [1] * len(self.kernel_size)
        return tf.tile(kernel, [*ones, self.groups, 1]) * same

    def _by_patches(self, inputs, kernel):
        sizes = inputs.shape[1:-1]
        outputs = [-(-size // stride) for size, stride in zip(sizes, self.strides, strict=True)]
        around = [(0, 0)]
        for size, out, taps, stride in zip(
            sizes, outputs, self.kernel_size, self.strides, strict=True
        ):
            total = max((out - 1) * stride + taps - size, 0)
            around.append((total // 2, total - total // 2))
        padded = ops.pad(inputs, [*around, (0, 0)])
        taps = []
        for corner in itertools.product(*map(range, self.kernel_size)):
            steps = zip(corner, outputs, self.strides, strict=True)
            where = [slice(at, at + (n - 1) * stride + 1, stride) for at, n, stride in steps]
            taps.append(padded[(slice(None), *where)])
        patches = tf.stack(taps, axis=-2)  # [N, ..., taps, C]
        patches = tf.reshape(patches, (-1, len(taps), self.groups, inputs.shape[-1] // self.groups))
        kernels = tf.reshape(kernel, (len(taps), -1, self.groups, self.filters // self.groups))
        products = tf.einsum("ntgc,tcgf->ngf", patches, kernels)
        return tf.reshape(products, (-1, *outputs, self.filters))

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "groups": self.groups,
            "form": self.form,
            "activation": keras.activations.serialize(self.activation),
        }
