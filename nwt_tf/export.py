"""SavedModels that need no nwt_tf: signatures of both stages and of streams.

A folder of exports holds a numbered folder a version, as TensorFlow Serving reads it:

    models/1/saved_model.pb, variables/
    models/1/assets.extra/nwt_tf.json                      what the model is
    models/1/assets.extra/tf_serving_warmup_requests       a request of each signature
"""

import json
import os
import re
import shutil
import uuid
from pathlib import Path

import numpy as np
import tensorflow as tf

from nwt_tf import __version__
from nwt_tf.generation.choice import LARGEST, Options
from nwt_tf.generation.listening import Listening
from nwt_tf.generation.rendering import Rendering
from nwt_tf.generation.sampler import Sampler
from nwt_tf.layers.mel import SAMPLE_RATE
from nwt_tf.layers.pixels import to_unit_range

FORMAT = 1
ABOUT = "assets.extra/nwt_tf.json"
WARMUP = "assets.extra/tf_serving_warmup_requests"
WARMUP_SECONDS = 0.5


class Exported(tf.Module):
    """The signatures of an AudioToVideo, as a module that tf.saved_model can write.

    Batch and time are dynamic. Every input is needed; `about` has the default styles and the
    episodes' indices, -1 is 'none'. A process may be asked from many threads: it answers one
    request after the other.

    Args:
        model: an AudioToVideo.
        jit_compile: compile the loop and the decoder by XLA where the model runs.
        guided: whether signatures take `guidance`, too. The prior then computes two rows a clip at
            any guidance, and streams' states hold both.
    """

    def __init__(self, model, jit_compile=False, guided=False):
        super().__init__()
        # Keras objects do not save this way: of them only the variables are the module's own.
        self._weights = [variable.value for variable in (*model.dvae.weights, *model.prior.weights)]
        dvae, prior = model.dvae, model.prior
        listening = Listening(prior, Sampler(prior, jit_compile, 1), model.fps, model.chunk_frames)
        rendering = Rendering(dvae, model.chunk_frames, jit_compile)

        def encode(video):
            logits = dvae.attention.logits(dvae.encoder(to_unit_range(video)))
            flat = tf.reshape(logits, (-1, dvae.num_codes))
            codes = tf.argmax(flat, axis=-1, output_type=tf.int32)
            return {"codes": tf.reshape(codes, tf.shape(logits)[:-1])}

        def decode(codes, episode):
            codes = _within("codes", codes, 0, dvae.num_codes)
            state = rendering.start(_rows(dvae, "episode", episode))
            return {"frames": rendering.step(state, codes, tf.constant(True))[0]}

        def init(style, episode, decoder_episode, seed):
            seeds = tf.stack([seed, tf.zeros_like(seed)], axis=1)
            style = tf.debugging.assert_all_finite(style, "style that is not finite")
            return (
                listening.start(style, _rows(prior, "episode", episode), seeds, guided),
                rendering.start(_rows(dvae, "decoder_episode", decoder_episode)),
            )

        def step(state, samples, last, options):
            heard, shown = state
            samples = tf.debugging.assert_all_finite(samples, "samples that are not finite")
            options = _checked(Options(**options))
            codes, heard = listening.step(heard, samples, last, options)
            frames, shown = rendering.step(shown, codes, last)
            return frames, codes, (heard, shown)

        def generate(waveform, style, episode, decoder_episode, seed, **options):
            state = init(style, episode, decoder_episode, seed)
            frames, codes, _ = step(state, waveform, tf.constant(True), options)
            return {"frames": frames, "codes": codes}

        def stream_init(style, episode, decoder_episode, seed):
            return _named(init(style, episode, decoder_episode, seed))

        spec = tf.TensorSpec
        rows, scalar = spec([None], tf.int32), spec([], tf.float32)
        begin = {
            "style": spec([None, prior.style_dim], tf.float32),
            "episode": rows,
            "decoder_episode": rows,
            "seed": rows,
        }
        options = {"temperature": scalar, "top_k": spec([], tf.int32), "top_p": scalar}
        options |= {"guidance": scalar} if guided else {}
        sound = spec([None, None], tf.float32)
        like = tf.function(init).get_concrete_function(**begin).structured_outputs
        # What is empty before the first sound grows: any length.
        state = {
            name: spec([size or None for size in each.shape], each.dtype)
            for name, each in _named(like).items()
        }

        def stream_step(samples, last, **inputs):
            state = [inputs[name] for name in sorted(inputs) if name not in options]
            state = tf.nest.pack_sequence_as(like, state)
            asked = {name: inputs[name] for name in options}
            frames, codes, state = step(state, samples, last, asked)
            return {"frames": frames, "codes": codes, **_named(state)}

        codes = spec([None, None, *dvae.grid, dvae.num_heads], tf.int32)
        video = spec([None, None, dvae.height, dvae.width, 3], tf.uint8)
        self._lock = f"nwt_tf_{uuid.uuid4().hex}"  # of this export alone
        self._functions = {
            "encode": (encode, {"video": video}),
            "decode": (decode, {"codes": codes, "episode": rows}),
            "generate": (generate, {"waveform": sound, **begin, **options}),
            "stream_init": (stream_init, begin),
            "stream_step": (
                stream_step,
                {"samples": sound, "last": spec([], tf.bool), **options, **state},
            ),
        }
        self.about = {
            "format": FORMAT,
            "nwt_tf": __version__,
            "tensorflow": tf.__version__,
            "sample_rate": SAMPLE_RATE,
            "fps": model.fps,
            "chunk_frames": model.chunk_frames,
            "height": dvae.height,
            "width": dvae.width,
            "episodes": {"none": -1, **model.episodes},
            "default_style": model.default_style.tolist(),
            "episode_styles": {
                name: style.tolist() for name, style in model.episode_styles.items()
            },
            "draws": {name: getattr(model.draws, name) for name in options},
            "state": sorted(state),
        }

    def signatures(self):
        """{name: concrete function}."""
        return {
            name: tf.function(self._alone(function)).get_concrete_function(**inputs)
            for name, (function, inputs) in self._functions.items()
        }

    def _alone(self, function):
        """The function, in a graph that waits until no other request is being answered.

        oneDNN's kernels are not safe to run beside themselves (see Rendering.step): of four
        threads' requests on a CPU one in two hundred had windows of garbage.
        """

        def run(**inputs):
            # Made within the graph (tf.CriticalSection would leave it outside of the SavedModel),
            # where the name makes it one for all signatures. An error lets it go, too.
            mutex = tf.raw_ops.MutexV2(shared_name=self._lock, container="")
            lock = tf.raw_ops.MutexLock(mutex=mutex)
            with tf.control_dependencies([lock]):
                made = function(**tf.nest.map_structure(tf.identity, inputs))
            with tf.control_dependencies(tf.nest.flatten(made)):
                end = tf.raw_ops.ConsumeMutexLock(mutex_lock=lock)
            with tf.control_dependencies([end]):
                return tf.nest.map_structure(tf.identity, made)

        return run


