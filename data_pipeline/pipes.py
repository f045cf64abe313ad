"""Sound as it comes, from files and pipes."""

import contextlib
import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from data_pipeline.containers import open_container, packets_of, required_stream, timed
from data_pipeline.sound import resampled


def audio_pieces(source: str | os.PathLike | BinaryIO, sample_rate: int = 24000) -> Iterator:
    """As read_audio, but piece by piece while it is decoded, in bounded memory.

    Args:
        source: Video or audio file, or a binary file object that is open for reading: a pipe, say.
        sample_rate: Samples a second.

    Yields:
        float32 [samples], mono, in [-1, 1]; pieces follow each other without a gap.

    Raises:
        FileNotFoundError, IsADirectoryError, ValueError: As read_audio, while reading.
    """
    name = getattr(source, "name", None) if hasattr(source, "read") else source
    with _open_pipe(source) if hasattr(source, "read") else open_container(source) as container:
        stream = required_stream(container, "audio", name)
        frames = timed(container, packets_of(container, stream))
        end = 0
        for first, chunk in resampled(frames, sample_rate):
            if not np.isfinite(chunk).all():
                raise ValueError(f"{name}: its sound has samples that are not finite numbers")
            if first > end:
                yield np.zeros(first - end, np.float32)
            fresh = np.clip(chunk[max(0, end - first) :], -1.0, 1.0)
            end = max(end, first + len(chunk))
            if len(fresh):
                yield fresh
    if not end:
        raise ValueError(f"{name}: has an audio stream without any samples")


@contextlib.contextmanager
def _open_pipe(file: BinaryIO):
    import av

    try:
        # A small buffer: of live sound, a second's wait would be a second's delay.
        container = av.open(file, metadata_errors="replace", buffer_size=4096)
    except (av.error.FFmpegError, ValueError) as error:
        raise ValueError(
            f"{getattr(file, 'name', 'the pipe')}: holds no sound that can be read from a pipe "
            "(wav, flac, mp3 and ogg can)"
        ) from error
    try:
        yield container
    finally:
        container.close()
