"""How fast batches of frames come out of shards, for `nwt benchmark --what=input`."""

import concurrent.futures
import functools
import itertools
import os
import time

import numpy as np

from data_pipeline.dataset import read_coded_frames, video_dataset
from data_pipeline.schema import decode_frame

WARMUP = 2  # batches before: the pipeline starts and fills its buffers


def measure(data_dir, batch_size, clip_frames, batches=50, rounds=3):
    """Training batches beside the least that can be done: their frames decoded in a bare loop.

    The loop has as many threads as there are processors, and the coded frames in memory: of the
    same clips as many frames. It runs once with the pipeline's decoder, an operation of TensorFlow,
    and once with OpenCV's, which a graph cannot have. All take turns, so that other work on the
    machine meets all of them.

    Args:
        data_dir: shards of frames.
        batch_size, clip_frames: of the training.
        batches: a round.
        rounds: the best counts.

    Returns:
        {"frames_per_second", "loop_frames_per_second", "ratio": of the two, "processor_ratio": the
        loop's processor seconds a frame to the pipeline's, which other work on the machine hardly
        changes, "opencv_frames_per_second", "opencv_ratio", "opencv_processor_ratio", "batches",
        "batch_size", "clip_frames"}.

    Raises:
        FileNotFoundError, ValueError: see video_dataset.
    """
    clips = read_coded_frames(data_dir, "train", clip_frames)
    count = batches * batch_size * clip_frames
    frames = list(itertools.islice(itertools.cycle(itertools.chain(*clips)), count))
    batched = functools.partial(video_dataset, data_dir, "train", batch_size, clip_frames)
    turns = [
        (
            _timed_batches(batched, batches),
            _timed_loop(frames, _decode),
            _timed_loop(frames, _decode_by_opencv),
        )
        for _ in range(rounds)
    ]
    pipeline, loop, opencv = np.min(turns, axis=0).tolist()  # each (seconds, processor seconds)
    return {
        "frames_per_second": count / pipeline[0],
        "loop_frames_per_second": count / loop[0],
        "ratio": loop[0] / pipeline[0],
        "processor_ratio": loop[1] / pipeline[1],
        "opencv_frames_per_second": count / opencv[0],
        "opencv_ratio": opencv[0] / pipeline[0],
        "opencv_processor_ratio": opencv[1] / pipeline[1],
        "batches": batches,
        "batch_size": batch_size,
        "clip_frames": clip_frames,
    }


def _timed_batches(batched, count):
    """(seconds, processor seconds) of `count` batches."""
    iterator = iter(batched())  # Prefetches as soon as it is there: it must not live any longer.
    for _ in range(WARMUP):
        next(iterator)
    clock = _Clock()
    for _ in range(count):
        next(iterator)
    return clock.read()


def _decode(frames):
    for frame in frames:
        decode_frame(frame)


def _decode_by_opencv(frames):
    import cv2

    for frame in frames:
        cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_COLOR_RGB)


def _timed_loop(frames, decode):
    """(seconds, processor seconds) of decoding all frames."""
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
