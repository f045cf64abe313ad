"""The task: a waveform in, frames of a talking person out (Figure 1)."""

import numpy as np

from nwt_tf import presets
from nwt_tf.generation import episodes, styles
from nwt_tf.generation.sampler import Sampler
from nwt_tf.layers.mel import SAMPLE_RATE, MelSpectrogram, align_mel
from nwt_tf.layers.pixels import to_pixels
from nwt_tf.models import priors
from nwt_tf.models.dvae import DVAE

MIN_SECONDS = 0.2
SILENCE = 1e-4  # peak amplitude under which a waveform counts as silent


class AudioToVideo:
    """Speech to video: mel, prior, decoder.

    Args:
        dvae: a DVAE.
        prior: a Prior trained on that DVAE's codes.
        footage: the settings of the training footage, a dict with at least `fps` and `episodes`
            ({name: the models' index}).
        default_style: float [style_dim], used where no style is given: the posterior mean over the
            training set.
    """

    def __init__(self, dvae, prior, footage, default_style):
        self.dvae, self.prior = dvae, prior
        self.footage = dict(footage)
        self.fps = self.footage["fps"]
        self.episodes = self.footage["episodes"]
        self.default_style = np.asarray(default_style, np.float32)
        self.mel = MelSpectrogram()
        self.sampler = Sampler(prior)

    @classmethod
    def from_preset(cls, name_or_dir):
        """Loads a preset with both stages.

        Raises:
            ValueError: for no such preset, or one without a prior.
        """
        config = presets.read_config(name_or_dir)
        prior = priors.from_preset(name_or_dir)
        return cls(
            DVAE.from_preset(name_or_dir),
            prior,
            config["footage"],
            config["default_style"],
        )

    def save_to_preset(self, folder, card, storage="float16"):
        """Writes a complete preset.

        Args:
            folder: made if missing.
            card: text of its README.md: what it was trained on, by whom, under which licence.
            storage: of the weights, see presets.write_weights.
        """
        presets.write_config(
            folder,
            dvae=self.dvae.get_config(),
            prior={"kind": type(self.prior).__name__.lower(), **self.prior.get_config()},
            footage=self.footage,
            default_style=[float(value) for value in self.default_style],
        )
        for part, model in (("dvae", self.dvae), ("prior", self.prior)):
            presets.write_weights(folder, part, presets.variables_of(model), storage)
        presets.write_card(folder, card)

    def episode_index(self, name):
        """Index of an episode's name; 'none' is -1.

        Raises:
            ValueError: for an unknown name; the message lists the known ones.
        """
        if name in (None, "none"):
            return -1
        if name not in self.episodes:
            raise ValueError(
                f"Unknown episode {name!r}; the preset has {', '.join(self.episodes)} and none."
            )
        return self.episodes[name]

    def episode_vector(self, model, episode):
        """An episode as `model`, the prior or the dVAE, takes it: see generation.episodes."""
        return episodes.vector(model.episode_embedding, episode, self.episodes)

    def check(self, waveform):
        """Refuses sound that no video can be made of.

        Raises:
            ValueError: for a waveform that is too short, silent or not finite.
        """
        if waveform.ndim != 1:
            raise ValueError(f"waveform must be mono, [N]. Received: shape {waveform.shape}")
        seconds = len(waveform) / SAMPLE_RATE
        if seconds < MIN_SECONDS:
            raise ValueError(
                f"The sound is {seconds:.3f} s long; at least {MIN_SECONDS} s are needed."
            )
        if not np.isfinite(waveform).all():
            raise ValueError("The sound has samples that are not finite.")
        if np.abs(waveform).max() < SILENCE:
            raise ValueError("The sound is silent: there is no speech to follow.")

    def codes(self, waveform, episode="none", style=None, seed=0, temperature=1.0):
        """Samples the Memcodes of a waveform.

        Args:
            waveform: float32 [N], 24 kHz mono in [-1, 1].
            episode: a name, 'none', or {name: weight} for a mixture; see generation.episodes.
            style: float [style_dim], or None for the default style; see generation.styles.
            seed: int; the same seed gives the same codes.
            temperature: of the sampling; 0 is arg max.

        Returns:
            int32 [1, T, h, w, heads], T = round(seconds * fps).

        Raises:
            ValueError: see check, episodes.vector and styles.check.
        """
        waveform = np.asarray(waveform, np.float32)
        self.check(waveform)
        frames = max(1, round(len(waveform) / SAMPLE_RATE * self.fps))
        mel = align_mel(self.mel(waveform[None]), frames, self.fps)
        style = styles.check(self.default_style if style is None else style, self.prior.style_dim)
        conditioning = self.prior.condition(
            mel, style[None], self.episode_vector(self.prior, episode)
        )
        return self.sampler(conditioning, [seed, 0], temperature)

    def frames(self, codes, episode="none", window=64):
        """Renders codes, a window at a time: yields uint8 [H, W, 3] frames. Episode as in codes."""
        vector = self.episode_vector(self.dvae, episode)
        for video in self.dvae.decode_windows(codes, vector, window):
            yield from to_pixels(video[0])

    def generate(self, waveform, decoder_episode=None, **options):
        """Waveform to uint8 [T, H, W, 3].

        Args:
            waveform, options: as `codes` takes them.
            decoder_episode: of the dVAE's decoder; None for the prior's (section 3.4).
        """
        if decoder_episode is None:
            decoder_episode = options.get("episode", "none")
        codes = self.codes(waveform, **options)
        return np.stack(list(self.frames(codes, decoder_episode)))
