"""The task: a waveform in, frames of a talking person out (Figure 1)."""

import numpy as np
import tensorflow as tf

from nwt_tf import presets
from nwt_tf.generation import episodes, styles
from nwt_tf.generation.choice import options_of
from nwt_tf.generation.listening import Listening
from nwt_tf.generation.parallel import sampler_of
from nwt_tf.generation.rendering import Rendering
from nwt_tf.generation.streaming import Session
from nwt_tf.generation.waveforms import check_audible, check_length, samples_of
from nwt_tf.models import priors
from nwt_tf.models.dvae import DVAE
from nwt_tf.models.input_checks import check_codes

CHUNK_FRAMES = 16
MAX_CHUNK_FRAMES = 10_000  # a chunk is held in memory


class AudioToVideo:
    """Speech to video: mel, prior, decoder.

    Args:
        dvae: a DVAE.
        prior: a Prior trained on that DVAE's codes.
        footage: the settings of the training footage, a dict with at least `fps` and `episodes`
            ({name: the models' index}).
        default_style: float [style_dim], used where no style is given: the posterior mean over the
            training set.
        episode_styles: {name: float [style_dim]}, used instead where an episode is named: the
            posterior mean over its clips, since no clip looks like the mean over several looks.
        chunk_frames: frames that are drawn and rendered at a time. Small chunks show the first
            frame of a stream sooner, large ones use a GPU better.
        sampling: 'sequential', 'parallel' or 'auto', see sampler_of.
        sampled_codes: whether the prior learnt codes drawn from q(z|x), as in 2.2.1, or the most
            likely ones: what it is to be measured on.
        draws: {option: number} of choice.Options that the preset recommends: they count where a
            clip is asked for without.

    Raises:
        ValueError: for chunks of no or too many frames, another kind of sampling, or draws that are
            no options.
    """

    def __init__(
        self,
        dvae,
        prior,
        footage,
        default_style,
        chunk_frames=CHUNK_FRAMES,
        sampling="sequential",
        episode_styles=None,
        sampled_codes=True,
        draws=None,
    ):
        if not 1 <= chunk_frames <= MAX_CHUNK_FRAMES:
            raise ValueError(
                f"chunk_frames must lie in [1, {MAX_CHUNK_FRAMES}]. Received: {chunk_frames}"
            )
        self.dvae, self.prior = dvae, prior
        self.footage = dict(footage)
        self.fps = self.footage["fps"]
        self.episodes = self.footage["episodes"]
        self.default_style = np.asarray(default_style, np.float32)
        self.episode_styles = {
            name: np.asarray(style, np.float32) for name, style in (episode_styles or {}).items()
        }
        self.sampled_codes = sampled_codes
        self.draws = options_of(draws or {})
        self.chunk_frames = chunk_frames
        self.sampler = sampler_of(prior, sampling)
        self.listening = Listening(prior, self.sampler, self.fps, chunk_frames)
        self.mel = self.listening.mel
        self.rendering = Rendering(dvae, chunk_frames)

    @classmethod
    def from_preset(cls, name_or_dir, dtype="float32", **arguments):
        """Loads a preset with both stages.

        Args:
            name_or_dir: see presets.locate.
            dtype: policy of both models: float32, mixed_bfloat16, or bfloat16, in which the weights
                take half the memory and time to read.
            arguments: chunk_frames and sampling, see above.

        Raises:
            ValueError: for no such preset, or one without a prior or default style.
        """
        config = presets.read_config(name_or_dir)
        prior = priors.from_preset(name_or_dir, dtype=dtype)
        if "default_style" not in config:
            raise ValueError(
                f"{presets.locate(name_or_dir)} has no default style: its training was killed "
                "before it had saved all; the same command goes on."
            )
        return cls(
            DVAE.from_preset(name_or_dir, dtype),
            prior,
            presets.read_footage(name_or_dir),
            config["default_style"],
            episode_styles=config.get("episode_styles"),
            sampled_codes=config.get("codes", {}).get("sampled", True),
            draws=config.get("draws"),
            **arguments,
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
            codes={"sampled": self.sampled_codes},
            default_style=self.default_style.tolist(),
            episode_styles={name: style.tolist() for name, style in self.episode_styles.items()},
            draws=self.draws.figures(),
        )
        for part, model in (("dvae", self.dvae), ("prior", self.prior)):
            presets.write_weights(folder, part, presets.variables_of(model), storage)
        presets.write_card(folder, card)

    def episode_index(self, name):
        """The models' index of an episode's name, see episodes.index."""
        return episodes.index(name, self.episodes)

    def episode_vector(self, model, episode):
        """An episode as `model`, the prior or the dVAE, takes it: see generation.episodes."""
        return episodes.vector(model.episode_embedding, episode, self.episodes)

    def style_of(self, episode):
        """The style where none is given: float32 [style_dim].

        Args:
            episode: see generation.episodes; a mixture has the weighted mean of its styles.

        Raises:
            ValueError: see episodes.shares.
        """
        parts = episodes.shares(episode, self.episodes)
        own = [self.episode_styles.get(name, self.default_style) for name in parts]
        return np.float32(np.average(own, axis=0, weights=list(parts.values())))

    def options(self, **asked):
        """Options of a clip: those asked for, and the preset's where they are None or left out.

        Raises:
            ValueError: for options out of range.
        """
        given = {name: value for name, value in asked.items() if value is not None}
        return self.draws._replace(**given).check()

    def check(self, waveform):
        """Refuses sound that no video can be made of.

        Args:
            waveform: see codes.

        Returns:
            float32 [N].

        Raises:
            ValueError: for a waveform that is no mono floats in [-1, 1], too short, silent or not
                finite.
        """
        waveform = samples_of(waveform)
        check_length(len(waveform))
        check_audible(waveform)
        return waveform

    def session(
        self,
        episode="none",
        style=None,
        seed=0,
        temperature=None,
        top_k=None,
        top_p=None,
        decoder_episode=None,
        guidance=None,
    ):
        """Begins a clip whose sound is still to come.

        Args:
            episode: a name, 'none', or {name: weight} for a mixture; see generation.episodes.
            style: float [style_dim], or None for the default style; see generation.styles.
            seed: int; the same seed gives the same codes.
            temperature, top_k, top_p, guidance: of the draws, see choice.Options; temperature 0 is
                arg max. None is what the preset recommends.
            decoder_episode: of the dVAE's decoder; None for the prior's (section 3.4).

        Returns:
            A Session.

        Raises:
            ValueError: see episodes.vector and styles.check; for options out of range.
        """
        style = self.style_of(episode) if style is None else style
        style = styles.check(style, self.prior.style_dim)
        shown = episode if decoder_episode is None else decoder_episode
        return Session(
            self,
            style,
            self.episode_vector(self.prior, episode),
            self.episode_vector(self.dvae, shown),
            seed,
            self.options(temperature=temperature, top_k=top_k, top_p=top_p, guidance=guidance),
        )

    def stream(self, chunks, **options):
        """Sound of unknown length to frames, as it comes.

        Args:
            chunks: iterable of float [n] in [-1, 1], 24 kHz mono, any n.
            options: those of `session`.

        Yields:
            uint8 [H, W, 3] frames, those that `generate` gives for all the sound. The first comes
            when Listening.samples_before(chunk_frames) samples have been heard.

        Raises:
            ValueError: see session and Session.hear. Silence is followed like other sound.
        """
        session = self.session(**options)
        for samples in chunks:
            yield from session.push(samples)
        yield from session.finish()

    def codes(self, waveform, episode="none", **options):
        """Samples the Memcodes of a waveform.

        Args:
            waveform: float [N], 24 kHz mono in [-1, 1].
            episode, options: those of `session`.

        Returns:
            int32 [1, T, h, w, heads], T = round(seconds * fps).

        Raises:
            ValueError: see check and session.
        """
        return self.session(episode, **options).codes(self.check(waveform))

    def frames(self, codes, episode="none"):
        """Renders codes, chunk by chunk: yields uint8 [H, W, 3] frames. Episode as in session.

        Args:
            codes: int [1, T, h, w, heads].

        Raises:
            ValueError: for codes of several videos, another grid or codebook, or an unknown
                episode.
        """
        codes = tf.cast(tf.convert_to_tensor(codes), tf.int32)
        if codes.shape[:1] != (1,):
            raise ValueError(f"codes must be one video's, [1, ...]. Received: {codes.shape}")
        check_codes(codes, self.dvae.grid, self.dvae.num_heads, self.dvae.num_codes)
        state = self.rendering.start(tf.constant(self.episode_vector(self.dvae, episode)))
        for first in range(0, codes.shape[1], self.chunk_frames):
            part = codes[:, first : first + self.chunk_frames]
            last = first + self.chunk_frames >= codes.shape[1]
            pixels, state = self.rendering.step(state, part, tf.constant(last))
            yield from pixels[0].numpy()

    def generate(self, waveform, decoder_episode=None, **options):
        """Waveform to uint8 [T, H, W, 3]; options are those of `session`."""
        codes = self.codes(waveform, **options)
        shown = options.get("episode", "none") if decoder_episode is None else decoder_episode
        return np.stack(list(self.frames(codes, shown)))
