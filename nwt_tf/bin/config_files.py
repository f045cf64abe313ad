"""Config files as the value of a flag: which file a spec means, loading it, checking overrides.

A config file defines `get_config(variant="...")`, which returns a new dataclass whose fields are
numbers, strings, booleans, tuples and further dataclasses. Two traps of ml_collections: it reads
the fields' annotations at run time, so the file must not use `from __future__ import annotations`,
and it assigns overrides to the fields, so the dataclasses must not be frozen.
"""

import dataclasses
import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from absl import flags

from nwt_tf.bin.spelling import nearest


class ConfigFileParser(flags.ArgumentParser):
    """Flag parser: `small`, `dvae:small`, `FILE.py:variant` or `FILE.py` -> a dataclass.

    Args:
        stem: The file in `configs/` whose variants may be named alone.
        like: A variant of it that others must be like, see `check_fields`; None lets all pass.
    """

    def __init__(self, stem: str, like: str | None = None):
        self.stem, self.like = stem, like

    def parse(self, spec: str) -> object:
        config = load_config(spec, self.stem)
        if self.like:
            check_fields(spec, config, load_config(self.like, self.stem), self.stem)
        return config

    def flag_type(self) -> str:
        return "config"


def resolve_config(spec: str, stem: str) -> tuple[Path, str | None]:
    """Returns the config file that `spec` means, and the variant it names, if any.

    Args:
        spec: `small` (of configs/STEM.py), `dvae:small` (of configs/dvae.py), `FILE.py:small`
            or `FILE.py` (its default variant).
        stem: The file in `configs/` whose variants may be named alone.

    Raises:
        FileNotFoundError: there is no such file.
    """
    file, _, variant = spec.partition(":")
    if file.endswith(".py"):
        path = Path(file)
    elif variant:
        path = _installed_configs() / f"{file}.py"
    else:
        path, variant = _installed_configs() / f"{stem}.py", spec
    if not path.is_file():
        raise FileNotFoundError(
            f"--config={spec}: no such file: {path}; give a variant of {stem}, FILE.py or "
            "FILE.py:variant"
        )
    return path, variant or None


def load_config(spec: str, stem: str) -> object:
    """Loads the config that `spec` means; see `resolve_config`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a config file, or has no such variant.
    """
    path, variant = resolve_config(spec, stem)
    get_config = getattr(_load_module(path), "get_config", None)
    if get_config is None:
        raise ValueError(f"--config={spec}: {path} defines no get_config function")
    try:
        config = get_config(variant) if variant else get_config()
    except (TypeError, ValueError) as error:
        raise ValueError(f"--config={spec}: {error}") from error
    except KeyError as error:
        if variant and error.args == (variant,):
            raise ValueError(f"--config={spec}: {path} has no variant {variant!r}") from None
        raise ValueError(f"--config={spec}: {path}: {_spelt(error)}") from error
    except Exception as error:  # whatever goes wrong in a user's file
        raise ValueError(f"--config={spec}: {path}: {_spelt(error)}") from error
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise ValueError(f"--config={spec}: get_config of {path} must return a dataclass")
    return config


def check_fields(spec: str, config: object, like: object, stem: str) -> None:
    """Refuses a config that lacks fields of another one, but for those of its model: a variant may
    have another kind of model.

    Raises:
        ValueError: naming the first that is missing.
    """
    known = field_paths(config)
    missing = [path for path in field_paths(like) if path not in known]
    missing = [path for path in missing if not path.startswith("model.")]
    if missing:
        raise ValueError(
            f"--config={spec} has no field {missing[0]}: give a variant of configs/{stem}.py, or a "
            "file with its fields"
        )


def config_first(argv: Sequence[str], name: str, default: str) -> list[str]:
    """Returns `argv` with the config flag in front, where ml_collections needs it.

    Args:
        argv: The arguments after the command's name.
        name: The config flag's name.
        default: Its value when `argv` does not give one; the last one given wins.

    Raises:
        flags.Error: the flag is the last word, without a value.
    """
    spec, rest, words = default, [], iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        if flag not in (f"--{name}", f"-{name}"):
            rest.append(word)
        elif equals:
            spec = value
        else:
            spec = next(words, None)
            if spec is None:
                raise flags.Error(f"--{name} needs a value")
    return [f"--{name}={spec}", *rest]


def check_overrides(argv: Sequence[str], name: str, config: object) -> None:
    """Checks that every `--config.FIELD` names a field of the config.

    Args:
        argv: The arguments after the command's name.
        name: The config flag's name.
        config: The dataclass that the flag's value gives.

    Raises:
        flags.Error: a field does not exist; the message names the nearest.
    """
    known = field_paths(config)
    for word in argv:
        override = re.match(rf"--?(?:no)?{name}\.([^=\[]+)", word)
        if override and override[1] not in known:
            field = override[1]
            same_name = [path for path in known if path.split(".")[-1] == field.split(".")[-1]]
            hint = f"; did you mean {same_name[0]}?" if same_name else nearest(field, known)
            raise flags.Error(f"--{name} has no field {field}{hint}")


def field_paths(config: object, prefix: str = "") -> list[str]:
    """Returns the dotted paths of all fields of nested dataclasses, in their order."""
    paths = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            paths += field_paths(value, f"{prefix}{field.name}.")
        else:
            paths.append(f"{prefix}{field.name}")
    return paths


def _installed_configs() -> Path:
    return Path(importlib.util.find_spec("configs").submodule_search_locations[0])


def _load_module(path: Path) -> ModuleType:
    """Imports a config file; an installed one under its own name, so that its classes are one."""
    if path.resolve().parent == _installed_configs().resolve():
        return importlib.import_module(f"configs.{path.stem}")
    name = f"config_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there.
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise ValueError(f"{path}, line {error.lineno}: {error.msg}") from error
    except Exception as error:
        raise ValueError(f"{path}: {_spelt(error)}") from error
    return module


def _spelt(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
