"""Picture size and frame rate (Appendix D, step 7)."""

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from data_pipeline.crop import crop_box


def num_output_frames(start: float, end: float, fps: float) -> int:
    """Frames at `fps` that keep the duration of [start, end) seconds, to the nearest frame."""
    return math.floor((end - start) * fps + 0.5)


def at_constant_rate(
    frames: Iterable[tuple[float, object]], start: float, num_frames: int, fps: float
) -> Iterator[object]:
    """Chooses source frames for a constant rate, by their timestamps.

    Output frame k is shown during [start + k / fps, start + (k + 1) / fps) and is the source frame
    that is on the screen in the middle of that time.  So the duration is kept whatever the source's
    rate, constant or not, and picture and sound stay within half a frame.

    Args:
        frames: (time in seconds, frame) in order; the first one also stands for what is before it.
        start: Time of the first output frame, in seconds.
        num_frames: Output frames.
        fps: Output frames a second.

    Yields:
        A source frame for each output frame, the same object where one is repeated.
    """
    shown, k = None, 0
    for time, frame in frames:
        # Strictly before, with a microsecond for rounding: of two frames for one the first stays.
        while shown is not None and k < num_frames and start + (k + 0.5) / fps <= time + 1e-6:
            yield shown
            k += 1
        if k == num_frames:
            return
        shown = frame
    while shown is not None and k < num_frames:
        yield shown
        k += 1


class PictureScaler:
    """Crops and resizes decoded frames by area averaging.

    Call: av.VideoFrame of any size and pixel format -> uint8 [height, width, 3], RGB.
    """

    def __init__(self, height: int, width: int, crop: Sequence[int] = (0, 0, 0, 0)):
        self.height, self.width, self.crop = height, width, tuple(crop)
        self._kind = None
        self._graph = None

    def __call__(self, frame) -> np.ndarray:
        kind = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if kind != self._kind:
            self._graph, self._kind = self._build(frame), kind
        self._graph.push(frame)
        return self._graph.pull().to_ndarray()

    def _build(self, frame):
        import av

        top, bottom, left, right = crop_box(self.crop, frame.height, frame.width)
        crop = ("crop", f"{right - left}:{bottom - top}:{left}:{top}:exact=1")
        scale = ("scale", f"{self.width}:{self.height}:flags=area+accurate_rnd+full_chroma_int")
        rgb = ("format", "rgb24")
        filters = [crop, scale, rgb]
        if top % 2 or left % 2:  # chroma samples span two rows and columns: give each its own first
            filters.insert(0, ("format", "yuv444p|gbrp"))
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format.name,
            time_base=frame.time_base or Fraction(1, 90000),  # no filter here reads it
        )
        nodes = [graph.add(*arguments) for arguments in filters]
        graph.link_nodes(source, *nodes, graph.add("buffersink")).configure()
        return graph
