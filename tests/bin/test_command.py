"""How commands read flags, fail and report."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from absl import flags

from nwt_tf.bin import command

DOC = """Copies clips.

It copies every clip.
"""


@pytest.fixture
def own_flags() -> flags.FlagValues:
    own = flags.FlagValues()
    flags.DEFINE_string("input_dir", None, "Folder of clips.", flag_values=own, required=True)
    flags.DEFINE_integer("steps", 3, "Number of steps.", flag_values=own, lower_bound=1)
    flags.DEFINE_bool("overwrite", False, "Replace what is there.", flag_values=own)
    return own


def error_of(capsys, own_flags, argv, main=lambda: None) -> str:
    """Runs a command that must fail, and returns its one line on stderr."""
    with pytest.raises(SystemExit) as stop:
        command.run("copy", main, own_flags, DOC, argv)
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("nwt copy: error: ") and err.count("\n") == 1, err
    return err


def test_main_reads_the_flags(own_flags):
    seen = {}
    command.run(
        "copy",
        lambda: seen.update(own_flags.flag_values_dict()),
        own_flags,
        DOC,
        ["--input_dir", "a", "--steps=7", "--overwrite"],
    )
    assert seen == {"input_dir": "a", "steps": 7, "overwrite": True}


def test_a_second_run_starts_from_the_defaults(own_flags):
    command.run("copy", lambda: None, own_flags, DOC, ["--input_dir=a", "--steps=7"])
    command.run("copy", lambda: None, own_flags, DOC, ["--input_dir=b"])
    assert (own_flags.input_dir, own_flags.steps) == ("b", 3)


def test_help_lists_flags_and_defaults_without_running(capsys, own_flags):
    command.run("copy", pytest.fail, own_flags, DOC, ["--help"])
    text = capsys.readouterr().out
    assert text.startswith("usage: nwt copy --input_dir=... [--flag=value ...]\n\nCopies clips.\n")
    assert "It copies every clip." in text
    assert "Folder of clips. (required)" in text
    assert "--[no]overwrite" in text
    assert "Number of steps. (default: 3)" in text


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "--input_dir must be given"),
        (["--input-dir=a"], "unknown flag --input-dir; did you mean --input_dir?"),
        (["--input_dir=a", "--steps=many"], "--steps=many"),
        (["--input_dir=a", "--steps=0"], "--steps=0"),
        (["--input_dir=a", "--overwrite=perhaps"], "--overwrite=perhaps"),
        (["--input_dir=a", "clip.mp4"], "unexpected argument 'clip.mp4'"),
        (["--input_dir"], "input_dir"),
    ],
)
def test_flag_errors_are_one_line(capsys, own_flags, argv, message):
    error = error_of(capsys, own_flags, argv, pytest.fail)
    assert message in error
    assert "`nwt copy --help` lists the flags" in error


def raising(error: BaseException):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no sound\n  in a.mp4"), "no sound in a.mp4"),
        (FileNotFoundError(2, "No such file or directory", "a.mp4"), "a.mp4: No such file or dir"),
        (FileExistsError(17, "File exists", __file__), "test_command.py: is a file, and a folder"),
        (OSError("disk full"), "disk full"),
        (ValueError(), "ValueError"),
    ],
)
def test_errors_of_the_input_are_one_line(capsys, own_flags, error, message):
    assert message in error_of(capsys, own_flags, ["--input_dir=a"], raising(error))


def test_a_long_error_keeps_its_first_sentence_whole(capsys, own_flags):
    first = "The folder " + "x" * 500 + " holds no video."
    error = ValueError(f"{first} {'More. ' * 200}")
    line = error_of(capsys, own_flags, ["--input_dir=a"], raising(error))
    assert line == f"nwt copy: error: {first}\n"


def test_traceback_on_request(capsys, own_flags, monkeypatch):
    monkeypatch.setenv("NWT_TRACEBACK", "1")
    with pytest.raises(SystemExit):
        command.run("copy", raising(ValueError("no sound")), own_flags, DOC, ["--input_dir=a"])
    error = capsys.readouterr().err
    assert error.startswith("Traceback") and error.endswith("nwt copy: error: no sound\n")


def test_errors_of_the_program_keep_their_traceback(own_flags):
    with pytest.raises(ZeroDivisionError):
        command.run("copy", lambda: 1 / 0, own_flags, DOC, ["--input_dir=a"])


def test_interrupt(capsys, own_flags):
    with pytest.raises(SystemExit) as stop:
        command.run("copy", raising(KeyboardInterrupt()), own_flags, DOC, ["--input_dir=a"])
    assert stop.value.code == 130
    assert capsys.readouterr().err == "\nnwt copy: interrupted\n"


@pytest.fixture
def endless(tmp_path) -> Path:
    """A command that prints until it is stopped."""
    script = tmp_path / "endless.py"
    script.write_text(
        '"""Prints on."""\n'
        "from absl import flags\n"
        "from nwt_tf.bin import command\n"
        "def main():\n"
        "    while True:\n"
        "        print('again', flush=True)\n"
        "command.run('endless', main, flags.FlagValues(), __doc__)\n"
    )
    return script


def start(script: Path) -> subprocess.Popen:
    root = Path(command.__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
        # A shell without job control has jobs behind `&` ignore SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def test_a_closed_pipe_is_quiet(endless):
    process = start(endless)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=20) == 141


def test_ctrl_c_is_one_line(endless):
    process = start(endless)
    process.stdout.readline()
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert error == b"\nnwt endless: interrupted\n"
    assert process.returncode == 130


def test_report_is_one_json_line(capsys):
    command.report(
        mp4=Path("out.mp4"),
        ssim=np.float32(1 / 3),
        clips=np.int64(858),
        skipped=["a", "b"],
        usage={"head": [0.123456789, 1.0]},
        resumed=False,
        preset=None,
    )
    text = capsys.readouterr().out
    assert text.endswith("\n") and text.count("\n") == 1
    assert json.loads(text) == {
        "mp4": "out.mp4",
        "ssim": 0.333333,
        "clips": 858,
        "skipped": ["a", "b"],
        "usage": {"head": [0.123457, 1.0]},
        "resumed": False,
        "preset": None,
    }


@pytest.mark.parametrize("value", [float("nan"), np.float32("inf"), [1.0, float("-inf")]])
def test_report_refuses_what_was_not_measured(capsys, value):
    with pytest.raises(ValueError, match="ssim is"):
        command.report(ssim=value)
    assert capsys.readouterr().out == ""


def test_report_refuses_other_types():
    with pytest.raises(TypeError):
        command.report(model=object())


def test_tensorflow_starts_quietly(tmp_path):
    script = (
        "from nwt_tf.bin import command\n"
        "import os, sys\n"
        "command.start_tensorflow()\n"
        "assert 'tensorflow' in sys.modules\n"
        "os.write(2, b'heard')\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    environment["PYTHONPATH"] = str(Path(command.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"heard")
