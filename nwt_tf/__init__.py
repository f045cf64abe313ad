"""Speech in, video of a talking person out (NWT, Mama et al. 2021), in Keras 3 and TensorFlow."""

__version__ = "0.1.0"
