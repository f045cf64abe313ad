"""Bits a code of a prior: against its logits, and what comes of another clip's sound."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from configs.prior import get_config
from nwt_tf.evaluation.prediction import code_bits, measure_prediction
from nwt_tf.models.far import FAR

GRID, HEADS, CODES = (4, 3), 2, 5


@pytest.fixture(scope="module")
def far():
    keras.utils.set_random_seed(0)
    arguments = dataclasses.asdict(get_config("tiny").model)
    arguments |= {"audio_pyramid": (6,), "style_pyramid": (6,)}
    del arguments["kind"]
    far = FAR(grid=GRID, num_heads=HEADS, num_codes=CODES, num_episodes=2, **arguments)
    far.build()
    return far


def clip_of(frames, seed):
    """(codes, mel, episode)."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, CODES, (frames, *GRID, HEADS)).astype(np.int32)
    return codes, np.float32(rng.normal(size=(4 * frames, 80)) * 4 - 6), seed % 2


def test_a_uniform_guess_costs_the_logarithm_of_the_codes(far):
    weights = far.output_layer.get_weights()
    far.output_layer.set_weights([0 * weight for weight in weights])
    codes, mel, episode = clip_of(3, 0)
    bits = code_bits(far, codes, mel, np.zeros(4, np.float32), episode)
    far.output_layer.set_weights(weights)
    np.testing.assert_allclose(bits, np.log2(CODES), rtol=1e-6)


def test_bits_are_the_mean_negative_log2_of_the_codes_shares(far):
    codes, mel, episode = clip_of(3, 1)
    style = np.float32([0.5, -1.0, 0.3, 0.0])
    conditioning = far.condition(mel[None], style[None], tf.constant([episode]))
    share = tf.nn.softmax(far.logits(codes[None], conditioning)[0]).numpy().astype(np.float64)
    bits = [-np.log2(share[place][codes[place]]) for place in np.ndindex(*codes.shape)]
    np.testing.assert_allclose(code_bits(far, codes, mel, style, episode), np.mean(bits), rtol=1e-5)


def test_figures_over_clips(far):
    clips = [clip_of(4, 0), clip_of(4, 1), clip_of(3, 2)]
    default = np.zeros(4, np.float32)
    figures = measure_prediction(far, clips, default)
    styles = [far.style_encoder(tf.constant(codes)[None]).mean[0] for codes, _, _ in clips]
    own = [code_bits(far, c, m, s, e) for (c, m, e), s in zip(clips, styles, strict=True)]
    np.testing.assert_allclose(figures["bits_per_code"], np.mean(own), rtol=1e-6)
    plain = [code_bits(far, c, m, default, e) for c, m, e in clips]
    np.testing.assert_allclose(figures["bits_per_code_default_style"], np.mean(plain), rtol=1e-6)
    # The second clip's successor is too short to stand in for its sound.
    other = [
        code_bits(far, clips[i][0], clips[j][1][: len(clips[i][1])], styles[i], clips[i][2])
        for i, j in ((0, 1), (2, 0))
    ]
    np.testing.assert_allclose(figures["bits_per_code_other_sound"], np.mean(other), rtol=1e-6)
    assert figures["bits_per_code_other_sound"] != figures["bits_per_code"]
    quiet = [
        code_bits(far, c, np.full_like(m, np.log(1e-5)), s, e)
        for (c, m, e), s in zip(clips, styles, strict=True)
    ]
    np.testing.assert_allclose(figures["bits_per_code_silence"], np.mean(quiet), rtol=1e-6)


def test_one_clip_has_no_other_sound(far):
    figures = measure_prediction(far, [clip_of(3, 0)], np.zeros(4, np.float32))
    assert figures["bits_per_code_other_sound"] is None
