"""Config files as flags: variants, overrides and their errors."""

import sys
import types

import pytest
from absl import flags

from nwt_tf.bin import command, config_files

CONFIG = '''
import dataclasses


@dataclasses.dataclass
class Train:
    batch_size: int = 2
    learning_rate: float = 1e-3
    resume_from: str | None = None
    adversarial: bool = True


@dataclasses.dataclass
class Config:
    width: int = 8
    channels: tuple[int, ...] = (1, 2)
    train: Train = dataclasses.field(default_factory=Train)


def get_config(variant="tiny"):
    widths = {"tiny": 8, "small": 32}
    if variant not in widths:
        raise ValueError(f"unknown variant {variant!r}: choose tiny or small")
    return Config(width=widths[variant])
'''


@pytest.fixture(autouse=True)
def installed(tmp_path, monkeypatch):
    """An installed `configs` package whose one file is model.py; returns its folder."""
    folder = tmp_path / "site" / "configs"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "model.py").write_text(CONFIG)
    for name in [name for name in sys.modules if name.partition(".")[0] == "configs"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(folder.parent)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "configs"]:
        del sys.modules[name]


@pytest.fixture
def own_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(CONFIG.replace("width: int = 8", "width: int = 8\n    depth: int = 1"))
    return file


def test_a_config_that_lacks_fields_is_no_config_of_the_command(tmp_path):
    other = tmp_path / "other.py"
    other.write_text(CONFIG.replace("    adversarial: bool = True\n", ""))
    parser = config_files.ConfigFileParser("model", "tiny")
    with pytest.raises(ValueError, match="other.py has no field train.adversarial: give a variant"):
        parser.parse(str(other))
    assert parser.parse("small").width == 32
    assert config_files.ConfigFileParser("model").parse(str(other)).width == 8


def parse(*argv: str) -> types.SimpleNamespace:
    """Parses a command's arguments; returns its config and steps."""
    own = flags.FlagValues()
    flags.DEFINE_integer("steps", 3, "Steps.", flag_values=own)
    command.config_flag(own, "model", "small")
    command.parse_flags(own, argv)
    return types.SimpleNamespace(config=own.config, steps=own.steps, own=own)


def test_default_variant():
    assert parse("--steps=5").config.width == 32
    assert parse("--steps=5").steps == 5


@pytest.mark.parametrize("spec", ["tiny", "model:tiny"])
@pytest.mark.parametrize("form", [["--config={}"], ["--config", "{}"], ["-config={}"]])
def test_variant_by_name(spec, form):
    assert parse(*(word.format(spec) for word in form)).config.width == 8


def test_own_file(own_file):
    assert parse(f"--config={own_file}").config.width == 8
    config = parse(f"--config={own_file}:small", "--config.depth=4").config
    assert (config.width, config.depth) == (32, 4)


def test_an_installed_file_named_by_path_is_the_installed_module(installed):
    by_path = parse(f"--config={installed / 'model.py'}:tiny").config
    assert type(by_path) is type(parse("--config=tiny").config)


def test_overrides():
    config = parse(
        "--config.train.batch_size=4",
        "--config.train.learning_rate",
        "3e-4",
        "--config=tiny",  # After its overrides: ml_collections alone would refuse.
        "--config.channels=(3,4,5)",
        "--config.train.resume_from=workdir",
        "--noconfig.train.adversarial",
    ).config
    assert (config.width, config.channels) == (8, (3, 4, 5))
    train = config.train
    assert (train.batch_size, train.learning_rate, train.resume_from) == (4, 3e-4, "workdir")
    assert train.adversarial is False


def test_overrides_do_not_outlive_their_call():
    own = parse("--config.train.batch_size=4").own
    command.parse_flags(own, ["--config.width=5"])
    assert (own.config.width, own.config.train.batch_size) == (5, 2)


def test_two_commands_in_one_process():
    first = parse("--config=tiny", "--config.width=1").own
    second = parse("--config=small", "--config.width=2").own
    assert (first.config.width, second.config.width) == (1, 2)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--config.batch_size=4"], "no field batch_size; did you mean train.batch_size?"),
        (["--config.train.batchsize=4"], "did you mean train.batch_size?"),
        (["--config.train=build"], "no field train"),
        (["--config.train.batch_size=four"], "--config.train.batch_size=four"),
        (["--config.train.learning_rate=fast"], "--config.train.learning_rate=fast"),
        (["--config.train.adversarial=perhaps"], "--config.train.adversarial=perhaps"),
        (["--config=huge"], "unknown variant 'huge': choose tiny or small"),
        (["--config=other:tiny"], "other.py"),
        (["--config=missing.py"], "no such file: missing.py"),
        (["--config"], "--config needs a value"),
        (["--config.channels[0]=3"], "--config.channels[0]=3 cannot be set"),
    ],
)
def test_errors_are_one_line_and_exit_2(capsys, argv, message):
    own = flags.FlagValues()
    command.config_flag(own, "model", "small")
    with pytest.raises(SystemExit) as stop:
        command.run("train", pytest.fail, own, "Trains.", argv)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n", "defines no get_config"),
        ("def get_config(:\n", "line 1: invalid syntax"),
        ("def get_config():\n    return {}\n", "must return a dataclass"),
        ("def get_config(variant):\n    return {}[variant]\n", "has no variant 'tiny'"),
        ("def get_config():\n    return {}\n", None),
        ("import nowhere\n", "broken.py: ModuleNotFoundError: No module named 'nowhere'"),
        ("def get_config():\n    return {}['width']\n", "broken.py: KeyError: 'width'"),
        ("def get_config():\n    return 1 / 0\n", "broken.py: ZeroDivisionError"),
    ],
)
def test_a_file_that_is_no_config(tmp_path, source, message):
    file = tmp_path / "broken.py"
    file.write_text(source)
    spec = f"{file}:tiny" if message is None or "variant" in message else str(file)
    with pytest.raises(ValueError, match=message or "takes 0 positional arguments"):
        config_files.load_config(spec, "model")


def test_a_config_that_cannot_be_changed(own_file):
    own_file.write_text(own_file.read_text().replace("@dataclasses.dataclass", "@_frozen"))
    own_file.write_text(
        "import dataclasses\n_frozen = dataclasses.dataclass(frozen=True)\n" + own_file.read_text()
    )
    with pytest.raises(flags.Error, match="--config.width=9 cannot be set: cannot assign to field"):
        parse(f"--config={own_file}", "--config.width=9")


def test_field_paths():
    assert config_files.field_paths(parse().config) == [
        "width",
        "channels",
        "train.batch_size",
        "train.learning_rate",
        "train.resume_from",
        "train.adversarial",
    ]
