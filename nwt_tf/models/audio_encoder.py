"""The audio encoder of the priors (B.2.1, first part of Tables 5 and 6)."""

import keras
from keras import ops

from nwt_tf.layers.feature_norm import FeatureNorm
from nwt_tf.layers.initializers import TimeCentred, mish_uniform, standardize
from nwt_tf.layers.mel import MELS_PER_FRAME
from nwt_tf.layers.resample import keep_valid
from nwt_tf.layers.spatially_connected import SpatialPyramid

DILATIONS = (1, 1, 1, 1, 2, 4, 8)  # of the seven Conv1D


class AudioEncoder(keras.layers.Layer):
    """Log-mel to a grid of features a video frame.

    Seven Conv1D (the first reads the 4 mel frames of a video frame: kernel 4, stride 4 where the
    printed table's 3, 3 would not meet the video rate), then the SC3D pyramid.

    Args:
        widths: of the seven Conv1D.
        pyramid: of the SC3D levels.
        causal: read no sound after a frame; the paper's encoder looks ahead.
        normalize: normalise every feature of every place, see FeatureNorm. The paper does without;
            a short training without it never came to listen.

    Input: float [B, 4 T, 80], log-mel aligned to the video, and for a window of a clip `valid` [T],
    see keep_valid. Output: [B, T, 2^n, 2^n, pyramid[-1]]; of a window, those at least `context`
    frames from its ends are the clip's.
    """

    def __init__(self, widths, pyramid, causal=False, normalize=False, **kwargs):
        super().__init__(autocast=False, **kwargs)  # mel is scaled before it is rounded
        self._arguments = {
            "widths": list(widths),
            "pyramid": list(pyramid),
            "causal": causal,
            "normalize": normalize,
        }
        self.norm = FeatureNorm(2, dtype=self.dtype_policy, name="norm") if normalize else None
        padding = "causal" if causal else "same"
        self.convs = [
            keras.layers.Conv1D(
                width,
                MELS_PER_FRAME if i == 0 else 3,
                strides=MELS_PER_FRAME if i == 0 else 1,
                dilation_rate=dilation,
                padding="valid" if i == 0 else padding,
                activation=keras.activations.mish,
                kernel_initializer=(
                    TimeCentred(centre=2 if causal else 1) if i else mish_uniform()
                ),
                dtype=self.dtype_policy,
                name=f"conv{i}",
            )
            for i, (width, dilation) in enumerate(zip(widths, DILATIONS, strict=True))
        ]
        self.pyramid = SpatialPyramid(
            pyramid, time_padding=padding, dtype=self.dtype_policy, name="pyramid"
        )
        reach = sum(DILATIONS[1:]) + (self.pyramid.time_span - 1) // 2
        # Frames before and after one that its features depend on.
        self.context = (2 * reach, 0) if causal else (reach, reach)

    def build(self, input_shape):
        shape = tuple(input_shape)
        for conv in self.convs:
            conv.build(shape)
            shape = (*shape[:-1], conv.filters)
        self.pyramid.build(shape)
        if self.norm:
            side = 2 ** len(self.pyramid.widths)
            self.norm.build((None, None, side, side, self.pyramid.widths[-1]))
        self.built = True

    def _scaled(self, mel):
        # Log-mel lies in [-11.5, 8]; this brings speech to about zero mean and unit spread.
        return ops.cast((mel + 6.0) / 4.0, self.compute_dtype)

    def _features(self, mel, valid=None):
        features = self._scaled(mel)
        for conv in self.convs:
            features = keep_valid(conv(features), valid)
        return self.pyramid(features, valid)

    def call(self, mel, valid=None, training=False):
        features = self._features(mel, valid)
        return self.norm(features, training=training) if self.norm else features

    def calibrate(self, mel):
        """Starts every layer at zero mean and unit spread over a batch of sound, each channel by
        itself (data-dependent initialisation, Krähenbühl et al. 2016).

        From random weights alone the features that reach a decoder vary in time by 0.08 to 0.3,
        with the seed, and a short training with the smaller ones never came to listen.

        Args:
            mel: as in call, of several clips of speech.
        """
        features = self._scaled(mel)
        for conv in self.convs:
            conv.activation = keras.activations.linear
            standardize(conv, conv(features))
            conv.activation = keras.activations.mish
            features = conv(features)
        self.pyramid.calibrate(features)

    def settle(self, mel):
        """Measures what normalises outside training, see FeatureNorm; without effect where nothing
        is normalised.

        Args:
            mel: as in call, of several clips of speech.
        """
        if self.norm:
            self.norm.settle(self._features(mel))

    def get_config(self):
        return {**super().get_config(), **self._arguments}
