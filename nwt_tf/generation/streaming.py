"""Sound to frames as it comes, and sessions that can be put aside and taken up again."""

import hashlib
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from nwt_tf.files import whole
from nwt_tf.generation.choice import Options
from nwt_tf.generation.waveforms import check_length, samples_of

FORMAT = 1  # of a snapshot


class Session:
    """One clip in the making: sound goes in, frames come out as soon as they are certain.

    Memory does not grow with the clip. Frames are those of the whole clip generated at once,
    however the sound is cut, because both are computed in the same chunks.

    Args:
        model: an AudioToVideo.
        style: float32 [style_dim].
        episode: float32 [1, episode_dim] of the prior.
        decoder_episode: float32 [1, episode_dim] of the dVAE.
        seed: int of 32 bits.
        options: Options of the draws.

    Raises:
        ValueError: a seed or an option out of range.
    """

    def __init__(self, model, style, episode, decoder_episode, seed, options):
        self.model, self.options = model, options.check()
        if seed != int(seed) or not -(2**31) <= seed < 2**31:
            raise ValueError(f"seed must be a whole number of 32 bits. Received: {seed}")
        seeds = tf.constant([[seed, 0]], tf.int32)
        self.listening = model.listening.start(
            tf.constant(style)[None], episode, seeds, self.options.guided
        )
        self.rendering = model.rendering.start(tf.constant(decoder_episode))
        self.waiting = np.zeros(0, np.float32)  # sound that is not enough for a chunk yet
        self.received = 0  # samples, those waiting included
        self.finished = False

    def hear(self, samples, last=False):
        """Takes sound and yields the codes that it allows: int32 [1, F, h, w, heads] each.

        Args:
            samples: float [n] in [-1, 1], 24 kHz mono, any n.
            last: whether the sound ends here.

        Raises:
            ValueError: for samples that are not mono floats or not finite, sound after the end, or
                an end before waveforms.MIN_SECONDS.
        """
        if self.finished:
            raise ValueError("The session is finished: its sound has ended.")
        samples = samples_of(samples)
        self.received += len(samples)
        self.waiting = np.concatenate([self.waiting, samples])
        while len(self.waiting) >= (missing := self._missing()):
            piece, self.waiting = self.waiting[:missing], self.waiting[missing:]
            yield from self._listen(piece, False)
        if last:
            check_length(self.received)
            self.finished = True
            piece, self.waiting = self.waiting, self.waiting[:0]
            yield from self._listen(piece, True)

    def codes(self, waveform):
        """The codes of all the sound at once: int32 [1, T, h, w, heads]; raises as `hear`."""
        return tf.concat(list(self.hear(waveform, last=True)), axis=1)

    def statistics(self):
        """{"memcodes_per_pass"}: how many Memcodes a pass of the prior drew; nothing for FAR."""
        prior, sampler = self.model.prior, self.listening.sampler
        if prior.steps_per_frame == 1:
            return {}
        memcodes = int(sampler.frame) * prior.steps_per_frame
        return {"memcodes_per_pass": memcodes / max(1, int(sampler.passes))}

    def push(self, samples):
        """Takes sound and yields the frames that it allows: uint8 [H, W, 3]; raises as `hear`."""
        for codes in self.hear(samples):
            yield from self.render(codes)

    def finish(self):
        """Ends the sound and yields the frames that are left; raises as `hear`."""
        for codes in self.hear(np.zeros(0, np.float32), last=True):
            yield from self.render(codes)
        yield from self.render()

    def render(self, codes=None):
        """Yields the frames that codes of `hear` allow, uint8 [H, W, 3]; without codes the clip
        ends, and what is left comes."""
        last = codes is None
        if last:
            codes = tf.zeros((1, 0, *self.rendering.codes.shape[2:]), tf.int32)
        pixels, self.rendering = self.model.rendering.step(self.rendering, codes, tf.constant(last))
        yield from pixels[0].numpy()

    def _listen(self, piece, last):
        codes, self.listening = self.model.listening.step(
            self.listening, tf.constant(piece[None]), tf.constant(last), self.options
        )
        if codes.shape[1]:
            yield codes

    def _missing(self):
        """Samples to wait for until the next chunk can be drawn, at least one.

        The exact rule is Listening.ready; this one only saves asking it in vain.
        """
        listening = self.model.listening
        frames = int(self.listening.sampler.frame) + listening.chunk_frames
        return max(1, listening.samples_before(frames) - (self.received - len(self.waiting)))

    def save(self, path):
        """Writes the session to a file, whole or not at all: a NumPy archive without pickles."""
        head = {
            "format": FORMAT,
            "model": fingerprint(self.model),
            "received": self.received,
            "finished": self.finished,
            "options": list(self.options.figures().values()),
        }
        arrays = {"head": np.frombuffer(json.dumps(head).encode(), np.uint8)}
        arrays["waiting"] = self.waiting
        for i, tensor in enumerate(tf.nest.flatten((self.listening, self.rendering))):
            if tensor.dtype == tf.bfloat16:  # NumPy has no such type.
                tensor = tf.bitcast(tensor, tf.uint16)
            arrays[f"state{i}"] = tensor.numpy()
        with whole(path) as beside, open(beside, "wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path, model):
        """Takes up a session that `save` put aside.

        Raises:
            ValueError: for a file that is no session, a damaged one, or one of another model or
                version; it names the file.
            FileNotFoundError: for no file.
        """
        try:
            with np.load(Path(path), allow_pickle=False) as archive:
                arrays = dict(archive)
            head = json.loads(arrays.pop("head").tobytes())
            found, made_with = head["format"], head["model"]
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(f"{path} is not a session ({type(error).__name__}).") from None
        if found != FORMAT:
            raise ValueError(f"{path} is a session of format {found}; this reads {FORMAT}.")
        if made_with != fingerprint(model):
            raise ValueError(
                f"{path} is a session of another model: resume it with the preset, precision and "
                "chunk_frames that it began with."
            )
        try:
            return cls._restored(head, arrays, model)
        except KeyError as error:
            raise ValueError(f"{path} is a damaged session (it lacks {error}).") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is a damaged session ({error}).") from None

    @classmethod
    def _restored(cls, head, arrays, model):
        dim = model.dvae.episode_embedding.embeddings.shape[-1]
        own = model.prior.episode_embedding.embeddings.shape[-1]
        zeros = (np.zeros((1, own), np.float32), np.zeros((1, dim), np.float32))
        session = cls(model, model.default_style, *zeros, 0, Options(*head["options"]))
        fresh = (session.listening, session.rendering)
        values = [
            _like(tensor, arrays, f"state{i}") for i, tensor in enumerate(tf.nest.flatten(fresh))
        ]
        session.listening, session.rendering = tf.nest.pack_sequence_as(fresh, values)
        session.waiting = _like(tf.constant(session.waiting), arrays, "waiting").numpy()
        session.received, session.finished = head["received"], bool(head["finished"])
        if arrays:
            raise ValueError(f"it has {sorted(arrays)[0]}, which no session has")
        # Else a session would wait for sound that it had, or take what it waits for to be there.
        state = session.listening
        held = int(state.first) + state.sound.shape[1] + len(session.waiting)
        if session.received != held:
            raise ValueError(f"it holds {held} samples. Received: {session.received}")
        return session


def _like(fresh, arrays, name):
    """A tensor of a session that was put aside, taken out of its arrays.

    Args:
        fresh: the same tensor of a new session; where that is empty, any size will do.
        arrays: {name: array}.
        name: of the tensor's array.

    Raises:
        KeyError: there is none.
        ValueError: it has another dtype or shape.
    """
    array = arrays.pop(name)
    stored = tf.uint16 if fresh.dtype == tf.bfloat16 else fresh.dtype
    shape = tf.TensorShape([size or None for size in fresh.shape])
    if array.dtype != stored.as_numpy_dtype or not shape.is_compatible_with(array.shape):
        raise ValueError(
            f"{name} must be {stored.name} {shape}. Received: {array.dtype} {list(array.shape)}"
        )
    return tf.bitcast(array, fresh.dtype) if stored != fresh.dtype else tf.constant(array)


def fingerprint(model):
    """What makes an AudioToVideo the same one: its settings, and a little of each weight."""
    digest = hashlib.sha256()
    about = [model.fps, model.chunk_frames, model.dvae.get_config(), model.prior.get_config()]
    digest.update(json.dumps(about, sort_keys=True).encode())
    for part in (model.dvae, model.prior):
        for variable in part.weights:
            flat = tf.reshape(tf.convert_to_tensor(variable), (-1,))[:16]
            digest.update(f"{variable.path.partition('/')[2]} {variable.dtype}".encode())
            digest.update(tf.cast(flat, tf.float32).numpy().tobytes())
    return digest.hexdigest()
