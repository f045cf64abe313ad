"""Picture size and frame rate (Appendix D, step 7)."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

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


# Filters that show a picture upright, by its display matrix' degrees counterclockwise.
_UPRIGHT = {
    0: (),
    90: (("transpose", "cclock"),),
    180: (("hflip", ""), ("vflip", "")),
    270: (("transpose", "clock"),),
}


def turns(rotation: int) -> int:
    """A display matrix' rotation, degrees counterclockwise, to the nearest of 0, 90, 180, 270."""
    return round(rotation / 90) % 4 * 90


class Planes(NamedTuple):
    """A picture as JPEG holds it: uint8 [height, width] each, BT.601, full range."""

    y: np.ndarray
    cb: np.ndarray
    cr: np.ndarray


_FLAGS = "flags=area+accurate_rnd+full_chroma_int+full_chroma_inp"
# swscale makes the same values of these planes as of rgb24, but with vector instructions.
_RGB = ("format", "gbrp")
_YUV = ("format", "yuv444p")
_AS_JPEG = ":out_color_matrix=bt601:out_range=full"
_BT601 = (2, 5, 6)  # of AVColorSpace; swscale takes 2, unspecified, for it


class PictureScaler:
    """Turns upright, crops, masks overlays and resizes decoded frames by area averaging.

    Call: av.VideoFrame of any size and pixel format -> uint8 [height, width, 3], RGB; with
    `planes`, -> Planes, which cost half the time and are what a JPEG of the picture needs.

    Args:
        height, width: Of the results.
        crop: (top, bottom, left, right) of the upright picture; see crop_box.
        mask: Paints the cropped picture, uint8 RGB, before it is resized; None for nothing.
        planes: Whether to give Planes.
    """

    def __init__(
        self,
        height: int,
        width: int,
        crop: Sequence[int] = (0, 0, 0, 0),
        mask: Callable[[np.ndarray], np.ndarray] | None = None,
        planes: bool = False,
    ):
        self.height, self.width, self.crop = height, width, tuple(crop)
        self.mask, self.planes = mask, planes
        self._kind = None
        self._graphs = ()

    def __call__(self, frame) -> np.ndarray | Planes:
        kind = (
            *(frame.width, frame.height, frame.format.name, frame.rotation),
            *(frame.colorspace, frame.color_range),
        )
        if kind != self._kind:
            self._graphs, self._kind = self._build(frame), kind
        first, *second = self._graphs
        scaled = _through(first, frame)
        if second:
            masked = type(frame).from_ndarray(self.mask(scaled.to_ndarray()), format="rgb24")
            scaled = _through(second[0], masked)
        return _planes(scaled) if self.planes else scaled.to_ndarray()

    def _build(self, frame) -> tuple:
        """One graph for all, or one before and one after the mask."""
        rotation = turns(frame.rotation)
        height, width = frame.height, frame.width
        if rotation in (90, 270):
            height, width = width, height
        top, bottom, left, right = crop_box(self.crop, height, width)
        filters = [*_UPRIGHT[rotation]]
        chroma = frame.format.chroma_width(16), frame.format.chroma_height(16)
        if frame.format.is_rgb or min(chroma) == 16:
            position = ""
        elif min(chroma) == 8:
            # A chroma sample spans two rows and columns; where the crop begins in the middle of
            # one, the first lies half a pixel before the picture instead of half a pixel in it.
            position = ":in_h_chr_pos=-128" * (left % 2) + ":in_v_chr_pos=-128" * (top % 2)
        else:
            position = ""
            filters.append(("format", "yuv444p|yuv444p10le|gbrp"))
        filters.append(("crop", f"{right - left}:{bottom - top}:{left}:{top}:exact=1"))
        size = f"{self.width}:{self.height}:{_FLAGS}"
        if self.mask is None:
            # From one matrix to another, swscale takes longer than to RGB and on.
            direct = frame.format.is_rgb or frame.colorspace in _BT601
            last = self._last(size + position, self.planes and direct)
            return (_graph(frame, [*filters, *last]),)
        whole = f"{right - left}:{bottom - top}:{_FLAGS.replace('area+', '')}{position}"
        rgb = type(frame)(right - left, bottom - top, "rgb24")
        before = _graph(frame, [*filters, ("scale", whole), _RGB])
        return before, _graph(rgb, self._last(size, self.planes))

    @staticmethod
    def _last(scale: str, planes: bool) -> list[tuple[str, str]]:
        return [("scale", scale + _AS_JPEG), _YUV] if planes else [("scale", scale), _RGB]


def _through(graph, frame):
    graph.push(frame)
    return graph.pull()


def _planes(frame) -> Planes:
    if frame.format.is_rgb:
        import cv2

        y, cr, cb = cv2.split(cv2.cvtColor(frame.to_ndarray(), cv2.COLOR_RGB2YCrCb))
        return Planes(y, cb, cr)
    shape = frame.height, frame.width
    return Planes(
        *(np.ndarray(shape, np.uint8, plane, 0, (plane.line_size, 1)) for plane in frame.planes)
    )


def _graph(frame, filters: Sequence[tuple[str, str]]):
    import av

    graph = av.filter.Graph()
    graph.threads = 1  # the cores have other clips to do
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format.name,
        time_base=frame.time_base or Fraction(1, 90000),  # no filter here reads it
    )
    nodes = [graph.add(*arguments) for arguments in filters]
    graph.link_nodes(source, *nodes, graph.add("buffersink")).configure()
    return graph
