"""The experiments' settings are the models' and trainers' own, and every variant can be made."""

import dataclasses
import inspect

import pytest

from configs import dvae as dvae_config
from configs import prior as prior_config
from nwt_tf.models.critics import Critics
from nwt_tf.models.dvae import DVAE
from nwt_tf.models.far import FAR
from nwt_tf.models.priors import KINDS
from nwt_tf.training.dvae_trainer import DVAETrainer
from nwt_tf.training.prior_trainer import PriorTrainer

VARIANTS = {
    dvae_config: "paper, paper_mem8, small, small_mem8, tiny, demo",
    prior_config: "paper, paper_mar, paper_har, small, small_causal, small_mar, small_har, tiny, "
    "tiny_mar, tiny_har, demo",
}


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (dvae_config.get_config("paper").model, DVAE),
        (dvae_config.get_config("paper").loss, DVAETrainer),
        (prior_config.get_config("paper").model, KINDS["far"]),
        (prior_config.get_config("paper_mar").model, KINDS["mar"]),
        (prior_config.get_config("paper_har").model, KINDS["har"]),
        (prior_config.get_config("paper").loss, PriorTrainer),
    ],
)
def test_paper_settings_are_the_defaults_of_what_takes_them(settings, kind):
    defaults = {}
    for each in reversed(kind.__mro__):  # HAR's arguments are MAR's and its own
        defaults |= inspect.signature(each.__init__).parameters
    # `kind`, of a prior, names the class. A workdir without `penalty_of_sum` was trained without,
    # and `kl` goes by the sizes.
    for name in dataclasses.asdict(settings).keys() - {"kind", "penalty_of_sum", "kl"}:
        assert defaults[name].default == getattr(settings, name), name


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


@pytest.mark.parametrize("variant", ["tiny_mar", "tiny_har", "small_mar", "small_har"])
def test_memcode_priors_are_made_of_their_settings(variant):
    config = prior_config.get_config(variant)
    arguments = dataclasses.asdict(config.model)
    kind = KINDS[arguments.pop("kind")]
    assert variant.endswith(kind.__name__.lower())
    assert type(kind(grid=(8, 7), **arguments)) is kind


@pytest.mark.parametrize("module", VARIANTS)
def test_an_unknown_variant_lists_the_known_ones(module):
    with pytest.raises(ValueError, match=f"no variant 'huge'; there are {VARIANTS[module]}$"):
        module.get_config("huge")
    names = VARIANTS[module].split(", ")
    assert all(dataclasses.is_dataclass(module.get_config(name)) for name in names)
