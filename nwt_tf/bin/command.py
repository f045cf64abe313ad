"""How every `nwt` command reads its flags, fails, and reports.

A command is a module `nwt_tf/bin/NAME.py` whose docstring's first line is its summary, with

    FLAGS = flags.FlagValues()
    flags.DEFINE_string("audio", None, "The speech.", flag_values=FLAGS, required=True)
    command.config_flag(FLAGS, "dvae", "small")

    def main() -> None:
        command.start_tensorflow()  # Only where it is needed; then import what builds on it.
        ...
        command.report(mp4=FLAGS.output, seconds=seconds)

    if __name__ == "__main__":
        command.run("NAME", main, FLAGS, __doc__)

Errors of the user's input (`ValueError` and `OSError` from `main`, and every flag error) become one
line on stderr and exit code 2; `NWT_TRACEBACK=1` shows where they came from. Errors of the program
keep their traceback and exit with 1.
"""

import json
import math
import os
import re
import shutil
import sys
import textwrap
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import flags, logging
from ml_collections import config_flags

from nwt_tf.bin import config_files
from nwt_tf.bin.spelling import nearest

USER_ERROR = 2
INTERRUPTED = 130
BROKEN_PIPE = 141
_MAX_ERROR_CHARS = 300

# Before TensorFlow is imported, which no module under bin/ does outside its `main`. What goes wrong
# is raised in Python; what 2 would show beside it are kernels that a processor lacks, and the like.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def run(
    name: str,
    main: Callable[[], None],
    flag_values: flags.FlagValues,
    doc: str,
    argv: Sequence[str] | None = None,
) -> None:
    """Parses the flags, calls `main`, and turns the user's errors into one line.

    Args:
        name: The command's name, as typed after `nwt`.
        main: Takes nothing; reads the parsed flags from `flag_values`.
        flag_values: The command's own flags.
        doc: The command's help text, its module's docstring.
        argv: The arguments after the command's name. Defaults to those of the process.

    Raises:
        SystemExit: with code 2 after an error of the user's input, 130 after an interrupt,
            141 when the reader of the output has gone. Success and `--help` return.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    logging.set_verbosity(logging.WARNING)
    try:
        if {"--help", "-h"}.intersection(argv):
            print(_help(name, flag_values, doc))
        else:
            parse_flags(flag_values, argv)
            main()
        sys.stdout.flush()
    except flags.Error as error:
        _fail(name, f"{error} (`nwt {name} --help` lists the flags)")
    except BrokenPipeError:
        # Nobody reads on: keep the interpreter's last flush from complaining, and go quietly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE)
    except (ValueError, OSError) as error:
        _fail(name, describe(error))
    except KeyboardInterrupt:
        print(f"\nnwt {name}: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


def config_flag(
    flag_values: flags.FlagValues, stem: str, variant: str, any_stage: bool = False
) -> flags.FlagHolder:
    """Defines `--config`: a variant of the installed `configs/STEM.py`, or another config file.

    `FLAGS.config` is then what the file's `get_config(variant)` returned, a dataclass, changed by
    `--config.section.field=value`. Accepted are `small`, `dvae:small`, `FILE.py:variant` and
    `FILE.py`. A field that does not exist, or a value of another type, is an error.

    Args:
        flag_values: The command's own flags.
        stem: Name of the file in `configs/`, for example `dvae`.
        variant: The variant that is used when the flag is not given.
        any_stage: Whether configs of other files of `configs/` will do.
    """
    holder = config_flags.DEFINE_config_file(
        "config",
        help_string=f"A variant of configs/{stem}.py, FILE.py or FILE.py:variant; "
        "--config.FIELD=VALUE changes one field.",
        flag_values=flag_values,
    )
    # DEFINE_config_file would load its default, with the overrides in sys.argv, at import time.
    # Given none it waits: `parse_flags` passes the default as if it had been typed.
    flag = flag_values["config"]
    flag.parser = config_files.ConfigFileParser(stem, None if any_stage else variant)
    flag.default = variant
    return holder


def report(**figures: object) -> None:
    """Prints a command's last line: its figures as one JSON object.

    Args:
        **figures: Strings, paths, booleans, numbers (NumPy's too), None, or lists and
            dictionaries of them. Floats are rounded to six significant digits.

    Raises:
        ValueError: a figure is NaN or infinite: it was never measured.
        TypeError: a figure is of another type.
    """
    print(json.dumps({key: _plain(value, key) for key, value in figures.items()}), flush=True)


def start_tensorflow() -> None:
    """Imports TensorFlow, and finds its devices, without chatter: the start-up's of its C++ side,
    and its Python side's warnings, which advise its developers.

    That side writes to file descriptor 2 before it heeds TF_CPP_MIN_LOG_LEVEL. Python's errors are
    raised as ever; TF_CPP_MIN_LOG_LEVEL=0 or 1 in the environment shows everything.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        quiet = os.environ["TF_CPP_MIN_LOG_LEVEL"] not in ("0", "1")
        if quiet:
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 2)
        import tensorflow as tf

        if quiet:
            tf.get_logger().setLevel("ERROR")
        tf.config.list_physical_devices()
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def parse_flags(flag_values: flags.FlagValues, argv: Sequence[str]) -> None:
    """Parses a command's arguments into its own flags, starting from the defaults.

    Args:
        flag_values: The command's own flags.
        argv: The arguments after the command's name.

    Raises:
        flags.Error: an unknown, missing or ill-typed flag, or an argument that is no flag.
        ValueError, OSError: a config that cannot be loaded or has no such field.
    """
    for flag_name in list(flag_values):
        if "." in flag_name:  # An override that an earlier call in this process defined.
            delattr(flag_values, flag_name)
        else:
            flag_values[flag_name].unparse()
    argv = list(argv)
    for flag_name in list(flag_values):
        flag = flag_values[flag_name]
        if isinstance(flag.parser, config_files.ConfigFileParser):
            argv = config_files.config_first(argv, flag_name, flag.default)
            config = flag.parser.parse(argv[0].partition("=")[2])
            config_files.check_overrides(argv, flag_name, config)
    typed, sys.argv = sys.argv, ["nwt", *argv]  # config_flags looks for overrides there.
    try:
        rest = flag_values(sys.argv)[1:]
    except flags.UnrecognizedFlagError as error:
        close = nearest(f"--{error.flagname}", [f"--{known}" for known in flag_values])
        raise flags.Error(f"unknown flag --{error.flagname}{close}") from None
    except flags.IllegalFlagValueError as error:
        missing = re.findall(r"flag --(\w+)=None: Flag --\1 must have a value", str(error))
        if not missing:
            raise flags.Error(str(error).removeprefix("flag ")) from error
        raise flags.Error(", ".join(f"--{flag}" for flag in missing) + " must be given") from None
    except (TypeError, IndexError, AttributeError) as error:
        # Of a config file of the user's: a frozen dataclass, one with annotations as strings, an
        # element of a tuple.
        fields = [word for word in argv if re.match(r"--?\w+\.", word)]
        raise flags.Error(f"{' '.join(fields)} cannot be set: {error}") from error
    finally:
        sys.argv = typed
    if rest:
        raise flags.Error(f"unexpected argument {rest[0]!r}: every value follows its --flag")


