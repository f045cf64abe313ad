"""What of a config goes into a preset, and what older workdirs are measured by."""

import dataclasses

import pytest

from nwt_tf.bin.config_files import load_config
from nwt_tf.bin.training import preset_sections


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