def _checked(options):
    """Options.check for a request's tensors: an InvalidArgumentError that says what is wrong."""
    temperature, top_k, top_p, guidance = options.tensors()
    for fits, rule, value in (
        (temperature >= 0, "temperature must be at least 0", temperature),
        (temperature <= LARGEST, f"temperature must be at most {LARGEST:g}", temperature),
        (top_k >= 0, "top_k must be at least 0", top_k),
        ((top_p > 0) & (top_p <= 1), "top_p must lie in (0, 1]", top_p),
        (guidance >= 0, "guidance must be at least 0", guidance),
        (guidance <= LARGEST, f"guidance must be at most {LARGEST:g}", guidance),
    ):
        tf.debugging.Assert(fits, [f"{rule}. Received:", value])
    return options


def _within(name, tensor, first, end):
    """Integers of a request that lie in [first, end), else an InvalidArgumentError that says so: of
    others a look-up gives zeros on a GPU, and another head's code on any device."""
    fits = tf.reduce_all((tensor >= first) & (tensor < end))
    rule = f"{name} must lie in [{first}, {end - 1}]. Received, least and most:"
    said = [rule, tf.reduce_min(tensor), tf.reduce_max(tensor)]
    with tf.control_dependencies([tf.debugging.Assert(fits, said)]):
        return tf.identity(tensor)


