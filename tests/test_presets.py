"""Presets: storages, splitting over files, damaged and foreign ones."""

import json
import shutil
import zipfile

import keras
import numpy as np
import pytest

from nwt_tf import presets


class Toy(keras.Model):
    """A model of one layer, with the arguments that a preset's config gives back."""

    def __init__(self, width=20, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.dense = keras.layers.Dense(width, name="dense")

    def build(self, input_shape=None):
        self.dense.build((None, 30))
        self.built = True

    def get_config(self):
        return {"width": self.width}


@pytest.fixture
def toy():
    keras.utils.set_random_seed(0)
    toy = Toy()
    toy.build()
    toy.dense.bias.assign(np.linspace(-1, 1, 20))
    return toy


@pytest.fixture
def folder(toy, tmp_path):
    presets.write_config(tmp_path, dvae=toy.get_config())
    presets.write_weights(tmp_path, "dvae", presets.variables_of(toy))
    return tmp_path


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    return {
        "conv/kernel": rng.normal(size=(3, 3, 32, 8)).astype(np.float32),
        "dense/kernel": rng.normal(size=(24, 40)).astype(np.float32) * 7,
        "narrow/kernel": rng.normal(size=(4, 40)).astype(np.float32),
        "dense/bias": rng.normal(size=40).astype(np.float32),
        "zeros/kernel": np.zeros((20, 3), np.float32),
    }


def round_trip(folder, weights, storage):
    presets.write_config(folder, dvae={})
    presets.write_weights(folder, "dvae", weights, storage)
    found = presets.read_weights(folder, "dvae")
    assert found.keys() == weights.keys()
    assert all(value.dtype == np.float32 for value in found.values())
    return found


def test_float32_is_exact(tmp_path):
    found = round_trip(tmp_path, arrays(), "float32")
    for path, value in arrays().items():
        np.testing.assert_array_equal(found[path], value)


def test_float16_keeps_11_bits(tmp_path):
    found = round_trip(tmp_path, arrays(), "float16")
    for path, value in arrays().items():
        np.testing.assert_allclose(found[path], value, rtol=2**-11, atol=1e-7)


@pytest.mark.parametrize("storage", ["float16", "int8"])
def test_what_float16_cannot_hold_stays_float32(tmp_path, storage):
    found = round_trip(tmp_path, {"dense/bias": np.float32([[1.0, 1e6]])}, storage)
    np.testing.assert_array_equal(found["dense/bias"], [[1.0, 1e6]])


@pytest.mark.parametrize("storage", ["float16", "int8"])
@pytest.mark.parametrize("name", presets.STATISTICS)
def test_statistics_that_normalise_are_not_rounded(tmp_path, name, storage):
    """A small variance beside a large one became 0, and what it divides far too large."""
    values = np.geomspace(1e-9, 30.0, 16 * 16 * 16, dtype=np.float32).reshape(16, 16, 16)
    found = round_trip(tmp_path, {f"audio/norm/{name}": values}, storage)
    np.testing.assert_array_equal(found[f"audio/norm/{name}"], values)


def test_int8_is_off_by_half_a_step_of_each_output_s_scale(tmp_path):
    found = round_trip(tmp_path, arrays(), "int8")
    for path, value in arrays().items():
        if path in ("dense/bias", "narrow/kernel"):  # short axes are not worth their scales
            np.testing.assert_allclose(found[path], value, rtol=2**-11)
        else:
            step = np.abs(value).max(axis=-2, keepdims=True) / 127
            assert (np.abs(found[path] - value) <= 0.5001 * step).all()
    assert (found["conv/kernel"] != arrays()["conv/kernel"]).any()


def test_int8_takes_a_quarter_of_the_space(tmp_path):
    weights = {"kernel": np.random.default_rng(0).normal(size=(256, 256)).astype(np.float32)}
    sizes = []
    for storage in ("float32", "int8"):
        presets.write_weights(tmp_path / storage, "dvae", weights, storage)
        sizes.append((tmp_path / storage / "dvae.weights.0.npz").stat().st_size)
    assert sizes[1] < 0.3 * sizes[0]


@pytest.mark.parametrize("storage", presets.STORAGES)
def test_weights_are_split_below_the_size_limit(tmp_path, monkeypatch, storage):
    monkeypatch.setattr(presets, "MAX_FILE_BYTES", 110_000)  # 100,000 are kept for the archive
    weights = {f"layer{i}/kernel": arrays(i)["conv/kernel"] for i in range(6)}
    whole = round_trip(tmp_path / "split", weights, storage)
    files = sorted((tmp_path / "split").glob("dvae.weights.*.npz"))
    assert len(files) > 1 and all(file.stat().st_size <= 110_000 for file in files)
    monkeypatch.undo()
    alone = round_trip(tmp_path / "alone", weights, storage)
    for path, value in alone.items():
        np.testing.assert_array_equal(whole[path], value)


def test_fewer_files_replace_more(tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "MAX_FILE_BYTES", 110_000)
    round_trip(tmp_path, {f"{i}/kernel": arrays(i)["conv/kernel"] for i in range(6)}, "float32")
    found = round_trip(tmp_path, {"new/kernel": arrays()["dense/bias"]}, "float32")
    assert list(found) == ["new/kernel"]
    assert [file.name for file in tmp_path.glob("*.npz")] == ["dvae.weights.0.npz"]
    assert not list(tmp_path.glob("*.tmp"))


def test_files_of_two_savings_are_no_preset(tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "MAX_FILE_BYTES", 110_000)
    for seed, folder in ((0, "now"), (9, "before")):
        weights = {f"{i}/kernel": arrays(i + seed)["conv/kernel"] for i in range(6)}
        round_trip(tmp_path / folder, weights, "float32")
    shutil.copy(tmp_path / "before" / "dvae.weights.1.npz", tmp_path / "now")
    with pytest.raises(ValueError, match="dvae weights in .*now belong to two savings"):
        presets.read_weights(tmp_path / "now", "dvae")


def test_a_saving_that_fails_leaves_the_files_of_before(tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "MAX_FILE_BYTES", 110_000)
    weights = {f"{i}/kernel": arrays(i)["conv/kernel"] for i in range(6)}
    before = round_trip(tmp_path, weights, "float32")
    save, calls = np.savez, []

    def full(file, **entries):
        calls.append(file)
        if len(calls) == 2:
            raise OSError(28, "No space left on device", file.name)
        save(file, **entries)

    monkeypatch.setattr(np, "savez", full)
    twice = {path: 2 * value for path, value in weights.items()}
    with pytest.raises(OSError, match="No space left"):
        presets.write_weights(tmp_path, "dvae", twice)
    for path, value in presets.read_weights(tmp_path, "dvae").items():
        np.testing.assert_array_equal(value, before[path])
    assert not list(tmp_path.glob("*.tmp"))


def test_another_storage_is_refused(tmp_path):
    with pytest.raises(ValueError, match="storage='int4'"):
        presets.write_weights(tmp_path, "dvae", {}, "int4")


def test_a_model_comes_back(toy, folder):
    copy = presets.load(Toy, "dvae", folder)
    for found, expected in zip(copy.get_weights(), toy.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert len(presets.variables_of(toy)) == len(toy.weights)


def test_weights_do_not_depend_on_the_model_s_name(folder):
    named = Toy(name="another_name")
    named.build()
    presets.assign(named, presets.read_weights(folder, "dvae"), folder)


def test_sections_are_added_beside_the_others(folder):
    presets.write_config(folder, footage={"fps": 25})
    config = presets.read_config(folder)
    assert config == {"format": 1, "dvae": {"width": 20}, "footage": {"fps": 25}}


def test_pickles_are_not_read(folder):
    np.savez(folder / "dvae.weights.0.npz", kernel=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="dvae.weights.0.npz is damaged.*allow_pickle"):
        presets.load(Toy, "dvae", folder)


@pytest.mark.parametrize("damage", ["truncated", "text", "flipped"])
def test_a_damaged_file_is_named(folder, damage):
    path = folder / "dvae.weights.0.npz"
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        with zipfile.ZipFile(path) as archive:
            content[archive.infolist()[0].header_offset + 200] ^= 0xFF
    path.write_bytes({"truncated": content[:500], "text": b"hello"}.get(damage, bytes(content)))
    with pytest.raises(ValueError, match="dvae.weights.0.npz is damaged"):
        presets.load(Toy, "dvae", folder)


def test_missing_parts_are_named(folder):
    with pytest.raises(ValueError, match="has no prior"):
        presets.load(Toy, "prior", folder)
    (folder / "dvae.weights.0.npz").unlink()
    with pytest.raises(ValueError, match=r"has no dvae weights \(dvae.weights.0.npz\)"):
        presets.load(Toy, "dvae", folder)


def test_weights_of_another_model_are_refused(folder):
    presets.write_config(folder, dvae={"width": 21})
    with pytest.raises(ValueError, match=r"of another model: dense/.* has shape .*expected \(.*21"):
        presets.load(Toy, "dvae", folder)
    presets.write_weights(folder, "dvae", arrays())
    with pytest.raises(ValueError, match="another model: conv/kernel is on one side only"):
        presets.load(Toy, "dvae", folder)


def test_an_unknown_name_lists_the_shipped_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "SHIPPED", tmp_path)
    with pytest.raises(ValueError, match="No preset at nowhere.*none yet"):
        presets.locate("nowhere")
    for name in ("b", "a"):
        presets.write_config(tmp_path / name, dvae={})
    with pytest.raises(ValueError, match=r"shipped name \(a, b\)"):
        presets.locate("nowhere")
    assert presets.locate("a") == tmp_path / "a"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"{", "is not valid JSON"),
        (b'{"format": 1, "codes": null}', "must have an object as its section 'codes'"),
        (b'{"format": 1, "dvae": [1]}', "must have an object as its section 'dvae'"),
        (b"\xff\xfe\x00", "is not valid JSON"),
        (json.dumps({"format": 99}).encode(), "has format 99; this version of nwt_tf reads 1"),
        (b"[1]", "has format None"),
    ],
)
def test_a_config_that_cannot_be_read_is_named(folder, content, named):
    (folder / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match=f"config.json {named}"):
        presets.read_config(folder)


