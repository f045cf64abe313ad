"""The models at the paper's widths have the counted numbers of parameters."""

import math

import keras
import pytest
import tensorflow as tf

from configs.dvae import paper_critics
from nwt_tf.models.critics import Critics
from nwt_tf.models.dvae import DVAE
from nwt_tf.models.far import FAR

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
