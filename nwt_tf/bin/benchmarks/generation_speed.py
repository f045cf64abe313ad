"""How fast sound becomes video, part by part, for `nwt benchmark --what=generate`."""

import dataclasses
import os
import tempfile
import time

import numpy as np
import tensorflow as tf

from data_pipeline.media import write_mp4
from data_pipeline.mel import SAMPLE_RATE
from data_pipeline.synthetic_voice import synthesize_voice
from nwt_tf.evaluation.sizes import matrix_flops
from nwt_tf.generation.audio_to_video import AudioToVideo
from nwt_tf.generation.choice import row_seeds
from nwt_tf.generation.parallel import sampler_of
from nwt_tf.generation.sampler import Sampler
from nwt_tf.models import priors
from nwt_tf.models.dvae import DVAE
from nwt_tf.models.prior import Conditioning

PEAKS = {  # of data sheets: bytes a second, dense TFLOP/s in bfloat16 and in TF32
    "H200": (4.8e12, 989, 494),
    "H100 PCIe": (2.0e12, 756, 378),
    "H100": (3.35e12, 989, 494),
    "A100-SXM4-80GB": (2.04e12, 312, 156),
    "A100": (1.56e12, 312, 156),
    "L40S": (0.86e12, 362, 183),
    "L4": (0.3e12, 121, 60),
    "A10G": (0.6e12, 70, 35),
    "T4": (0.32e12, 65, 8),  # float16, and float32 without TF32
}
METHOD = (
    "A bound is the least time a part could take: for bandwidth, the weights that a pass must read "
    "over the device's peak bytes a second (prior: a pass a frame or Memcode; decoder: a pass a "
    "chunk); for arithmetic, the matrix products and convolutions of the traced graph over the "
    "peak of the precision. Percent is bound over p50."
)


def random_model(config, height, width, fps, dtype, chunk_frames):
    """An untrained AudioToVideo at the sizes of a configs.both.BothConfig."""
    stages = dataclasses.asdict(config.dvae.model)
    dvae = DVAE(height=height, width=width, dtype=dtype, **stages)
    dvae.build()
    arguments = dataclasses.asdict(config.prior.model)
    prior = priors.KINDS[arguments.pop("kind")](
        grid=dvae.grid,
        num_heads=dvae.num_heads,
        num_codes=dvae.num_codes,
        dtype=dtype,
        **arguments,
    )
    prior.build()
    footage = {"fps": fps, "episodes": {}}
    style = np.zeros(prior.style_dim, np.float32)
    return AudioToVideo(dvae, prior, footage, style, chunk_frames=chunk_frames)


def device_peaks(dtype, terabytes=None, teraflops=None):
    """(bytes a second, operations a second, the device's name); None where they are not known.

    Args:
        dtype: policy of the models.
        terabytes, teraflops: a second, instead of the table's.
    """
    devices = tf.config.list_physical_devices("GPU")
    name = "CPU"
    bandwidth = operations = None
    if devices:
        name = tf.config.experimental.get_device_details(devices[0]).get("device_name", "GPU")
        for model, (bandwidth_of, half, single) in PEAKS.items():
            if model in name:
                bandwidth, operations = bandwidth_of, 1e12 * (half if "16" in dtype else single)
                break
    bandwidth = terabytes * 1e12 if terabytes else bandwidth
    return bandwidth, teraflops * 1e12 if teraflops else operations, name


