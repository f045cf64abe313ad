"""How clips are cut out of footage (Appendix D), checked."""

import dataclasses
import functools
import math
import os
from collections.abc import Mapping, Sequence

from data_pipeline.crop import crop_box
from data_pipeline.media import MediaInfo
from data_pipeline.overlays import mask_overlays
from data_pipeline.resample import PictureScaler
from data_pipeline.schema import ENCODINGS
from data_pipeline.trim import trim

_MAX_SIDE = 8192  # pixels
_MAX_FPS = 1000.0  # above, a clip of seconds does not fit in a worker's memory


@dataclasses.dataclass(frozen=True)
class ClipSettings:
    """How clips are cut out of footage; configs/footage.py explains the fields."""

    height: int
    width: int
    fps: float
    crop: Sequence[int]
    segment_seconds: float
    trim_seconds: float
    trim_longer_than: float
    min_seconds: float
    frame_encoding: str
    jpeg_quality: int
    max_seconds: float = 30.0
    mask_overlays: bool = False
    overlays: Mapping[str, int] = dataclasses.field(default_factory=dict)  # see mask_overlays
    suggestions: bool = False

    def __post_init__(self):
        for name, most in (("height", _MAX_SIDE), ("width", _MAX_SIDE), ("fps", _MAX_FPS)):
            if not 0 < getattr(self, name) <= most:
                raise ValueError(
                    f"{name} must be positive and at most {most}. Received: {getattr(self, name)}"
                )
        for name in ("segment_seconds", "max_seconds"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} must be positive and finite. Received: {getattr(self, name)}"
                )
        if not 0 <= self.min_seconds < math.inf:
            raise ValueError(
                f"min_seconds must be at least 0 and finite. Received: {self.min_seconds}"
            )
        shortest = max(self.min_seconds, 1 / self.fps)
        if self.max_seconds < shortest:
            raise ValueError(
                f"max_seconds must be at least {shortest:g}: min_seconds, and a frame. "
                f"Received: {self.max_seconds}"
            )
        if self.frame_encoding not in ENCODINGS:
            raise ValueError(
                f"frame_encoding must be jpeg, png or raw. Received: {self.frame_encoding}"
            )
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality must be 1 to 100. Received: {self.jpeg_quality}")
        whole = [pixels for pixels in self.crop if isinstance(pixels, int) and pixels >= 0]
        if len(self.crop) != 4 or len(whole) != 4:
            raise ValueError(
                "crop must be (top, bottom, left, right), whole numbers of pixels from 0 on. "
                f"Received: {tuple(self.crop)}"
            )
        trim(0.0, 0.0, self.trim_seconds, self.trim_longer_than)

    @classmethod
    def of_footage(cls, footage: Mapping) -> "ClipSettings":
        """The settings that a manifest or a preset states among others.

        Raises:
            ValueError: one is missing.
        """
        fields = dataclasses.fields(cls)
        stated = {field.name: footage[field.name] for field in fields if field.name in footage}
        needed = (f.name for f in fields if f.default is f.default_factory is dataclasses.MISSING)
        missing = [name for name in needed if name not in stated]
        if missing:
            raise ValueError(f"the footage settings lack {', '.join(missing)}")
        return cls(**stated)

    def fitting(self, info: MediaInfo, path: str | os.PathLike) -> "ClipSettings":
        """The settings for one video: of the frames' very size, such as one that was generated, it
        is not cropped again.

        Raises:
            ValueError: The video is too small for its crop.
        """
        if (info.height, info.width) == (self.height, self.width):
            return dataclasses.replace(self, crop=(0, 0, 0, 0), mask_overlays=False)
        try:
            crop_box(self.crop, info.height, info.width)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        return self

    def scaler(self, planes: bool = False) -> PictureScaler:
        """From decoded frames to the pictures of a clip, RGB or planes."""
        mask = functools.partial(mask_overlays, **self.overlays) if self.mask_overlays else None
        return PictureScaler(self.height, self.width, self.crop, mask, planes)
