"""Initial weights of layers that Mish follows."""

import keras

MISH_GAIN = 1.6  # about 1 / mish'(0): keeps small signals alive through the dozen layers of a prior


def mish_uniform():
    """Glorot's uniform times MISH_GAIN, for kernels before a Mish activation.

    With Glorot's own scale, the audio features would reach the decoder 400 times smaller than the
    codes, and a prior would take long to notice the sound.
    """
    return keras.initializers.VarianceScaling(MISH_GAIN**2, "fan_avg", "uniform")
