"""Video to `.nwt` files and back: footage (data_pipeline), models and codec joined.

`nwt compress`, `nwt decompress` and `nwt evaluate --what=codec` call these functions.
"""

from fractions import Fraction

import numpy as np
import tensorflow as tf

from data_pipeline.mel import MEL_FLOOR
from data_pipeline.packets import SoundStream
from data_pipeline.workers import Progress
from nwt_tf import presets
from nwt_tf.codec import varint
from nwt_tf.codec.choice import choose_codes
from nwt_tf.codec.header import Header, Sound
from nwt_tf.codec.snapping import follow, from_reader, snap, to_numbers
from nwt_tf.generation import episodes
from nwt_tf.generation.replay import Replay
from nwt_tf.layers.mel import MELS_PER_FRAME
from nwt_tf.layers.pixels import to_pixels, to_unit_range
from nwt_tf.models import priors
from nwt_tf.models.dvae import DVAE

SENSITIVITY_FRAMES = 8
EPISODE_FRAMES = 3
MEL_STEPS = 4  # a nat of log-mel
STYLE_STEPS = 16  # a unit of style


class Model:
    """The networks of a preset, as the codec uses them.

    Args:
        preset: name or folder; its prior is loaded when it is first used.

    Raises:
        ValueError: for no such preset.
    """

    def __init__(self, preset):
        self.preset, self.config = preset, presets.read_config(preset)
        self.dvae = DVAE.from_preset(preset)
        self.footage = presets.read_footage(preset)
        self.episodes = {"none": -1} | self.footage["episodes"]
        self._prior = None
        self._decode_window = tf.function(self.dvae.decode_window)

    @property
    def prior(self):
        """The prior in float64, where rounding errors are far below what the coder rounds to."""
        if self._prior is None:
            self._prior = priors.from_preset(self.preset, dtype="float64")
        return self._prior

    def header(self, coder, chunk_frames, **fields):
        """The Header of a file that this model makes; `fields` are further ones."""
        rate = Fraction(self.footage["fps"]).limit_denominator(1001)
        if coder == "prior":
            fields["prior"] = presets.fingerprint(self.preset, "prior")
        return Header(
            coder=coder,
            shape=(*self.dvae.grid, self.dvae.num_heads),
            num_codes=self.dvae.num_codes,
            rate=(rate.numerator, rate.denominator),
            height=self.dvae.height,
            width=self.dvae.width,
            chunk_frames=chunk_frames,
            dvae=presets.fingerprint(self.preset, "dvae"),
            **fields,
        )

    def check(self, header, path):
        """Refuses a file of other weights.

        Raises:
            ValueError: names file, preset and the part that differs.
        """
        for part in ("dvae", "prior") if header.coder == "prior" else ("dvae",):
            made, own = getattr(header, part), presets.fingerprint(self.preset, part)
            if made != own:
                raise ValueError(
                    f"{path}: was made with other {part} weights (fingerprint {made.hex()}) than "
                    f"those of --preset={self.preset} ({own.hex()})."
                )
        own = self.header(header.coder, 1)
        for field in ("shape", "num_codes", "height", "width"):
            made, here = getattr(header, field), getattr(own, field)
            if made != here:  # No encoder writes this with such a fingerprint.
                raise ValueError(f"{path}: claims {field} {made}; {self.preset} has {here}")
        if header.episode not in self.episodes:
            raise ValueError(f"{path}: names an episode that {self.preset} lacks: {header.episode}")

    def episode_index(self, name):
        """int32 [1] of an episode's name.

        Raises:
            ValueError: for an unknown name; the message lists the known ones.
        """
        return tf.constant([episodes.index(name, self.footage["episodes"])])

    def logits(self, video):
        """uint8 [T, H, W, 3] -> float32 [T, h, w, heads, num_codes]."""
        return self.dvae.code_logits(to_unit_range(video)[None])[0].numpy()

    def pictures(self, codes, episode):
        """uint8 [T, h, w, heads], an episode's name -> uint8 [T, H, W, 3]."""
        codes = tf.constant(codes.astype(np.int32))[None]
        return to_pixels(self.dvae.decode(codes, self.episode_index(episode))[0])

    def best_episode(self, video, codes):
        """The name, 'none' among them, whose look comes closest to the few frames in the middle.

        A look hardly changes within a clip, and a preset may have many: each decodes those frames
        alone, with the codes around them that they need.

        Args:
            video: uint8 [T, H, W, 3].
            codes: uint8 [T, h, w, heads].
        """
        count = min(EPISODE_FRAMES, len(video))
        first = (len(video) - count) // 2
        shown = video[first : first + count].astype(np.float32)
        places = np.arange(first - self.dvae.context, first + count + self.dvae.context)
        valid = tf.constant((places >= 0) & (places < len(video)))
        window = tf.constant(codes[places.clip(0, len(video) - 1)].astype(np.int32))[None]
        progress, errors = Progress(len(self.episodes), "looks"), {}
        for name in self.episodes:
            vectors = self.dvae.episode_embedding(self.episode_index(name))
            pictures = to_pixels(self._decode_window(window, valid, vectors)[0])
            errors[name] = np.square(pictures.astype(np.float32) - shown).mean()
            progress.show(len(errors))
        progress.clear()
        return min(errors, key=errors.get)

    def sensitivity(self, video, logits, episode):
        """Squared error (of pixels 0 to 255, summed) that a nat of each head is worth.

        A head's codes are all replaced by the second most likely ones; the error that this adds is
        divided by the nats that it costs.

        Args:
            video: uint8 [T, H, W, 3].
            logits: float32 [T, h, w, heads, num_codes].
            episode: name.

        Returns:
            float [heads], positive.
        """
        video, logits = video[:SENSITIVITY_FRAMES], logits[:SENSITIVITY_FRAMES]
        order = np.argsort(-logits, axis=-1)
        best, second = order[..., 0].astype(np.uint8), order[..., 1].astype(np.uint8)
        nats = np.take_along_axis(logits, order[..., :2], -1)
        nats = (nats[..., 0] - nats[..., 1]).sum((0, 1, 2))  # [heads]

        def error(codes):
            pictures = self.pictures(codes, episode).astype(np.float32)
            return float(np.square(pictures - video).sum())

        base, weights = error(best), []
        for head in range(best.shape[-1]):
            codes = best.copy()
            codes[..., head] = second[..., head]
            weights.append(max(error(codes) - base, 1.0) / max(nats[head], 1e-6))
        return np.array(weights)


