"""Sound to video by untrained models of a few channels."""

import dataclasses

import keras
import numpy as np

from configs import dvae as dvae_config
from configs import prior as prior_config
from nwt_tf.generation.audio_to_video import AudioToVideo
from nwt_tf.models import priors
from nwt_tf.models.dvae import DVAE

FPS = 25
EPISODES = {"first": 0, "third": 2}
STYLE = [0.1, 0.2, 0.3, 0.4]
SMALLER = {
    "tiny": {"audio_pyramid": (6,), "style_pyramid": (6,)},
    "tiny_mar": {"audio_pyramid": (6, 5), "style_pyramid": (6, 5)},
    "tiny_har": {"audio_pyramid": (6, 5), "style_pyramid": (6, 5)},
}


def make(variant="tiny", fps=FPS, **arguments):
    """An AudioToVideo of seeded weights at 32x24 pixels, 4x3 Memcodes."""
    keras.utils.set_random_seed(0)
    model = dataclasses.asdict(dvae_config.get_config("tiny").model)
    dvae = DVAE(height=32, width=24, num_episodes=3, **model)
    dvae.build()
    settings = dataclasses.asdict(prior_config.get_config(variant).model) | SMALLER[variant]
    kind = settings.pop("kind")
    settings |= {
        "causal_audio": arguments.pop("causal_audio", False),
        "normalize_audio": True,  # so that every way of sampling takes its statistics along
    }
    prior = priors.KINDS[kind](
        grid=dvae.grid, num_heads=4, num_codes=4, num_episodes=3, **settings
    )
    prior.build()
    prior.audio_encoder.settle(np.random.default_rng(0).normal(-6, 4, (2, 160, 80)))
    # Sharper than at the start of training, so that sound, style and episode matter.
    prior.output_layer.kernel.assign(20 * prior.output_layer.kernel)
    return AudioToVideo(dvae, prior, {"fps": fps, "episodes": EPISODES}, STYLE, **arguments)


def noise(seconds, seed=0):
    """A waveform, float32 [samples]."""
    count = round(24_000 * seconds)
    return np.float32(0.1 * np.random.default_rng(seed).normal(size=count))
