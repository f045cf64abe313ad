"""What a query may ask for."""

import numpy as np
import pytest
from pydantic import ValidationError

from nwt_tf.generation.choice import Options
from nwt_tf.serving.settings import Settings, options
from tests.generation import tiny_task


@pytest.fixture(scope="module")
def model():
    return tiny_task.make()


def test_nothing_asked_for_is_the_mean_style(model):
    found = options(Settings(), model)
    np.testing.assert_array_equal(found.pop("style"), np.float32(tiny_task.STYLE))
    assert found == {"episode": "none", "seed": 0}  # and the preset's draws


def test_everything_asked_for(model):
    draws = {"temperature": "0", "top_k": "3", "top_p": "0.5", "guidance": "2"}
    asked = Settings(episode="first:1,third:3", style=" 1,-2.5, 0,1e-1", seed="7", **draws)
    found = options(asked, model)
    np.testing.assert_array_equal(found["style"], np.float32([1, -2.5, 0, 0.1]))
    assert found["episode"] == {"first": 1.0, "third": 3.0}
    assert (found["seed"], found["temperature"]) == (7, 0.0)
    assert model.session(**found).options == Options(0.0, 3, 0.5, 2.0)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"episode": "second"}, "Unknown episode 'second'; the preset has first, third, none"),
        ({"episode": "../../etc/passwd"}, "Unknown episode"),
        ({"episode": "first,third"}, "one episode or one mixture"),
        ({"episode": "first:x,third:1"}, "is no weight"),
        ({"episode": "first:-1,third:1"}, "at least 0"),
        ({"style": "1,2,3"}, "style must have 4 numbers. Received: 3"),
        ({"style": "1,2,3,4,5"}, "style must have 4 numbers. Received: 5"),
        ({"style": "1,2,3,<b>"}, "style must be numbers"),
        ({"style": "1,2,3,nan"}, "between -10 and 10"),
        ({"style": "1,2,3,1e30"}, "between -10 and 10"),
    ],
)
def test_what_the_preset_does_not_have(model, asked, words):
    with pytest.raises(ValueError, match=words):
        # Mixtures are checked where their vectors are made.
        found = options(Settings(**asked), model)
        model.session(**found)


@pytest.mark.parametrize(
    "asked",
    [
        {"seed": "-1"},
        {"seed": "1.5"},
        {"seed": 2**31},
        {"temperature": "nan"},
        {"temperature": "inf"},
        {"temperature": -0.1},
        {"top_p": 0},
        {"guidance": -0.1},
        {"guidance": "inf"},
        {"top_k": -1},
        {"episode": "x" * 3000},
        {"mood": "good"},
    ],
)
def test_what_no_preset_has(asked):
    with pytest.raises(ValidationError):
        Settings(**asked)
