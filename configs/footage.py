"""How footage becomes a dataset: `nwt build_dataset --config=configs/footage.py:VARIANT`.

default   the sizes of the paper's Appendix D, for any footage
lwt       every number of Appendix D, for the paper's footage: Last Week Tonight, 1280 x 720 pixels
grid_s1   speaker 1 of the GRID corpus, 360 x 288 pixels, sentences of 3 s that start at key frames
demo      the synthetic subject of `nwt demo --train`, clips of 3 s
"""

import dataclasses


@dataclasses.dataclass
class OverlayConfig:
    """What counts as an overlay (Appendix D, step 6), in pixels of the cropped footage."""

    threshold: int = 185  # brighter than this, of 255
    min_area: int = 4000  # of the bounding rectangle
    max_area: int = 100_000
    min_height: int = 80
    left: int = 20  # the rectangle begins within this many pixels of the left edge ...
    top: int = 550  # ... or more than this many pixels from the top


@dataclasses.dataclass
class FootageConfig:
    """Every number of a build (Appendix D; the mel spectrogram's are Table 7's)."""

    height: int = 256  # pixels, of the stored frames
    width: int = 224
    fps: float = 30.0  # frames a second, of the stored frames
    # (top, bottom, left, right) in pixels of the footage; 0 as bottom or right: to the edge.
    crop: tuple[int, ...] = (0, 0, 0, 0)
    segment_seconds: float = 4.0  # cut at the first key frame after n times this
    max_seconds: float = 30.0  # segments without a key frame for longer are divided
    trim_seconds: float = 0.25  # taken off both ends ...
    trim_longer_than: float = 2.0  # ... of segments longer than this many seconds
    min_seconds: float = 1.0  # shorter clips are left out
    mask_overlays: bool = False  # paint bright overlays white
    overlays: OverlayConfig = dataclasses.field(default_factory=OverlayConfig)
    suggestions: bool = False  # look for reasons to drop a clip; --review always does
    undecided_flagged: str = "keep"  # or drop: clips with reasons, but no decision in the review
    frame_encoding: str = "jpeg"  # or png, lossless; or raw, not compressed
    jpeg_quality: int = 95
    validation_fraction: float = 0.05  # of the clips of every episode
    test_fraction: float = 0.05
    validation_episodes: tuple[str, ...] = ()  # held out whole, instead of the fraction
    test_episodes: tuple[str, ...] = ()
    split_seed: int = 0
    shard_megabytes: float = 200.0  # a shard is closed at this size


def get_config(name: str = "default") -> FootageConfig:
    """Returns a variant.

    Raises:
        ValueError: No such variant.
    """
    variants = {
        "default": {},
        # Columns 507 to 1130; rows 0 to 712 from the bottom of 720, so 8 to 720 from the top.
        "lwt": {"crop": (8, 720, 507, 1130), "mask_overlays": True},
        "grid_s1": {
            "crop": (2, 288, 55, 305),
            "height": 128,
            "width": 112,
            "fps": 25.0,
            "segment_seconds": 3.0,
            "trim_seconds": 0.0,
            "validation_episodes": ("s1_19",),
            "test_episodes": ("s1_20", "s1_21"),
        },
        "demo": {
            "height": 64,
            "width": 56,
            "fps": 25.0,
            "segment_seconds": 3.0,
            "trim_seconds": 0.0,
        },
    }
    name = name or "default"
    if name not in variants:
        raise ValueError(
            f"configs/footage.py has no variant {name}; there are: {', '.join(variants)}"
        )
    return FootageConfig(**variants[name])