def measure(model, batch, repeats, samplings, peaks):
    """Every part alone, then all together, for a batch of equal length.

    Args:
        model: an AudioToVideo, which draws as its preset recommends.
        batch: streams at once.
        repeats: chunks that are timed, after one that compiles.
        samplings: names, see parallel.sampler_of; of the others than 'sequential' only the prior
            alone is measured, and how many codes of the first chunk are others (none in float32).
        peaks: (bytes a second, operations a second), None where not known.

    Returns:
        {part: figures}: frames_per_second of all streams, p50_ms and p95_ms of a chunk, and percent
        of the bounds where they are known.
    """
    prior, listening, chunk = model.prior, model.listening, model.chunk_frames
    seconds = (listening.samples_before(3 * chunk)) / SAMPLE_RATE + 0.1
    waveform = np.float32(synthesize_voice(seconds, seed=0).waveform)
    sound = tf.constant(np.repeat(waveform[None], batch, axis=0))
    style = tf.constant(np.repeat(model.default_style[None], batch, axis=0))
    episode = tf.constant(np.repeat(model.episode_vector(prior, "none"), batch, axis=0))
    state = listening.start(style, episode, row_seeds([0, 0], batch), model.draws.guided)
    zero = tf.zeros((), tf.int64)
    received = tf.constant(len(waveform), tf.int64)
    total = listening.frames_of(received)

    def condition():
        return listening._condition(sound, zero, tf.constant(chunk, tf.int64), received, total)

    figures = {"sound_to_conditioning": _timed(condition, repeats, batch * chunk)}
    conditioning = Conditioning(condition(), state.style, state.episode)
    for sampling in samplings:
        name = "prior" if sampling == "sequential" else f"prior_{sampling}"
        figures[name] = _timed_prior(
            sampler_of(prior, sampling), conditioning, repeats, model.draws
        )
        if sampling == "sequential":
            passes = chunk * prior.steps_per_frame
            rows = 2 if model.draws.guided else 1
            operations = rows * passes * _draw_flops(prior, conditioning)
            _add_bounds(figures[name], operations, passes * _decoder_bytes(prior), peaks)
    vectors = tf.constant(np.repeat(model.episode_vector(model.dvae, "none"), batch, axis=0))
    window = chunk + 2 * model.dvae.context
    codes = tf.zeros((batch, window, *model.dvae.grid, model.dvae.num_heads), tf.int32)
    inputs = (codes, tf.ones(window), vectors)
    figures["decoder"] = _timed(lambda: model.rendering._render(*inputs), repeats, batch * chunk)
    operations = matrix_flops(model.dvae.decode_window, *inputs)
    _add_bounds(figures["decoder"], operations, _bytes(model.dvae.decoder), peaks)
    return figures | _timed_whole(model, batch, repeats)


def _timed_prior(sampler, conditioning, repeats, draws):
    """The loop over a chunk, from state to state."""
    batch, chunk = conditioning.audio.shape[:2]
    state = sampler.start(row_seeds([0, 0], batch), draws.guided)

    def draw():
        nonlocal state
        codes, state = sampler.chunk(conditioning, state, tf.constant(chunk), draws)
        return codes

    figures = _timed(draw, repeats, batch * chunk)
    drawn = int(state.frame) * sampler.prior.steps_per_frame
    figures["elements_per_pass"] = drawn / int(state.passes)
    if type(sampler) is not Sampler:
        fresh = sampler.start(row_seeds([0, 0], batch), draws.guided)
        start = (fresh, tf.constant(chunk), draws)
        plain = Sampler(sampler.prior).chunk(conditioning, *start)[0]
        other = plain != sampler.chunk(conditioning, *start)[0]
        figures["percent_of_other_codes"] = 100 * float(tf.reduce_mean(tf.cast(other, tf.float32)))
    return figures


def _draw_flops(prior, conditioning):
    """Operations of one draw of all clips, without guidance."""
    batch = conditioning.audio.shape[0]
    shares = prior.at(prior.project(conditioning), 0)
    element = tf.zeros((batch, *prior.element_shape), tf.int32)
    memory = prior.init_state(batch)
    return matrix_flops(lambda: prior.draw(element, memory, shares, _likeliest)[0])


