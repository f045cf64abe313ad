"""Presets: a folder with config.json, weights and a card (README.md).

A training workdir is a preset too. Weights lie in NumPy archives without pickles, in one of three
storages: float32, float16, or int8 with one scale a row of the input (`int8`).
"""

import contextlib
import hashlib
import json
import math
from pathlib import Path

import numpy as np

from nwt_tf.files import whole, write_text

FORMAT = 1
BEST = "best.json"  # in a workdir's folder of its best presets: which they are, the best first
SHIPPED = Path(__file__).parent / "pretrained"
MAX_FILE_BYTES = 15_000_000  # a weight archive is split above this
STORAGES = ("float32", "float16", "int8")
OBJECTS = {"dvae", "prior", "codes", "training"}  # of config.json; footage is read_footage's
_TAG = ":of"  # in each of several archives of a part: a fingerprint of the whole part
STATISTICS = ("mean", "variance")  # of FeatureNorm: float32, for what divides must not round to 0


def locate(name_or_dir):
    """The folder of a preset.

    Args:
        name_or_dir: a folder with config.json, or the name of a preset that ships with the package.
            A training workdir has its latest weights; WORKDIR/best stands for the best of those
            kept there.

    Raises:
        ValueError: where there is neither; the message lists the shipped names.
    """
    for folder in (Path(name_or_dir), SHIPPED / str(name_or_dir)):
        for entry in best_entries(folder)[:1]:
            folder = folder / entry["folder"]
        if (folder / "config.json").is_file():
            return folder
    shipped = sorted(p.parent.name for p in SHIPPED.glob("*/config.json")) or ["none yet"]
    raise ValueError(
        f"No preset at {name_or_dir}: it must be a folder with a config.json (a training workdir "
        f"is one) or a shipped name ({', '.join(shipped)})."
    )


def read_config(name_or_dir):
    """The preset's config.json as a dict.

    Raises:
        ValueError: for no preset, a damaged file or one of another format.
    """
    path = locate(name_or_dir) / "config.json"
    try:
        config = json.loads(path.read_text())
    except ValueError as error:  # of JSON or of UTF-8
        raise ValueError(f"{path} is not valid JSON ({error}).") from None
    found = config.get("format") if isinstance(config, dict) else None
    if found != FORMAT:
        raise ValueError(f"{path} has format {found}; this version of nwt_tf reads {FORMAT}.")
    for section in OBJECTS & config.keys():
        if not isinstance(config[section], dict):
            raise ValueError(f"{path} must have an object as its section {section!r}.")
    return config


def read_footage(name_or_dir):
    """The section of config.json that says how footage is cut, as a dict: fps, episodes, and more.

    Raises:
        ValueError: as read_config; there is none, or its fps is no number above 0.
    """
    footage = read_config(name_or_dir).get("footage")
    fps = footage.get("fps") if isinstance(footage, dict) else None
    is_number = isinstance(fps, int | float) and not isinstance(fps, bool)
    if not is_number or not 0 < fps < math.inf or not isinstance(footage.get("episodes"), dict):
        path = locate(name_or_dir) / "config.json"
        raise ValueError(
            f"{path} must have a section 'footage' with its fps, above 0, and its episodes."
        )
    return footage


def best_entries(folder):
    """What best.json of a folder lists, the best first: dicts with `step`, `folder` and the figure
    that they were chosen by; none where there is no such file.

    Raises:
        ValueError: for a damaged file.
    """
    path = Path(folder) / BEST
    if not path.is_file():
        return []
    try:
        entries = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}).") from None
    if not isinstance(entries, list) or any(
        not isinstance(entry, dict) or not entry.keys() >= {"step", "folder"} for entry in entries
    ):
        raise ValueError(f"{path} must list entries with step and folder.")
    return entries


def best_folders(workdir):
    """The folders of a training's best presets, the best first."""
    folder = Path(workdir) / "best"
    return [folder / entry["folder"] for entry in best_entries(folder)]


def write_best(folder, entries):
    """Writes best.json."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    write_text(Path(folder) / BEST, json.dumps(entries, indent=1) + "\n")


def write_config(folder, **sections):
    """Writes sections (`dvae`, `prior`, `footage`, `training`, ...) into config.json, keeping the
    others that are there."""
    path = Path(folder) / "config.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    config = read_config(folder) if path.exists() else {"format": FORMAT}
    config |= sections
    write_text(path, json.dumps(config, indent=1) + "\n")


def write_card(folder, text):
    """Writes the preset's README.md."""
    write_text(Path(folder) / "README.md", text.strip() + "\n")


