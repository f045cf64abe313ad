"""Trainings that start from a preset: all its weights, and each episode's row by name."""

import shutil

import keras
import numpy as np
import pytest

from data_pipeline.shards import Manifest
from nwt_tf import presets
from nwt_tf.bin.training.extraction import check_episodes
from nwt_tf.bin.training.warm_start import start_from
from nwt_tf.models.dvae import DVAE


def built(num_episodes, seed, code_dim=8, height=16):
    keras.utils.set_random_seed(seed)
    dvae = DVAE(
        height=height, width=8, stem=4, stages=((4, 1),), temporal=(4, 4, 4), num_heads=2,
        num_codes=4, code_dim=code_dim, num_episodes=num_episodes, episode_dim=4,
    )  # fmt: skip
    dvae.build()
    return dvae


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preset")
    dvae = built(2, seed=0)
    presets.write_config(
        folder, dvae=dvae.get_config(), footage={"episodes": {"a": 0, "b": 1}}
    )
    presets.write_weights(folder, "dvae", presets.variables_of(dvae))
    return folder


def test_weights_are_the_presets_and_episodes_keep_their_rows_by_name(preset, capsys):
    given = presets.read_weights(preset, "dvae")
    model = built(3, seed=1, height=32)
    start_from(model, preset, "dvae", {"new": 0, "b": 1, "a": 2})
    found = presets.variables_of(model)
    table = presets.path_of(model.episode_embedding.embeddings)
    none, a, b = given.pop(table)
    np.testing.assert_array_equal(found.pop(table), [none, none, b, a])
    assert found.keys() == given.keys()
    for name in given:
        np.testing.assert_array_equal(found[name], given[name])
    assert f"starts from the dvae of {preset}" in capsys.readouterr().out


def test_a_preset_of_another_model_is_refused_by_name(preset):
    refused = r"--init_preset=.* \(dvae\) is of another model: its code_dim is 8, the config's 16"
    with pytest.raises(ValueError, match=refused):
        start_from(built(2, seed=0, code_dim=16), preset, "dvae", {})


def test_a_table_with_too_few_rows_is_refused(preset, tmp_path):
    folder = shutil.copytree(preset, tmp_path / "preset")
    presets.write_config(folder, footage={"episodes": {"a": 0, "z": 7}})
    with pytest.raises(ValueError, match="damaged: episode/embeddings has too few rows"):
        start_from(built(2, seed=0), folder, "dvae", {})


def test_codes_of_a_dvae_that_numbers_episodes_otherwise_are_refused():
    held_out = {"validation_episodes": [], "test_episodes": ["c"]}
    manifest = Manifest(held_out, {}, ["a", "b", "c"], {})
    config = {"footage": {"episodes": {"a": 0, "b": 1}}}
    check_episodes(manifest, config, "own")
    for known in ({"a": 0}, {"b": 0, "a": 1}):
        with pytest.raises(ValueError, match="The dVAE of own does not have episode"):
            check_episodes(manifest, {"footage": {"episodes": known}}, "own")


def test_a_preset_without_the_part_is_refused(preset):
    with pytest.raises(ValueError, match="has no prior weights"):
        start_from(built(2, seed=0), preset, "prior", {})
