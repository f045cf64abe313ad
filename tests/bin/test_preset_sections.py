"""What of a config goes into a preset, and what older workdirs are measured by."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.shards import Manifest, Shard
from nwt_tf import presets
from nwt_tf.bin.config_files import load_config
from nwt_tf.bin.training import extraction, preset_sections
from nwt_tf.models.style_encoder import StylePosterior


@pytest.mark.parametrize(("stem", "variant"), [("dvae", "small"), ("prior", "small_mar")])
def test_defaults_have_every_field_and_none_of_the_values(stem, variant):
    config = load_config(variant, stem)
    training = preset_sections.training(config)
    config.train = dataclasses.replace(config.train, seed=77)
    defaults = preset_sections.training_defaults(config)
    assert defaults["train"]["seed"] == type(config.train)().seed
    for section, fields in training.items():
        assert section in defaults
        if isinstance(fields, dict):
            assert fields.keys() == defaults[section].keys()


def test_a_field_without_default_has_none():
    @dataclasses.dataclass
    class Own:
        stem: int
        stages: tuple = dataclasses.field(default_factory=lambda: ((8, 1),))

    assert preset_sections.training_defaults(Own(3)) == {"stem": None, "stages": [[8, 1]]}


def test_episodes_without_training_clips_are_not_trained():
    held_out = {"validation_episodes": ["b"], "test_episodes": []}
    manifest = Manifest(held_out, {}, ["a", "b", "c", "d"], {}, untrained=["c"])
    assert preset_sections.trained_episodes(manifest) == {"a": 0, "d": 3}


def test_episodes_of_short_clips_alone_are_not_trained():
    clips = {"a_0000": 75, "a_0001": 20, "b_1_0000": 74, "b_1_0000+1": 74, "c/d/x_0_0000": 74}
    shards = {"train": [Shard("train-00000.tfrecord", 1, clips)]}
    held_out = {"validation_episodes": [], "test_episodes": []}
    manifest = Manifest(held_out, {}, ["a", "b_1", "c/d"], shards)
    assert preset_sections.trained_episodes(manifest, 74) == {"a": 0, "b_1": 1, "c/d": 2}
    assert preset_sections.trained_episodes(manifest, 75) == {"a": 0}


def test_styles_are_of_clips_of_every_episode_however_few_it_has(monkeypatch):
    """And all clips count alike in the mean over all."""
    clips = ["a"] * 703 + ["b"] * 3 + ["c"] * 702
    records = [
        {"record": SimpleNamespace(episode=name), "codes": np.full((1, 1), number)}
        for number, name in enumerate(clips)
    ]
    manifest = SimpleNamespace(clip_frames=lambda split: {str(i): 1 for i in range(len(clips))})
    monkeypatch.setattr(preset_sections, "read_clips", lambda folder, split: iter(records))
    monkeypatch.setattr(preset_sections, "Manifest", SimpleNamespace(load=lambda folder: manifest))
    chosen = preset_sections.style_clips("codes")
    assert [(name, count) for name, (count, _) in chosen.items()] == [
        ("a", 703), ("b", 3), ("c", 702)]  # fmt: skip
    assert len(chosen["b"][1]) == 3
    for name in "ac":
        codes = np.concatenate(chosen[name][1]).reshape(-1)
        assert 64 <= len(codes) <= 128 and len(np.unique(np.diff(codes))) == 1
        assert codes[-1] - codes[0] > 680

    def encoder(codes):
        mean = tf.cast(tf.reshape(codes, (1, 1)), tf.float32)
        return StylePosterior(mean, tf.ones_like(mean))

    style, by_episode = preset_sections.mean_styles(SimpleNamespace(style_encoder=encoder), chosen)
    assert by_episode["b"] == [704.0]
    assert style[0] == pytest.approx(703.5, abs=8)


@pytest.mark.parametrize("left", ["checkpoints", "critics.npz"])
def test_codes_do_not_write_over_a_workdir(tmp_path, left):
    (tmp_path / "own").mkdir()
    (tmp_path / "dvae").mkdir()
    for name in ("config.json", "dvae.weights.0.npz", "dvae.weights.1.npz.77.tmp"):
        (tmp_path / "dvae" / name).touch()
    extraction._check_copy(tmp_path / "own", tmp_path / "dvae")
    extraction._check_copy(tmp_path / "own", tmp_path / "new")
    (tmp_path / "dvae" / left).touch()
    extraction._check_copy(tmp_path / "dvae", tmp_path / "dvae")
    with pytest.raises(ValueError, match="dvae, where the dVAE of the codes .*: name another"):
        extraction._check_copy(tmp_path / "own", tmp_path / "dvae")


def test_footage_of_another_rate_is_refused(tmp_path):
    presets.write_config(tmp_path / "own", footage={"fps": 25.0, "episodes": {}})
    extraction._check_rate(SimpleNamespace(config={"fps": 25}), tmp_path / "own", "shards")
    with pytest.raises(ValueError, match="shards has 50 frames .*own 25: build it with --conf"):
        extraction._check_rate(SimpleNamespace(config={"fps": 50}), tmp_path / "own", "shards")
