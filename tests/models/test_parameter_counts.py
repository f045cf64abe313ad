"""The models at the paper's widths have the counted numbers of parameters."""

import dataclasses
import math

import keras
import pytest
import tensorflow as tf

from configs.critics import paper_critics
from configs.dvae import get_config
from nwt_tf.models.critics import Critics
from nwt_tf.models.dvae import DVAE
from nwt_tf.models.far import FAR
from nwt_tf.models.har import HAR
from nwt_tf.models.mar import MAR

EPISODES = 214  # and the row for 'none': the paper's 215


def parameters(layer):
    return sum(math.prod(variable.shape) for variable in layer.trainable_variables)


@pytest.fixture
def traced():
    """Makes a model and traces its build, so that shapes are known but no weight is ever filled."""

    def trace(make, build):
        with keras.StatelessScope(initialize_variables=False):
            model = make()
            tf.function(lambda: build(model)).get_concrete_function()
        return model

    yield trace
    keras.utils.clear_session()  # forgets the variables that wait for their first values


def test_generator_of_table_4a(traced):
    dvae = traced(lambda: DVAE(num_episodes=EPISODES), DVAE.build)
    assert parameters(dvae.encoder) == 16_663_392
    assert parameters(dvae.attention) == 8 * 1024 + 513 * 1024 + 2 * 1025 * 1024
    assert parameters(dvae) == 41_403_555


def test_mem8_has_one_stage_more(traced):
    config = get_config("paper_mem8").model
    dvae = traced(lambda: DVAE(num_episodes=EPISODES, **dataclasses.asdict(config)), DVAE.build)
    assert dvae.grid == (8, 7)
    assert parameters(dvae) == 49_794_211


def test_critics_of_table_4b(traced):
    critics = traced(
        lambda: Critics(paper_critics()), lambda model: model(tf.zeros((1, 4, 256, 224, 3)))
    )
    counts = [parameters(critic) for critic in critics.members]
    assert counts == [5_311_585, 1_137_185, 4_331_681]


def test_far_of_table_5(traced):
    """383,391,328 is the reading nearest to Table 3's 383.484 M; the first audio kernel of 4 mel
    frames instead of 3 adds 80 * 256."""
    far = traced(lambda: FAR(num_episodes=EPISODES), FAR.build)
    assert parameters(far) == 383_391_328 + 20_480
    assert abs(parameters(far) / 383.484e6 - 1) < 3e-4


def test_mar_of_table_6(traced):
    """216,580,128 is the reading nearest to Table 3's 216.327 M; the first audio kernel adds as in
    FAR, and a table a head in decoder and style encoder, where a sum over heads needs it, 2 * 7 * 8
    rows of 64."""
    mar = traced(lambda: MAR(num_episodes=EPISODES), MAR.build)
    assert parameters(mar) == 216_580_128 + 20_480 + 2 * 7 * 8 * 64
    assert abs(parameters(mar) / 216.327e6 - 1) < 2e-3


def test_har_is_mar_s_body_and_a_network_over_the_heads(traced):
    """The network knows neither grid nor encoders: small ones do."""
    small = {"grid": (2, 2), "audio_pyramid": (8,), "style_pyramid": (8,)}
    har = traced(lambda: HAR(**small), HAR.build)
    network = [har.head_embedding, har.head_input, *har.head_convs, har.output_layer]
    heads = sum(parameters(layer) for layer in network)
    assert heads == 8 * 9 * 256 + 1025 * 256 + 2 * (4 * 256 + 1) * 256 + 257 * 8
    mar, output_layer = 216_607_776, 1025 * 8 * 8
    assert mar - output_layer + heads == 217_349_864
