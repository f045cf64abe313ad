"""How footage becomes a dataset: `nwt build_dataset --config=configs/footage.py:VARIANT`.

default   the sizes of the paper's Appendix D, for any footage
grid_s1   speaker 1 of the GRID corpus, 360 x 288 pixels, sentences of 3 s that start at key frames
demo      the synthetic subject of `nwt demo`, clips of 3 s
"""

import dataclasses


@dataclasses.dataclass
class FootageConfig:
    """Every number of a build (Appendix D; the mel spectrogram's are Table 7's)."""

    height: int = 256  # pixels, of the stored frames
    width: int = 224
    fps: float = 30.0  # frames a second, of the stored frames
    # (top, bottom, left, right) in pixels of the footage; 0 as bottom or right: to the edge.
    crop: tuple[int, ...] = (0, 0, 0, 0)
    segment_seconds: float = 4.0  # cut at the first key frame after n times this
    trim_seconds: float = 0.25  # taken off both ends ...
    trim_longer_than: float = 2.0  # ... of segments longer than this many seconds
    min_seconds: float = 1.0  # shorter clips are left out
    frame_encoding: str = "jpeg"  # or png, lossless
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