class CodeChooser:
    """Codes of one video, chunk after chunk: the most likely ones, or cheaper ones.

    Args:
        model: Model.
        lam: see codec.choice.
        weights: of Model.sensitivity.
    """

    def __init__(self, model, lam, weights):
        self.model, self.lam, self.weights = model, lam, weights
        self._last = None

    def __call__(self, logits, key):
        """float32 [T, h, w, heads, num_codes] of the next chunk -> uint8 [T, h, w, heads]."""
        codes = choose_codes(logits, self.weights, self.lam, None if key else self._last)
        self._last = codes[-1]
        return codes


class PriorPredictor:
    """What coder `prior` asks (codec.prior_coder): a prior, told the sound and a style a key chunk.

    Args:
        model: Model, with a prior.
        mel: float32 [4 T, 80], aligned, of the whole file's sound as it is sent.
        episode: name.
    """

    def __init__(self, model, mel, episode):
        self.prior, self.mel, self.episode = model.prior, mel, model.episode_index(episode)
        self._before, self._after = self.prior.audio_encoder.context
        self._replay = Replay(self.prior)
        self._style = None

    def side(self, first, codes, key):
        """What the decoder must be told: the style of a key chunk, close calls of the mel."""
        told = b""
        if key:
            mean = self.prior.style_encoder(tf.constant(codes[None].astype(np.int32))).mean[0]
            told = np.clip(np.rint(mean * STYLE_STEPS), -128, 127).astype(np.int8).tobytes()
        values = self._mel_steps(first, len(codes))
        steps, places, upward = snap(values, mel_guard(values))
        told += varint.write(to_numbers(places, upward))
        self._condition(first, len(codes), key, told[: self.prior.style_dim], steps)
        return told

    def adopt(self, first, frames, key, reader):
        """Takes what `side` told."""
        style = reader.bytes(self.prior.style_dim) if key else b""
        values = self._mel_steps(first, frames)
        steps = follow(values, *from_reader(reader, len(values)))
        self._condition(first, frames, key, style, steps)

    def run(self, frames, choose):
        """Predicts so many frames; see codec.prior_coder."""

        def ask(logits):
            highest = logits.max(-1, keepdims=True)
            return choose(logits - highest - np.log(np.exp(logits - highest).sum(-1)[:, None]))

        self._replay.run(self._conditioning, self._place, frames, ask)

    def _window(self, first, frames):
        total = len(self.mel) // MELS_PER_FRAME
        if first + frames > total:
            raise ValueError("it goes on after the sound that it was coded with")
        return max(0, first - self._before), min(total, first + frames + self._after)

    def _mel_steps(self, first, frames):
        start, stop = self._window(first, frames)
        mel = self.mel[start * MELS_PER_FRAME : stop * MELS_PER_FRAME]
        return mel.astype(np.float64).reshape(-1) * MEL_STEPS

    def _condition(self, first, frames, key, style, steps):
        if key:
            self._style = np.frombuffer(style, np.int8) / np.float64(STYLE_STEPS)
            self._replay.restart()
        mel = steps.reshape(1, -1, self.mel.shape[1]) / np.float64(MEL_STEPS)
        self._place = first - self._window(first, frames)[0]
        self._conditioning = self.prior.condition(mel, self._style[None], self.episode)


def mel_guard(steps):
    """How far decoders of the same sound may be apart, in steps of log-mel.

    They differ by a rounding error of the samples, some 1e-7: the softer a band, the more of its
    logarithm that is. Enough where all samples differ by 2e-7, the most that FFmpeg's vector code
    and its plain C were seen to differ by.

    Args:
        steps: float64 [n], log-mel in steps.

    Returns:
        float64 [n].
    """
    above_floor = steps / MEL_STEPS - np.log(MEL_FLOOR)
    return np.maximum(2.0**-8 * np.exp(-above_floor / 2), 2.0**-16)


def coded_sound(stream):
    """The header's Sound of a SoundStream."""
    base = (stream.time_base.numerator, stream.time_base.denominator)
    return Sound(stream.codec, stream.sample_rate, stream.channels, base, bytes(stream.extradata))


def sound_stream(sound):
    """The SoundStream of a header's Sound."""
    return SoundStream(
        sound.codec, sound.sample_rate, sound.channels, Fraction(*sound.time_base), sound.extradata
    )