@pytest.mark.parametrize(
    "footage",
    [None, [], {"episodes": {}}, {"fps": "25", "episodes": {}}, {"fps": 0, "episodes": {}},
     {"fps": float("nan"), "episodes": {}}, {"fps": True, "episodes": {}}, {"fps": 25.0}],
)  # fmt: skip
def test_footage_that_cannot_be_cut_is_named(folder, footage):
    presets.write_config(folder, footage=footage)
    with pytest.raises(ValueError, match="config.json must have a section 'footage' with its fps"):
        presets.read_footage(folder)


def test_a_fingerprint_tells_values_apart_and_nothing_else(toy, folder, tmp_path):
    own = presets.fingerprint(folder, "dvae")
    assert len(own) == 8
    again = tmp_path / "again"
    presets.write_config(again, dvae={}, footage={"fps": 30})
    weights = presets.variables_of(toy)
    presets.write_weights(again, "dvae", dict(reversed(weights.items())))
    assert presets.fingerprint(again, "dvae") == own
    name = sorted(weights)[0]
    weights[name] = np.nextafter(weights[name], np.float32(9))
    presets.write_weights(again, "dvae", weights)
    assert presets.fingerprint(again, "dvae") != own
    with pytest.raises(ValueError, match="has no prior weights"):
        presets.fingerprint(folder, "prior")
