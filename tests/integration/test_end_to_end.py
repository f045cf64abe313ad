"""Footage to a talking video by the commands as a user types them, and what they refuse."""

import json
import os
import subprocess
import sys
import wave
from fractions import Fraction

import av
import numpy as np
import pytest

from data_pipeline.media import probe, read_audio, read_video
from data_pipeline.synthetic import write_footage
from data_pipeline.synthetic_voice import synthesize_voice
from nwt_tf.bin import nwt

SECONDS = 1.7  # of the unseen sound
FPS = 25


def write_wav(path, waveform, rate=24000):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", "not compressed"))
        file.writeframes((np.asarray(waveform) * 32767).astype("<i2").tobytes())
    return path


class Path_:
    """One training of everything at the `tiny` configs: its folders and the commands' last lines."""

    def __init__(self, root, capsys):
        self.root, self.lines = root, {}
        self._capsys = capsys

    def __getattr__(self, name):
        return self.root / name

    def run(self, command, *arguments):
        with self._capsys.disabled() as _:
            pass
        nwt.main([command, *map(str, arguments)])
