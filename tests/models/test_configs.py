"""The experiments' settings are the models' and trainers' own, and every variant can be made."""

import dataclasses
import inspect

import pytest

from configs import dvae as dvae_config
from configs import prior as prior_config
from nwt_tf.models.critics import Critics
from nwt_tf.models.dvae import DVAE
from nwt_tf.models.far import FAR
from nwt_tf.training.dvae_trainer import DVAETrainer
from nwt_tf.training.prior_trainer import PriorTrainer

VARIANTS = ["paper", "small", "tiny", "demo"]


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (dvae_config.get_config("paper").model, DVAE),
        (dvae_config.get_config("paper").loss, DVAETrainer),
        (prior_config.get_config("paper").model, FAR),
        (prior_config.get_config("paper").loss, PriorTrainer),
    ],
)
def test_paper_settings_are_the_defaults_of_what_takes_them(settings, kind):
    defaults = inspect.signature(kind.__init__).parameters
    for name, value in dataclasses.asdict(settings).items():
        if name != "kind":  # of prior: it names the class
            assert defaults[name].default == value, name


@pytest.mark.parametrize(
    ("name", "height", "width", "grid"),
    [
        ("paper", 256, 224, (16, 14)),
        ("small", 128, 112, (16, 14)),
        ("tiny", 64, 56, (8, 7)),
        ("demo", 64, 56, (16, 14)),
    ],
)
def test_the_two_stages_of_a_variant_fit_together(name, height, width, grid):
    dvae = DVAE(height, width, **dataclasses.asdict(dvae_config.get_config(name).model))
    assert dvae.grid == grid
    arguments = dataclasses.asdict(prior_config.get_config(name).model)
    del arguments["kind"]
    far = FAR(grid=dvae.grid, **arguments)
    assert 2 ** len(arguments["audio_pyramid"]) == far.small
    critics = Critics(dvae_config.get_config(name).critics)
    assert [critic.rank for critic in critics.members] == [3, 2, 2]


@pytest.mark.parametrize("module", [dvae_config, prior_config])
def test_an_unknown_variant_lists_the_known_ones(module):
    with pytest.raises(ValueError, match="no variant 'huge'; there are paper, small, tiny, demo"):
        module.get_config("huge")
    assert all(dataclasses.is_dataclass(module.get_config(name)) for name in VARIANTS)