def _timed_whole(model, batch, repeats):
    """Sound to pixels to mp4, chunk after chunk, from state to state as a stream goes: figures of
    sound_to_pixels, mp4 and whole. Random weights draw noise, the worst that a coder can meet."""
    step = model.chunk_frames / model.fps
    first = model.listening.samples_before(model.chunk_frames)
    seconds = first / SAMPLE_RATE + (repeats + 3 + model.dvae.context) * step
    waveform = np.float32(synthesize_voice(seconds, seed=1).waveform)
    style = tf.constant(np.repeat(model.default_style[None], batch, axis=0))
    vectors = [
        tf.constant(np.repeat(model.episode_vector(part, "none"), batch, axis=0))
        for part in (model.prior, model.dvae)
    ]
    for _ in range(2):  # the first round compiles
        heard = model.listening.start(
            style, vectors[0], row_seeds([0, 0], batch), model.draws.guided
        )
        shown = model.rendering.start(vectors[1])
        position, drawn, written, first_frame = 0, [], [], {}
        while len(drawn) <= repeats:
            end = model.listening.samples_before(int(heard.sampler.frame) + model.chunk_frames)
            piece = np.repeat(waveform[None, position:end], batch, axis=0)
            position = end
            start = time.monotonic()
            codes, heard = model.listening.step(
                heard, tf.constant(piece), tf.constant(False), model.draws
            )
            pixels, shown = model.rendering.step(shown, codes, tf.constant(False))
            pixels = pixels.numpy()
            if not pixels.shape[1]:  # Chunks shorter than what the decoder looks ahead.
                continue
            if not first_frame:
                first_frame["first_frame_ms"] = 1e3 * (time.monotonic() - start)
                first_frame["first_frame_sound_seconds"] = end / SAMPLE_RATE
            drawn.append(time.monotonic() - start)
            for video in pixels:
                _write_video(video, model.fps)
            written.append(time.monotonic() - start - drawn[-1])
    times = {
        "sound_to_pixels": drawn,
        "mp4": written,
        "whole": [sum(both) for both in zip(drawn, written, strict=True)],
    }
    figures = {name: _summary(each[1:], batch * model.chunk_frames) for name, each in times.items()}
    figures["whole"] |= first_frame
    return figures


def _write_video(frames, fps):
    with tempfile.TemporaryDirectory() as folder:
        write_mp4(os.path.join(folder, "chunk.mp4"), frames, fps)


def _timed(work, repeats, frames):
    """Figures of a function that makes `frames` a call; its tensors are waited for."""
    _wait(work())
    times = []
    for _ in range(repeats):
        start = time.monotonic()
        _wait(work())
        times.append(time.monotonic() - start)
    return _summary(times, frames)


def _wait(result):
    for each in tf.nest.flatten(result):
        if tf.is_tensor(each):
            tf.reduce_sum(tf.cast(each, tf.float32)).numpy()


def _summary(times, frames):
    return {
        "frames_per_second": frames / float(np.median(times)),
        "p50_ms": 1e3 * float(np.median(times)),
        "p95_ms": 1e3 * float(np.percentile(times, 95)),
    }


def _add_bounds(figures, operations, weight_bytes, peaks):
    bandwidth, peak = peaks
    seconds = figures["p50_ms"] / 1e3
    figures["gflop"] = operations / 1e9
    figures["weight_megabytes"] = weight_bytes / 1e6
    if bandwidth:
        figures["percent_of_bandwidth"] = 100 * weight_bytes / bandwidth / seconds
    if peak:
        figures["percent_of_arithmetic"] = 100 * operations / peak / seconds


def _bytes(layer):
    weights = (variable.value for variable in layer.weights)
    return sum(weight.dtype.size * int(np.prod(weight.shape)) for weight in weights)


def _decoder_bytes(prior):
    """Weights that each pass of a prior's loop reads: all but those of the encoders."""
    encoders = (prior.audio_encoder, prior.style_encoder, prior.style_grid, prior.episode_embedding)
    return _bytes(prior) - sum(map(_bytes, encoders))


def _likeliest(logits):
    return tf.argmax(logits, axis=-1, output_type=tf.int32)
