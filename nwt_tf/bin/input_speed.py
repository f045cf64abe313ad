"""How fast batches of frames come out of shards, for `nwt benchmark --what=input`."""

import concurrent.futures
import functools
import itertools
import os
import time

import numpy as np

from data_pipeline.dataset import usable_clips, video_dataset

WARMUP = 2  # batches before: the pipeline starts and fills its buffers


def measure(data_dir, batch_size, clip_frames, batches=50, rounds=3):
    """Training batches beside the least that can be done: their JPEG frames decoded in a bare loop.

    The loop has as many threads as there are processors, and the coded frames in memory: of the
    same clips as many frames. Both take turns, so that other work on the machine meets both.

    Args:
        data_dir: shards of frames.
        batch_size, clip_frames: of the training.
        batches: a round.
        rounds: the best counts.

    Returns:
        {"frames_per_second", "loop_frames_per_second", "ratio": of the two, "processor_ratio": of
        the processor seconds a frame, which other work on the machine does not change, "batches",
        "batch_size", "clip_frames"}.

    Raises:
        FileNotFoundError, ValueError: see video_dataset.
    """
    clips = list(_coded_clips(data_dir, clip_frames))
    count = batches * batch_size * clip_frames
    frames = list(itertools.islice(itertools.cycle(itertools.chain(*clips)), count))
    batched = functools.partial(video_dataset, data_dir, "train", batch_size, clip_frames)
    pairs = [(_timed_batches(batched, batches), _timed_loop(frames)) for _ in range(rounds)]
    (seconds, processor), (loop_seconds, loop_processor) = np.min(pairs, axis=0).tolist()
    return {
        "frames_per_second": count / seconds,
        "loop_frames_per_second": count / loop_seconds,
        "ratio": loop_seconds / seconds,
        "processor_ratio": loop_processor / processor,
        "batches": batches,
        "batch_size": batch_size,
        "clip_frames": clip_frames,
    }


def _coded_clips(data_dir, clip_frames):
    """The first coded frames of every clip that the training uses."""
    import tensorflow as tf

    from data_pipeline.dataset import _shard_paths
    from data_pipeline.schema import deserialize
    from data_pipeline.shards import Manifest

    usable = usable_clips(data_dir, "train", clip_frames)
    paths = _shard_paths(data_dir, Manifest.load(data_dir), "train")
    for serialized in tf.data.TFRecordDataset(paths).as_numpy_iterator():
        record = deserialize(serialized)
        if record.clip_id in usable:
            yield record.frames[:clip_frames]


def _timed_batches(batched, count):
    """(seconds, processor seconds) of `count` batches."""
    iterator = iter(batched())  # Prefetches as soon as it is there: it must not live any longer.
    for _ in range(WARMUP):
        next(iterator)
    clock = _Clock()
    for _ in range(count):
        next(iterator)
    return clock.read()


def _timed_loop(frames):
    """(seconds, processor seconds) of decoding all frames, by OpenCV: no operation of TensorFlow is
    started a frame."""
    import cv2

    def decode(part):
        for frame in part:
            cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_COLOR_RGB)

    threads = len(os.sched_getaffinity(0))
    parts = [frames[first::threads] for first in range(threads)]
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        clock = _Clock()
        list(pool.map(decode, parts))
        return clock.read()


class _Clock:
    """Of this process, all its threads."""

    def __init__(self):
        self.started, self.used = time.monotonic(), time.process_time()

    def read(self):
        """(seconds, processor seconds) since it was made."""
        return time.monotonic() - self.started, time.process_time() - self.used
