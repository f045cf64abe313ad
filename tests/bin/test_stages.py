"""What trainings refuse before they begin: nothing of a workdir is touched."""

import dataclasses

import numpy as np
import pytest

from configs import prior as prior_configs
from nwt_tf import presets
from nwt_tf.bin.training import preset_sections, stages
from tests.integration.trainings import write_codes


@pytest.fixture(scope="module")
def codes(tmp_path_factory):
    return write_codes(tmp_path_factory.mktemp("codes"))


@pytest.fixture
def workdir(codes, tmp_path):
    """As a training on these codes leaves it."""
    footage = presets.read_config(codes / "dvae")["footage"]
    training = preset_sections.training(prior_configs.get_config("tiny"))
    presets.write_config(tmp_path / "work", footage=footage, training=training, prior={})
    (tmp_path / "work/checkpoints").mkdir()
    (tmp_path / "work/checkpoints/ckpt-4.index").touch()
    for part in ("dvae", "prior"):
        presets.write_weights(tmp_path / "work", part, {"kernel": np.ones(3, "float32")})
    return tmp_path / "work"


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(message, codes, workdir, config=None):
    before = contents(workdir)
    with pytest.raises(ValueError, match=message):
        stages.train_prior(codes, workdir, config or prior_configs.get_config("tiny"))
    assert contents(workdir) == before


def test_codes_of_another_dvae(codes, workdir):
    presets.write_weights(workdir, "dvae", {"kernel": np.zeros(3, "float32")})
    refused("was trained on the codes of another dVAE", codes, workdir)


def test_footage_of_other_episodes(codes, workdir):
    config = presets.read_config(workdir)
    config["footage"]["episodes"] = {"b": 0}
    presets.write_config(workdir, **config)
    refused("other data: footage.episodes.a was None and is now 0", codes, workdir)


def test_rounds_of_no_steps(codes, workdir):
    config = prior_configs.get_config("tiny")
    config.train = dataclasses.replace(config.train, log_every=0)
    refused("config.train.log_every must be at least 1", codes, workdir, config)


def test_remote_folders(codes):
    with pytest.raises(ValueError, match="--workdir=gs://bucket/work must be a local folder"):
        stages.train_prior(codes, "gs://bucket/work", prior_configs.get_config("tiny"))
