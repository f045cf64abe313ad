"""Decoded sound frames to one mono waveform, placed by their timestamps, piece by piece."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

# A frame whose timestamp is further than this from where the samples so far put it starts a new run
# at its own timestamp: rounding of timestamps (1 ms in Matroska) stays below it, and gaps or a
# drifting clock never add up to a noticeable part of a video frame.
_RESYNC_SECONDS = 0.01
_BLOCK = 4800  # samples that leave the resampler at a time


class _Run:
    """Gapless stretch of sound, resampled to mono as it is decoded."""

    def __init__(self, frame, start: float, sample_rate: int):
        import av

        self.start = start
        self.first = round(start * sample_rate)  # of the samples that come next
        self.received = 0
        self.rate, self.layout, self.format = frame.sample_rate, frame.layout, frame.format
        self.kind = _kind(frame)
        self._pull_at = self._block = max(1, _BLOCK * frame.sample_rate // sample_rate)
        self._graph = av.filter.Graph()
        self._graph.threads = 1
        source = self._graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format.name,
            layout=frame.layout.name,
            time_base=frame.time_base,
        )
        # rematrix_maxval keeps a downmix within [-1, 1]; swresample's float default does not.
        resample = self._graph.add("aresample", f"{sample_rate}:rematrix_maxval=1.0")
        mono = self._graph.add("aformat", "sample_fmts=flt:channel_layouts=mono")
        blocks = self._graph.add("asetnsamples", f"n={_BLOCK}:p=0")
        sink = self._graph.add("abuffersink")
        self._graph.link_nodes(source, resample, mono, blocks, sink).configure()

    def continues_with(self, frame, start: float) -> bool:
        expected = self.start + self.received / self.rate
        return abs(start - expected) <= _RESYNC_SECONDS and _kind(frame) == self.kind

    def push(self, frame) -> Iterator[tuple[int, np.ndarray]]:
        """Takes a decoded frame, None at the end, and gives what is finished."""
        import av

        self._graph.push(frame)
        self.received += frame.samples if frame else 0
        if frame and self.received < self._pull_at:  # asking in vain is what takes time here
            return
        self._pull_at = self.received + self._block
        while True:
            try:
                chunk = self._graph.pull().to_ndarray().reshape(-1)
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            yield self.first, chunk
            self.first += len(chunk)


def _kind(frame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.layout.name, frame.format.name


def resampled(
    frames: Iterable[tuple[float, object]], sample_rate: int
) -> Iterator[tuple[int, np.ndarray]]:
    """(time in seconds, av.AudioFrame) pairs to (first sample, float32 [samples]) pieces, mono.

    Pieces are placed by the frames' timestamps; samples before time 0 are cut.
    """

    def runs():
        run = None
        for start, frame in frames:
            if run is None or not run.continues_with(frame, start):
                if run:
                    yield from run.push(None)
                run = _Run(frame, start, sample_rate)
            yield from run.push(frame)
        if run:
            yield from run.push(None)

    for first, chunk in runs():
        if first + len(chunk) > 0:
            yield max(0, first), chunk[max(0, -first) :]


@dataclasses.dataclass
class Stretch:
    """Sound of a stretch of time; silence fills what no frame covers."""

    first: int  # sample on the file's timeline
    samples: np.ndarray  # float32 [samples] in [-1, 1]
    covered: list[tuple[int, int]]  # where there is sound: first sample and end

    def cut(self, first: int, length: int) -> tuple[np.ndarray, int]:
        """Samples [first, first + length) of the timeline, and how many of them are covered."""
        begin = max(0, first - self.first)
        samples = self.samples[begin : max(begin, first + length - self.first)]
        before = max(0, self.first - first)
        samples = np.pad(samples, (before, length - before - len(samples)))
        ends = [(max(a, first), min(b, first + length)) for a, b in self.covered]
        return samples, sum(max(0, b - a) for a, b in ends)


def stretches(
    pieces: Iterable[tuple[int, np.ndarray]], spans: Sequence[tuple[int, int]]
) -> Iterator[Stretch]:
    """Collects pieces of sound into a Stretch for each span (first sample, end) of the timeline.

    One pass: no more than one span is in memory.  Spans are in order; they may overlap a little, as
    clips do whose last frames lie across a border.

    Raises:
        ValueError: Samples that are not finite numbers.
    """
    pieces = iter(pieces)
    held: list[tuple[int, np.ndarray]] = []  # read, and reaching behind the spans so far
    for (first, end), following in itertools.zip_longest(spans, spans[1:]):
        kept_from = min(end, following[0]) if following else end
        stretch = Stretch(first, np.zeros(end - first, np.float32), [])
        waiting, held = held, []
        while True:
            piece = waiting.pop(0) if waiting else next(pieces, None)
            if piece is None:
                break
            start, chunk = piece
            _place(stretch, start, chunk)
            if start + len(chunk) > kept_from:
                held.append(piece)
            if start + len(chunk) > end and not waiting:
                break
        if not np.isfinite(stretch.samples).all():
            raise ValueError("its sound has samples that are not finite numbers")
        np.clip(stretch.samples, -1.0, 1.0, out=stretch.samples)
        yield stretch


def _place(stretch: Stretch, start: int, chunk: np.ndarray) -> None:
    begin = max(start, stretch.first)
    end = min(start + len(chunk), stretch.first + len(stretch.samples))
    if begin >= end:
        return
    part = chunk[begin - start : end - start]
    stretch.samples[begin - stretch.first : end - stretch.first] = part
    if stretch.covered and stretch.covered[-1][0] <= begin <= stretch.covered[-1][1]:
        begin, end = stretch.covered[-1][0], max(end, stretch.covered[-1][1])
        stretch.covered.pop()
    stretch.covered.append((begin, end))


def to_waveform(pieces: Iterable[tuple[int, np.ndarray]]) -> np.ndarray:
    """All pieces on one line that begins at time 0: float32 [samples]."""
    pieces = list(pieces)
    waveform = np.zeros(max((first + len(c) for first, c in pieces), default=0), np.float32)
    for first, chunk in pieces:
        waveform[first : first + len(chunk)] = chunk
    return waveform
