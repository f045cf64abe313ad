"""Memcodes as a video codec (section 3.6): coders of codes and the `.nwt` file, no TensorFlow.

docs/codec.md specifies every byte. The coders' loops are compiled by numba.
"""
