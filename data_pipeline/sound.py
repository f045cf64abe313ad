"""Decoded sound frames to one mono waveform, placed by their timestamps."""

from collections.abc import Iterable

import numpy as np

# A frame whose timestamp is further than this from where the samples so far put it starts a new run
# at its own timestamp: rounding of timestamps (1 ms in Matroska) stays below it, and gaps or a
# drifting clock never add up to a noticeable part of a video frame.
_RESYNC_SECONDS = 0.01


class _Run:
    """Gapless stretch of sound, resampled to mono as it is decoded."""

    def __init__(self, frame, start: float, sample_rate: int):
        import av

        self.start = start
        self.received = 0
        self.kind = _kind(frame)
        self.chunks: list[np.ndarray] = []
        self.graph = av.filter.Graph()
        source = self.graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format.name,
            layout=frame.layout.name,
            time_base=frame.time_base,
        )
        # rematrix_maxval keeps a downmix within [-1, 1]; swresample's float default does not.
        resample = self.graph.add("aresample", f"{sample_rate}:rematrix_maxval=1.0")
        mono = self.graph.add("aformat", "sample_fmts=flt:channel_layouts=mono")
        self.graph.link_nodes(source, resample, mono, self.graph.add("abuffersink")).configure()

    def continues_with(self, frame, start: float) -> bool:
        expected = self.start + self.received / frame.sample_rate
        return _kind(frame) == self.kind and abs(start - expected) <= _RESYNC_SECONDS

    def push(self, frame) -> None:
        """Takes a decoded frame; None ends the run."""
        import av

        self.graph.push(frame)
        self.received += frame.samples if frame else 0
        while True:
            try:
                self.chunks.append(self.graph.pull().to_ndarray().reshape(-1))
            except (av.error.BlockingIOError, av.error.EOFError):
                return


def _kind(frame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.layout.name, frame.format.name


def to_waveform(frames: Iterable[tuple[float, object]], sample_rate: int) -> np.ndarray:
    """Places (time in seconds, av.AudioFrame) pairs on one line: float32 [samples], mono.

    Silence fills what no frame covers, sound before time 0 is cut.
    """
    runs: list[_Run] = []
    for start, frame in frames:
        if not runs or not runs[-1].continues_with(frame, start):
            if runs:
                runs[-1].push(None)
            runs.append(_Run(frame, start, sample_rate))
        runs[-1].push(frame)
    if runs:
        runs[-1].push(None)
    pieces = []  # (first sample, samples)
    for run in runs:
        first = round(run.start * sample_rate)
        for chunk in run.chunks:
            pieces.append((first, chunk))
            first += len(chunk)
    waveform = np.zeros(max((first + len(c) for first, c in pieces), default=0), np.float32)
    for first, chunk in pieces:
        chunk = chunk[max(0, -first) :]
        waveform[max(0, first) : max(0, first) + len(chunk)] = chunk
    return waveform
