"""How fast a config trains on this machine, for `nwt benchmark --what=train`."""

import contextlib
import dataclasses
import functools
import gc
import time

import numpy as np
import tensorflow as tf

from data_pipeline.dataset import sequence_dataset, video_dataset
from data_pipeline.shards import Manifest
from nwt_tf.bin.benchmarks.profiling import slowest
from nwt_tf.bin.training import assembly
from nwt_tf.evaluation.sizes import matrix_flops
from nwt_tf.layers.mel import MELS_PER_FRAME, NUM_MELS
from nwt_tf.training.distribution import batches_of, has_gpu, peak_device_bytes

EPISODES = 214  # the paper's, of synthetic data
HEADS = CODES = 8  # likewise


@dataclasses.dataclass
class Data:
    """What a training is measured on.

    Attributes:
        data_dir: shards; or None for one random batch in memory, given again and again, of
        height, width: of the frames, in pixels, and
        grid: (h, w) of the Memcodes.
    """

    data_dir: str | None = None
    height: int = 256
    width: int = 224
    grid: tuple = (16, 14)


def measure(config, data, steps=20, warmup=3, num_gpus=None, profile=None):
    """Trains a while and throws the model away.

    Args:
        config: DVAEConfig or PriorConfig.
        data: Data.
        steps: that are timed.
        warmup: calls before; the first one compiles.
        num_gpus: None for all.
        profile: a folder for what the devices did in the timed steps, see profiling; None for none.

    Returns:
        {"steps_per_second", "frames_per_second", "input_wait" (share of the time that steps waited
        for batches), "warmup_seconds", "model_tflops" (of a step: matrix products and convolutions
        that the mathematics asks for, without what rematerialisation or another form of a
        convolution adds), "model_tflops_per_second", "matrix_tflops_per_second" (measured, of one
        device), "matrix_share" (of all devices), "device_gigabytes" (the peak, on GPUs), "devices",
        "batch_size", "clip_frames", "losses": {name: [after the first call, after the last]}, and
        with a profile "slowest", see there}.

    Raises:
        ValueError: where a loss or gradient was not finite; see distribution.
    """
    stage = _dvae if hasattr(config, "critics") else _prior
    settings = config.train
    with assembly.devices(settings, num_gpus):
        make_trainer, make_batches, count = stage(config, data)
        trainer = make_trainer(config)
        devices = trainer.distribute_strategy.num_replicas_in_sync
        batches = iter(batches_of(make_batches, settings.batch_size))
    trainer.make_train_function()
    began = time.monotonic()
    first_logs = trainer.train_function(batches)
    print(f"the first call, which compiles, took {time.monotonic() - began:.0f} s", flush=True)
    for _ in range(warmup - 1):
        trainer.train_function(batches)
    started, first, waited = time.monotonic(), trainer.steps_done, trainer.seconds_waiting
    with tf.profiler.experimental.Profile(profile) if profile else contextlib.nullcontext():
        while trainer.steps_done - first < steps:
            last_logs = trainer.train_function(batches)
    seconds = time.monotonic() - started
    done, peak = trainer.steps_done - first, peak_device_bytes()
    trainer.check_finite("none: this is a benchmark")
    waited = trainer.seconds_waiting - waited
    losses = {name: [float(first_logs[name]), float(last_logs[name])] for name in trainer.LOGS}
    del trainer, batches
    gc.collect()
    flops = count(make_trainer)
    rate = matrix_rate("bfloat16" if settings.mixed_precision and has_gpu() else "float32")
    figures = {
        "steps_per_second": done / seconds,
        "frames_per_second": done / seconds * settings.batch_size * settings.clip_frames,
        "input_wait": waited / seconds,
        "warmup_seconds": started - began,
        "model_tflops": flops / 1e12,
        "model_tflops_per_second": flops / 1e12 * done / seconds,
        "matrix_tflops_per_second": rate / 1e12,
        "matrix_share": flops * done / seconds / rate / devices,
        "devices": devices,
        "batch_size": settings.batch_size,
        "clip_frames": settings.clip_frames,
        "losses": losses,
    }
    if profile:
        figures["slowest"] = slowest(profile, done)
    return figures | ({"device_gigabytes": peak / 1e9} if peak else {})