def write_weights(folder, part, variables, storage="float32"):
    """Writes `part`.weights.N.npz.

    Args:
        folder: the preset.
        part: 'dvae' or 'prior'.
        variables: {path: float array}.
        storage: how arrays of two and more axes are stored; others are at least float16, and
            statistics that normalise float32.

    Raises:
        ValueError: for an unknown storage.
    """
    if storage not in STORAGES:
        raise ValueError(f"storage must be one of {STORAGES}. Received: storage={storage!r}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files, size = [{}], 0
    for path, value in variables.items():
        entries = _pack(path, np.asarray(value, np.float32), storage)
        added = sum(entry.nbytes for entry in entries.values())
        if files[-1] and size + added > MAX_FILE_BYTES - 100_000:
            files.append({})
            size = 0
        files[-1] |= entries
        size += added
    # Noise of float32 hardly packs, and what training saves is to be written quickly.
    save = np.savez if storage == "float32" else np.savez_compressed
    tag = {_TAG: np.frombuffer(fingerprint_of(variables), "u1")} if len(files) > 1 else {}
    with contextlib.ExitStack() as renamed:  # all of them in the end
        for i, arrays in enumerate(files):
            beside = renamed.enter_context(whole(folder / f"{part}.weights.{i}.npz"))
            with open(beside, "wb") as file:
                save(file, **arrays, **tag)
    for old in folder.glob(f"{part}.weights.*.npz"):
        if int(old.name.split(".")[-2]) >= len(files):
            old.unlink()


def read_weights(name_or_dir, part):
    """{path: float32 array} of a part.

    Raises:
        ValueError: where the preset lacks that part, a file is damaged, or the files belong to two
            savings, of which the later one is under way or was killed.
    """
    folder = locate(name_or_dir)
    files = sorted(folder.glob(f"{part}.weights.*.npz"))
    if not files:
        raise ValueError(f"The preset {folder} has no {part} weights ({part}.weights.0.npz).")
    weights, tags = {}, set()
    for file in files:
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = dict(archive)
        except Exception as error:
            raise ValueError(f"{file} is damaged ({type(error).__name__}: {error}).") from None
        tags.add(arrays.pop(_TAG, np.zeros(0)).tobytes())
        for key, value in arrays.items():
            if not key.endswith(":scale"):
                scale = arrays.get(key + ":scale", np.float32(1))
                weights[key] = value.astype(np.float32) * scale.astype(np.float32)
    if len(tags) > 1:
        raise ValueError(
            f"The {part} weights in {folder} belong to two savings: a training is writing them, or "
            "was killed while it did and mends them when it goes on."
        )
    return weights


def fingerprint(name_or_dir, part):
    """What tells a part's weights from others: 8 bytes of a SHA-256 over their values.

    It covers names, shapes and float32 values as they are loaded, not the storage they lie in.

    Raises:
        ValueError: see read_weights.
    """
    return fingerprint_of(read_weights(name_or_dir, part))


def fingerprint_of(weights):
    """fingerprint of weights that are read already."""
    digest = hashlib.sha256()
    for path, value in sorted(weights.items()):
        digest.update(f"{path} {list(value.shape)}\n".encode())
        digest.update(np.ascontiguousarray(value, "<f4").tobytes())
    return digest.digest()[:8]


def load(kind, part, name_or_dir, **overrides):
    """A model of a preset.

    Args:
        kind: its class; its arguments are the config's section `part`.
        part: 'dvae' or 'prior'.
        name_or_dir: see locate.
        overrides: further arguments, `dtype` for one.

    Raises:
        ValueError: where the preset lacks the part or its weights are of another model.
    """
    section = read_config(name_or_dir).get(part)
    if section is None:
        raise ValueError(f"The preset {name_or_dir} has no {part}.")
    arguments = {key: value for key, value in section.items() if key != "kind"}
    model = kind(**arguments, **overrides)
    model.build()
    assign(model, read_weights(name_or_dir, part), f"{locate(name_or_dir)} ({part})")
    return model


def variables_of(model):
    """{path without the model's own name: float32 array} of a built Keras model."""
    return {path_of(variable): np.asarray(variable) for variable in model.weights}


def assign(model, weights, source):
    """Gives a built model the weights read from a preset.

    Raises:
        ValueError: where names or shapes differ; `source` is named.
    """
    wanted = {path_of(variable): variable for variable in model.weights}
    if wanted.keys() != weights.keys():
        odd = sorted(wanted.keys() ^ weights.keys())
        raise ValueError(
            f"The weights of {source} are of another model: {odd[0]} is on one side only."
        )
    for path, variable in wanted.items():
        if tuple(variable.shape) != weights[path].shape:
            raise ValueError(
                f"The weights of {source} are of another model: {path} has shape "
                f"{weights[path].shape}, expected {tuple(variable.shape)}."
            )
        variable.assign(weights[path])


def path_of(variable):
    """A variable's path without the model's own name, under which presets store it."""
    return variable.path.split("/", 1)[1]


def _pack(path, value, storage):
    """One array as it is stored: int8 has its scales beside it under '<path>:scale'."""
    if storage == "float32" or path.rsplit("/", 1)[-1] in STATISTICS:
        return {path: value}
    if storage == "float16" or value.ndim < 2 or value.shape[-2] < 16:
        fits = np.abs(value).max(initial=0.0) <= np.finfo(np.float16).max
        return {path: value.astype(np.float16) if fits else value}
    scale = np.maximum(np.abs(value).max(axis=-2, keepdims=True), 1e-12) / 127.0
    scale = scale.astype(np.float32)
    return {path: np.round(value / scale).astype(np.int8), path + ":scale": scale}
