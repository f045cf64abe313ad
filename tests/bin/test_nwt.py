"""The `nwt` dispatcher and what every command promises."""

import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags

import nwt_tf
from nwt_tf.bin import nwt

ROOT = Path(nwt_tf.__file__).parents[1]


def python(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_lists_the_commands_in_order(capsys, argv):
    nwt.main(argv)
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    listed = [line for line in lines if line and line[0] in nwt.COMMANDS]
    assert [name for name, _ in listed] == list(nwt.COMMANDS)
    assert all(len(summary) > 10 for _, summary in listed)


def test_listing_imports_no_command_and_no_heavy_library():
    done = python(
        "-c",
        "import sys; from nwt_tf.bin import nwt; nwt.main([])\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'tensorflow', 'keras', 'numpy', 'absl'}, loaded\n"
        "assert not set(nwt.COMMANDS.values()) & set(sys.modules)",
    )
    assert done.returncode == 0, done.stderr


def test_version(capsys):
    nwt.main(["--version"])
    assert capsys.readouterr().out == f"nwt_tf {nwt_tf.__version__}\n"


def test_unknown_command(capsys):
    with pytest.raises(SystemExit) as stop:
        nwt.main(["train_dave"])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.startswith("nwt: error: unknown command 'train_dave'; did you mean train_dvae")
    assert error.count("\n") == 1


def test_passes_the_flags_on(capsys, monkeypatch):
    module = type(sys)("throwaway")
    module.__doc__ = "Adds one."
    module.FLAGS = flags.FlagValues()
    flags.DEFINE_integer("to", 1, "Number.", flag_values=module.FLAGS)
    module.main = lambda: print(module.FLAGS.to + 1)
    monkeypatch.setitem(sys.modules, "throwaway", module)
    monkeypatch.setitem(nwt.COMMANDS, "add_one", "throwaway")
    nwt.main(["add_one", "--to=41"])
    assert capsys.readouterr().out == "42\n"


def test_runs_as_a_module():
    done = python("-m", "nwt_tf.bin.nwt", "--version")
    assert done.stdout == f"nwt_tf {nwt_tf.__version__}\n", done.stderr


@pytest.mark.parametrize("name", nwt.COMMANDS)
def test_help_of_every_command_is_quick_and_light(name):
    """`--help` works both ways and imports no TensorFlow: a user reads it before training."""
    done = python("-m", nwt.COMMANDS[name], "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: nwt {name}")
    assert nwt.summary(name) in done.stdout
    light = python(
        "-c",
        f"import sys; from nwt_tf.bin import nwt; nwt.main([{name!r}, '--help'])\n"
        "assert 'tensorflow' not in sys.modules, 'import TensorFlow inside main'",
    )
    assert light.returncode == 0, light.stderr
    assert light.stdout == done.stdout