def matrix_rate(dtype):
    """Floating-point operations a second of square matrix products of this dtype on one device,
    large enough that it is busy: the best of three."""
    size, products = (8192, 30) if has_gpu() else (1024, 4)
    left = tf.cast(tf.random.normal((size, size)), dtype)
    right = left / tf.cast(size**0.5, dtype)  # products keep their size

    @tf.function
    def multiply(product):
        for _ in range(products):
            product = tf.matmul(product, right)
        return product[0, 0]

    multiply(left).numpy()
    times = []
    for _ in range(3):
        started = time.monotonic()
        multiply(left).numpy()
        times.append(time.monotonic() - started)
    return 2 * size**3 * products / min(times)


def _plain(config):
    """The config that computes no more than the mathematics asks for."""
    off = {
        "num_accumulated": 1,
        "rematerialise": False,
        "rematerialise_generator": False,
        "rematerialise_critics": False,
        "grouped_convolutions": "grouped",
        "mixed_precision": False,
    }
    changed = {name: value for name, value in off.items() if hasattr(config.train, name)}
    return dataclasses.replace(config, train=dataclasses.replace(config.train, **changed))


def _flops(config, make_trainer, arguments):
    """Of losses_and_gradients on a batch, read off the graph of a trainer on the CPU."""
    with tf.device("/CPU:0"):
        trainer = make_trainer(_plain(config))
        seed = tf.TensorSpec((2,), tf.int32)
        scalars = (tf.TensorSpec(()), tf.TensorSpec(()))  # the weights that steps anneal
        return matrix_flops(trainer.losses_and_gradients, *arguments, seed, *scalars)


def _dvae(config, data):
    settings = config.train
    height, width, episodes = data.height, data.width, EPISODES
    if data.data_dir:
        manifest = Manifest.load(data.data_dir)
        height, width = manifest.config["height"], manifest.config["width"]
        episodes = len(manifest.episodes)
        make = functools.partial(
            video_dataset, data.data_dir, "train", settings.batch_size, settings.clip_frames
        )
    else:
        make = functools.partial(
            _repeated,
            video=lambda clips, rng: rng.integers(
                0, 256, (clips, settings.clip_frames, height, width, 3), np.uint8
            ),
            batch_size=settings.batch_size,
        )
    shape = (settings.batch_size, settings.clip_frames, height, width, 3)
    batch = tf.TensorSpec(shape, tf.float32), tf.TensorSpec(shape[:1], tf.int32)

    def make_trainer(config):
        return assembly.dvae_trainer(config, height, width, episodes)

    return make_trainer, make, lambda make_trainer: _flops(config, make_trainer, batch)


def _prior(config, data):
    settings = config.train
    grid, heads, codes, episodes = tuple(data.grid), HEADS, CODES, EPISODES
    if data.data_dir:
        manifest = Manifest.load(data.data_dir)
        make = functools.partial(
            sequence_dataset, data.data_dir, "train", settings.batch_size, settings.clip_frames
        )
        make()  # Says it where these shards hold no codes.
        *grid, heads = manifest.codes["shape"]
        codes, episodes = manifest.codes["num_codes"], len(manifest.episodes)
    mels = settings.clip_frames * MELS_PER_FRAME
    shape = (settings.clip_frames, *grid, heads)
    if not data.data_dir:
        make = functools.partial(
            _repeated,
            mel=lambda clips, rng: rng.normal(-6.0, 3.0, (clips, mels, NUM_MELS)).astype("float32"),
            codes=lambda clips, rng: rng.integers(0, codes, (clips, *shape), np.int32),
            batch_size=settings.batch_size,
        )
    batch = (
        tf.TensorSpec((settings.batch_size, mels, NUM_MELS), tf.float32),
        tf.TensorSpec((settings.batch_size, *shape), tf.int32),
        tf.TensorSpec((settings.batch_size,), tf.int32),
    )

    def make_trainer(config):
        return assembly.prior_trainer(config, tuple(grid), heads, codes, episodes)

    return make_trainer, make, lambda make_trainer: _flops(config, make_trainer, batch)


def _repeated(batch_size, host=(0, 1), **draws):
    """One random batch, again and again."""
    clips, rng = batch_size // host[1], np.random.default_rng(host[0])
    batch = {name: draw(clips, rng) for name, draw in draws.items()}
    batch["episode"] = np.zeros((clips,), np.int32)
    return tf.data.Dataset.from_tensors(batch).repeat()
