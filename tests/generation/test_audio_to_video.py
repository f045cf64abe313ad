"""The task on an untrained pair of tiny models: lengths, presets, seeds, names, refusals."""

import json

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.generation.audio_to_video import AudioToVideo
from nwt_tf.layers.pixels import to_pixels
from nwt_tf.models import priors
from tests.generation import tiny_task
from tests.generation.tiny_task import EPISODES, FPS


@pytest.fixture(scope="module")
def task():
    return tiny_task.make(chunk_frames=5)


@pytest.fixture
def waveform():
    return tiny_task.noise(0.5)


def test_as_many_frames_as_the_sound_is_long(task, waveform):
    for samples in (12_000, 6_001, 4_800):
        video = task.generate(waveform[:samples])
        assert video.shape == (round(samples / 24_000 * FPS), 32, 24, 3)
        assert video.dtype == np.uint8


def test_generate_is_codes_then_frames(task, waveform):
    codes = task.codes(waveform, episode="third", seed=4)
    assert codes.shape == (1, 12, 4, 3, 4)
    expected = np.stack(list(task.frames(codes, "third")))
    np.testing.assert_array_equal(task.generate(waveform, episode="third", seed=4), expected)
    whole = to_pixels(task.dvae.decode(codes, tf.constant([EPISODES["third"]]))[0])
    # Windows of another size may round the odd pixel the other way.
    assert np.abs(whole.astype(int) - expected).max() <= 1


def test_seed_style_episode_and_sound_decide(task, waveform):
    base = task.codes(waveform, seed=1).numpy()
    np.testing.assert_array_equal(task.codes(waveform, seed=1), base)
    np.testing.assert_array_equal(task.codes(waveform, seed=1, style=task.default_style), base)
    for other in (
        task.codes(waveform, seed=2),
        task.codes(waveform, seed=1, style=[-3.0, 2.0, 3.0, -1.0]),
        task.codes(waveform, seed=1, episode="first"),
        task.codes(waveform[::-1], seed=1),
    ):
        assert (other != base).numpy().any()


def test_a_named_episode_has_its_own_default_style(waveform, tmp_path):
    own = [-3.0, 2.0, 3.0, -1.0]
    task = tiny_task.make(chunk_frames=5, episode_styles={"first": own})
    np.testing.assert_array_equal(task.style_of("none"), task.default_style)
    np.testing.assert_array_equal(task.style_of("third"), task.default_style)
    np.testing.assert_array_equal(task.style_of("first"), np.float32(own))
    mixed = task.style_of({"first": 1.0, "third": 3.0})
    np.testing.assert_allclose(mixed, 0.25 * np.float32(own) + 0.75 * task.default_style, rtol=1e-6)
    task.save_to_preset(tmp_path, card="a test", storage="float32")
    loaded = AudioToVideo.from_preset(str(tmp_path), chunk_frames=5)
    given = task.codes(waveform, episode="first", style=own)
    np.testing.assert_array_equal(loaded.codes(waveform, episode="first"), given)
    other = task.codes(waveform, episode="first", style=task.default_style)
    assert (other != given).numpy().any()


def test_temperature_0_needs_no_seed(task, waveform):
    likeliest = [task.codes(waveform, seed=seed, temperature=0) for seed in (1, 2)]
    np.testing.assert_array_equal(*likeliest)


def test_preset_round_trip(task, waveform, tmp_path):
    task.save_to_preset(tmp_path, "# A card", storage="float32")
    loaded = AudioToVideo.from_preset(tmp_path, chunk_frames=5)
    assert (tmp_path / "README.md").read_text() == "# A card\n"
    assert json.loads((tmp_path / "config.json").read_text())["prior"]["kind"] == "far"
    options = {"episode": "first", "seed": 3}
    np.testing.assert_array_equal(
        loaded.generate(waveform, **options), task.generate(waveform, **options)
    )
    assert loaded.fps == FPS and loaded.episodes == EPISODES


def test_a_preset_s_draws_are_taken_where_none_are_asked_for(task, waveform, tmp_path):
    asked = {"temperature": 0.5, "guidance": 2.0}
    expected = task.codes(waveform, seed=1, **asked)
    taught = tiny_task.make(chunk_frames=5, draws=asked)
    np.testing.assert_array_equal(taught.codes(waveform, seed=1), expected)
    taught.save_to_preset(tmp_path, "card", storage="float32")
    loaded = AudioToVideo.from_preset(tmp_path, chunk_frames=5)
    np.testing.assert_array_equal(loaded.codes(waveform, seed=1), expected)
    plain = {"temperature": 1.0, "guidance": 1.0}
    ever = task.codes(waveform, seed=1)  # without recommendations
    np.testing.assert_array_equal(loaded.codes(waveform, seed=1, **plain), ever)
    assert tiny_task.make(draws={"top_k": 2.0}).codes(waveform, seed=1).shape == ever.shape