def _rows(model, name, episode):
    """Rows of a model's episode embedding, -1 the first: int32 [B], an input of that name, ->
    float32 [B, episode_dim]."""
    table = tf.convert_to_tensor(model.episode_embedding.embeddings)
    episode = _within(name, episode, -1, table.shape[0] - 1)
    return tf.cast(tf.gather(table, episode + 1), tf.float32)


def _named(state):
    """A nested state as {'state00': tensor, ...}, in order."""
    return {f"state{i:02d}": tensor for i, tensor in enumerate(tf.nest.flatten(state))}


def save(model, folder, version=None, jit_compile=False, warmup=True, guided=None):
    """Writes a SavedModel, whole or not at all.

    Args:
        model: an AudioToVideo.
        folder: of the exports; made if missing.
        version: number of the new folder inside; None takes the next free one.
        jit_compile: see Exported.
        warmup: add a request of each signature, which TensorFlow Serving sends itself at its start.
        guided: see Exported; None where the model's preset recommends guidance.

    Returns:
        The path of the new folder.

    Raises:
        ValueError: for a version that is there already or is no number from 1 on.
    """
    folder = Path(folder)
    taken = [int(path.name) for path in folder.glob("*") if re.fullmatch("[0-9]+", path.name)]
    version = max(taken, default=0) + 1 if version is None else version
    if version < 1:
        raise ValueError(f"version must be at least 1. Received: {version}")
    if version in taken:
        raise ValueError(f"{folder} has a version {version} already: take another.")
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{version}.tmp"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        guided = model.draws.guided if guided is None else guided
        exported = Exported(model, jit_compile, guided)
        signatures = exported.signatures()
        tf.saved_model.save(exported, str(partial), signatures=signatures)
        (partial / ABOUT).parent.mkdir(exist_ok=True)
        (partial / ABOUT).write_text(json.dumps(exported.about, indent=1) + "\n")
        if warmup:
            _write_warmup(partial / WARMUP, folder.name, exported, signatures)
        os.replace(partial, folder / str(version))
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder / str(version)


def load(folder):
    """A SavedModel that `save` wrote: (the loaded object, what it is as a dict).

    Its `signatures` are called with keyword tensors. Keep the object: its variables live with it.

    Args:
        folder: a version's folder.

    Raises:
        ValueError: for no such export, or one of another version of nwt_tf.
    """
    path = Path(folder) / ABOUT
    if not path.is_file():
        raise ValueError(f"{folder} is no export of nwt_tf: it has no {ABOUT}.")
    try:
        about = json.loads(path.read_text())
        found, version = about["format"], about["nwt_tf"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({type(error).__name__}).") from None
    if found != FORMAT:
        raise ValueError(
            f"{folder} was exported by nwt_tf {version} in format {found}; this is nwt_tf "
            f"{__version__}, which reads format {FORMAT}: export it again."
        )
    return tf.saved_model.load(str(folder)), about


def _write_warmup(path, name, exported, signatures):
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    about = exported.about
    row = {"episode": np.int32([-1]), "decoder_episode": np.int32([-1]), "seed": np.int32([0])}
    row["style"] = np.float32([about["default_style"]])
    kinds = {"top_k": np.int32}
    options = {name: kinds.get(name, np.float32)(v) for name, v in about["draws"].items()}
    sound = np.zeros((1, int(WARMUP_SECONDS * SAMPLE_RATE)), np.float32)
    begun = signatures["stream_init"](**{key: tf.constant(row[key]) for key in row})
    video = np.zeros((1, 2, about["height"], about["width"], 3), np.uint8)
    codes = signatures["encode"](video=tf.constant(video))["codes"]
    requests = {
        "encode": {"video": video},
        "decode": {"codes": codes, "episode": row["episode"]},
        "generate": {"waveform": sound, **row, **options},
        "stream_init": row,
        "stream_step": {"samples": sound, "last": np.bool_(True), **options, **begun},
    }
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = name, signature
            for key, value in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())
