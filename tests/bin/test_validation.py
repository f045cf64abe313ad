"""What a training is measured on: whether a prior listens."""

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.bin.training.validation import measure_prior
from nwt_tf.training.prior_trainer import PriorTrainer
from tests.models import tiny_priors


@pytest.fixture(scope="module")
def prior():
    return tiny_priors.make("far")


def test_a_prior_that_does_not_listen_has_no_bits_from_sound(prior):
    trainer = PriorTrainer(prior)
    rng = np.random.default_rng(0)
    mel = tf.constant(rng.normal(-6, 4, (1, 48, 80)), tf.float32)
    shape = (1, 12, *prior.grid, prior.num_heads)
    clip = {"mel": mel, "episode": tf.constant([0])}
    # The very codes that the prior finds most likely for this sound.
    codes = tf.constant(rng.integers(0, prior.num_codes, shape), tf.int32)
    kernel = prior.output_layer.kernel
    kernel.assign(200 * kernel)
    style = prior.style_encoder(codes).mean
    told = prior.condition(mel, style, clip["episode"])
    clip["codes"] = tf.argmax(prior.logits(-tf.ones_like(codes), told), -1, tf.int32)
    assert measure_prior(trainer, [clip])["sound_bits"] > 1e-4

    prior.audio_encoder.call = lambda mel, *_, **__: tf.ones_like(told.audio)
    deaf = measure_prior(trainer, [clip])
    assert deaf["sound_bits"] == 0.0
    assert deaf["bits_per_code"] > 0.0
