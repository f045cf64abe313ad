"""Commands as a user types them, run in this process, and what they must leave as it was."""

import contextlib
import io
import json
import wave

import numpy as np
import pytest

from nwt_tf.bin import nwt


def run(command, *arguments):
    """A command in this process: (its last line, all it printed)."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        nwt.main([command, *map(str, arguments)])
    return json.loads(printed.getvalue().splitlines()[-1]), printed.getvalue()


def refused(capsys, message, command, *arguments):
    """Exit code 2, and one line that says why."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_:
        nwt.main([command, *map(str, arguments)])
    lines = capsys.readouterr().err.strip().splitlines()
    assert exit_.value.code == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"nwt {command}: error: ")
    assert message in lines[0]


def content(folder):
    """{file's path: (bytes, time of its last change)} of all files in a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def write_wav(path, waveform, rate=24000):
    """16-bit samples [N] or [N, channels]."""
    samples = np.round(np.clip(waveform, -1, 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((samples[0].size if len(samples) else 1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return path
