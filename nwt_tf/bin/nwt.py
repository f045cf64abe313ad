"""`nwt COMMAND --flag=value ...`: lists the commands and runs one of them."""

import ast
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import nwt_tf
from nwt_tf.bin.spelling import nearest

COMMANDS = {
    "build_dataset": "nwt_tf.bin.build_dataset",
    "train_dvae": "nwt_tf.bin.train_dvae",
    "extract_codes": "nwt_tf.bin.extract_codes",
    "train_prior": "nwt_tf.bin.train_prior",
    "generate": "nwt_tf.bin.generate",
    "serve": "nwt_tf.bin.serve",
    "compress": "nwt_tf.bin.compress",
    "decompress": "nwt_tf.bin.decompress",
    "evaluate": "nwt_tf.bin.evaluate",
    "export": "nwt_tf.bin.export",
    "mos": "nwt_tf.bin.mos",
    "benchmark": "nwt_tf.bin.benchmark",
    "mnist": "nwt_tf.bin.mnist",
    "demo": "nwt_tf.bin.demo",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Runs `nwt`.

    Args:
        argv: The arguments after `nwt`. Defaults to those of the process.

    Raises:
        SystemExit: with code 2 for an unknown command, or as the command itself exits.
    """
    name, *rest = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("--help", "-h", "help"):
        print(overview())
    elif name == "--version":
        print(f"nwt_tf {nwt_tf.__version__}")
    elif name in COMMANDS:
        # Imported here: listing the commands stays instant.
        from nwt_tf.bin import command

        module = importlib.import_module(COMMANDS[name])
        command.run(name, module.main, module.FLAGS, module.__doc__, rest)
    else:
        hint = nearest(name, COMMANDS)
        print(f"nwt: error: unknown command {name!r}{hint} (`nwt` lists them)", file=sys.stderr)
        sys.exit(2)


def overview() -> str:
    """Returns the list of commands in the order of use, each with its one-line summary."""
    width = max(map(len, COMMANDS))
    commands = [f"  {name:<{width}}  {summary(name)}" for name in COMMANDS]
    return "\n".join(
        [
            "usage: nwt COMMAND [--flag=value ...]",
            "",
            "Speech in, video of a talking person out. The commands, in the order of use:",
            "",
            *commands,
            "",
            "`nwt COMMAND --help` lists a command's flags; `nwt --version` names this version.",
        ]
    )


def summary(name: str) -> str:
    """Returns the first line of a command's docstring, read without importing the command."""
    source = Path(__file__).with_name(f"{COMMANDS[name].rpartition('.')[2]}.py")
    return ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))).splitlines()[0]


if __name__ == "__main__":
    main()