@pytest.mark.parametrize(
    "draws, named",
    [
        ({"mood": 1}, "draws must be .* Received: mood"),
        (["temperature"], "draws must be "),
        ({"top_p": 0}, "top_p"),
        ({"guidance": None}, "guidance must be a number. Received: None"),
        ({"temperature": "0.5"}, "temperature must be a number. Received: '0.5'"),
        ({"guidance": True}, "guidance must be a number"),
        ({"guidance": 1e39}, "guidance must be at most 1e.06. Received: 1e.39"),
        ({"temperature": float("nan")}, "temperature must be at least 0"),
    ],
)
def test_draws_that_are_none(draws, named):
    with pytest.raises(ValueError, match=named):
        tiny_task.make(draws=draws)


def test_a_preset_without_a_prior_says_what_to_do(task, tmp_path):
    task.save_to_preset(tmp_path, "card")
    config = json.loads((tmp_path / "config.json").read_text())
    del config["prior"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="has no prior: train one with `nwt train_prior`"):
        AudioToVideo.from_preset(tmp_path)


def test_episodes_by_name(task):
    assert [task.episode_index(name) for name in (None, "none", "first", "third")] == [-1, -1, 0, 2]
    with pytest.raises(ValueError, match="'second'; the preset has first, third, none"):
        task.episode_index("second")


def test_codes_of_two_videos_are_not_rendered_at_once(task):
    codes = np.zeros((2, 3, *task.dvae.grid, task.dvae.num_heads), np.int32)
    with pytest.raises(ValueError, match="codes must be one video's"):
        next(task.frames(codes))


@pytest.mark.parametrize(
    ("sound", "named"),
    [
        (np.ones(2400), "0.100 s long; at least 0.2 s"),
        (np.zeros(24000), "silent"),
        (np.zeros(0), "0.000 s long"),
        (np.full(24000, np.nan), "not finite"),
        (np.ones((2, 24000)), "mono"),
        (np.ones(24000, np.int16), "float in .*dtype int16"),
    ],
)
def test_sound_that_no_video_can_be_made_of_is_refused(task, sound, named):
    with pytest.raises(ValueError, match=named):
        task.codes(sound)


def test_a_style_of_another_size_is_refused(task, waveform):
    with pytest.raises(ValueError, match="style must have 4 numbers"):
        task.codes(waveform, style=[1.0, 2.0])


def test_a_mixture_of_one_is_that_episode_and_a_mixture_of_two_is_neither(task, waveform):
    named = {name: task.codes(waveform, name, seed=1).numpy() for name in EPISODES}
    alone = task.codes(waveform, {"first": 2.0, "third": 0.0}, seed=1)
    np.testing.assert_array_equal(alone, named["first"])
    mixed = task.codes(waveform, {"first": 1, "third": 1}, seed=1).numpy()
    assert all((mixed != codes).any() for codes in named.values())


def test_the_decoder_has_an_episode_of_its_own(task, waveform):
    options = {"episode": "first", "seed": 1}
    both = task.generate(waveform, **options)
    np.testing.assert_array_equal(task.generate(waveform, "first", **options), both)
    apart = task.generate(waveform, decoder_episode="third", **options)
    codes = task.codes(waveform, **options)
    np.testing.assert_array_equal(apart, np.stack(list(task.frames(codes, "third"))))
    assert (apart != both).any()


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        ({"kind": "rnn"}, r"prior.kind must be one of far, mar, har. Received: 'rnn'"),
        ({"kind": ["far"]}, r"prior.kind must be one of far, mar, har. Received: \['far'\]"),
        ({}, "prior.kind must be one of far, mar, har. Received: None"),
        ("far", "must have an object as its section 'prior'"),
    ],
)
def test_a_preset_with_an_unknown_kind_of_prior_is_refused(tmp_path, prior, message):
    (tmp_path / "config.json").write_text(json.dumps({"format": 1, "prior": prior}))
    with pytest.raises(ValueError, match=f"config.json.*{message}"):
        priors.from_preset(tmp_path)