def describe(error: Exception) -> str:
    """Returns an error's message on one line, its first sentence always whole."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
        if isinstance(error, FileExistsError) and os.path.isfile(error.filename):
            text = f"{error.filename}: is a file, and a folder is asked for"
    first, *others = re.split(r"(?<=[.!?]) ", " ".join(text.split()))
    for sentence in others:
        if len(first) + len(sentence) >= _MAX_ERROR_CHARS:
            break
        first += f" {sentence}"
    return first or type(error).__name__


def _fail(name: str, message: str) -> NoReturn:
    if os.environ.get("NWT_TRACEBACK", "0") not in ("", "0"):
        traceback.print_exc()
    print(f"nwt {name}: error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(USER_ERROR)


def _plain(value: object, key: str) -> object:
    """Returns `value` as JSON takes it."""
    if isinstance(value, dict):
        return {str(name): _plain(item, f"{key}.{name}") for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, key) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "item"):  # A NumPy scalar.
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"the figure {key} is {value}")
        return float(f"{value:.6g}")
    return value


def _help(name: str, flag_values: flags.FlagValues, doc: str) -> str:
    """Returns a command's help: what it does, then each flag with its default."""
    own = {flag: flag_values[flag] for flag in sorted(flag_values) if "." not in flag}
    required = [flag for flag in own if _is_required(own[flag])]
    usage = "".join(f" --{flag}=..." for flag in required)
    lines = [f"usage: nwt {name}{usage} [--flag=value ...]", "", textwrap.dedent(doc).strip(), ""]
    width = min(100, shutil.get_terminal_size().columns)
    for flag_name in [*required, *(flag for flag in own if flag not in required)]:
        flag = own[flag_name]
        default = flag.default
        default = ",".join(map(str, default)) if isinstance(default, list) else default
        note = "required" if flag_name in required else f"default: {default}"
        unset = default is None and flag_name not in required  # its help says what that means
        text = flag.help if unset else f"{flag.help} ({note})"
        lines.append(f"--[no]{flag_name}" if flag.boolean else f"--{flag_name}")
        lines += textwrap.wrap(text, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    lines += ["", "NWT_TRACEBACK=1 in the environment shows where an error came from."]
    return "\n".join(lines)


def _is_required(flag: flags.Flag) -> bool:
    return any("must have a value other than None" in check.message for check in flag.validators)
