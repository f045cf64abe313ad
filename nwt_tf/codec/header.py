"""What the header of a `.nwt` file says (docs/codec.md, section 2)."""

import dataclasses
import struct

from nwt_tf.codec.checksum import crc32c

MAGIC = b"\x89NWT\r\n\x1a\n"
VERSION = 1
CODERS = ("raw", "rle", "context", "prior")
SOUND_CODECS = ("none", "aac", "opus")
UNFINISHED = 0xFFFFFFFF  # the number of frames while a file is being written
FINGERPRINT_BYTES = 8
MAX_CHUNK_CODES = 1 << 22  # a chunk of a second of Mem16 at 30 frames a second has 53,760
_FIXED = struct.Struct("<BHHBHIIHHHIf8s8s")
_SOUND = struct.Struct("<BIBII")
_MAX_FIELDS = 4096
_MOST = (1 << 31) - 1  # of rates: what FFmpeg's rational numbers hold


class DamagedError(ValueError):
    """Bytes of a `.nwt` file that are not what was written."""


@dataclasses.dataclass(frozen=True)
class Sound:
    """The sound stream, copied as it is.

    codec: 'aac' or 'opus'; sample_rate: Hz; channels; time_base: (numerator, denominator) of the
    packets' times in seconds, 0 being the first frame's; extradata: the decoder's configuration
    (AudioSpecificConfig, OpusHead).
    """

    codec: str
    sample_rate: int
    channels: int
    time_base: tuple[int, int]
    extradata: bytes = b""


@dataclasses.dataclass(frozen=True)
class Header:
    """What holds for a whole file.

    coder: of the chunks, one of CODERS.
    shape: (h, w, heads) of a frame's codes; num_codes: codes a head, 2 to 256.
    rate: (numerator, denominator), frames a second.
    height, width: of the pictures in pixels.
    chunk_frames: of every chunk but the last, which may be shorter.
    frames: of the file, or UNFINISHED.
    distortion_weight: the lambda of the encoder's choice of codes, 0 for the most likely ones.
    dvae, prior: fingerprints of the models, 8 bytes; zeros for no prior.
    episode: name of the look to decode with.
    sound: Sound or None.

    Raises:
        ValueError: sizes beyond the format's.
    """

    coder: str
    shape: tuple[int, int, int]
    num_codes: int
    rate: tuple[int, int]
    height: int
    width: int
    chunk_frames: int
    frames: int = UNFINISHED
    distortion_weight: float = 0.0
    dvae: bytes = bytes(FINGERPRINT_BYTES)
    prior: bytes = bytes(FINGERPRINT_BYTES)
    episode: str = "none"
    sound: Sound | None = None

    def __post_init__(self):
        h, w, heads = self.shape
        if self.coder not in CODERS:
            raise ValueError(f"coder must be one of {', '.join(CODERS)}. Received: {self.coder}")
        limits = {
            "grid height": (h, 1, 256),
            "grid width": (w, 1, 256),
            "heads": (heads, 1, 64),
            "num_codes": (self.num_codes, 2, 256),
            "rate": (self.rate[0], 1, _MOST),
            "rate's denominator": (self.rate[1], 1, _MOST),
            "chunk_frames": (self.chunk_frames, 1, (1 << 15) - 1),
            "codes a chunk": (h * w * heads * self.chunk_frames, 1, MAX_CHUNK_CODES),
            "frames": (self.frames, 0, UNFINISHED),
        }
        if self.sound is not None:
            limits |= {
                "sample_rate": (self.sound.sample_rate, 1, _MOST),
                "channels": (self.sound.channels, 1, 255),
                "time_base": (self.sound.time_base[0], 1, _MOST),
                "time_base's denominator": (self.sound.time_base[1], 1, _MOST),
            }
        for name, (value, least, most) in limits.items():
            if not least <= value <= most:
                raise ValueError(f"{name} must lie in [{least}, {most}]. Received: {value}")
        if not 0.01 <= self.fps <= 1000:
            raise ValueError(f"frames a second must lie in [0.01, 1000]. Received: {self.fps}")

    @property
    def fps(self):
        """Frames a second, a float."""
        return self.rate[0] / self.rate[1]

    def to_bytes(self):
        """The header as it stands at the beginning of a file."""
        h, w, heads = self.shape
        fields = _FIXED.pack(
            CODERS.index(self.coder), h, w, heads, self.num_codes, *self.rate, self.height,
            self.width, self.chunk_frames, self.frames, self.distortion_weight, self.dvae,
            self.prior,
        )  # fmt: skip
        sound = self.sound or Sound("none", 0, 0, (0, 0))
        fields += _text(self.episode.encode()) + _SOUND.pack(
            SOUND_CODECS.index(sound.codec), sound.sample_rate, sound.channels, *sound.time_base,
        )  # fmt: skip
        fields += _text(sound.extradata)
        head = MAGIC + struct.pack("<HH", VERSION, len(fields)) + fields
        return head + struct.pack("<I", crc32c(head))

    @classmethod
    def read(cls, file):
        """Reads it from the beginning of a binary file: (Header, its length in bytes).

        Raises:
            DamagedError: no `.nwt` file, one of another version, or a damaged header.
        """
        head = file.read(12)
        if head[:8] != MAGIC[: len(head)] or not head:
            raise DamagedError("is no .nwt file")
        if len(head) < 12:
            raise DamagedError("breaks off within its header")
        version, length = struct.unpack_from("<HH", head, 8)
        if version != VERSION:
            raise DamagedError(f"has format version {version}, this program reads {VERSION}")
        if length > _MAX_FIELDS:
            raise DamagedError("has a damaged header")
        fields = file.read(length + 4)
        if len(fields) < length + 4:
            raise DamagedError("breaks off within its header")
        if struct.unpack("<I", fields[-4:])[0] != crc32c(head + fields[:-4]):
            raise DamagedError("has a damaged header (its checksum differs)")
        try:
            return cls._parse(fields[:-4]), 16 + length
        except (struct.error, ValueError, IndexError) as error:
            raise DamagedError(f"has a header that no encoder writes ({error})") from None

    @classmethod
    def _parse(cls, fields):
        (coder, h, w, heads, num_codes, rate, per, height, width, chunk_frames, frames, weight,
         dvae, prior) = _FIXED.unpack_from(fields)  # fmt: skip
        episode, rest = _take_text(fields[_FIXED.size :])
        codec, sample_rate, channels, *base = _SOUND.unpack_from(rest)
        extradata, rest = _take_text(rest[_SOUND.size :])
        sound = None
        if SOUND_CODECS[codec] != "none":
            sound = Sound(SOUND_CODECS[codec], sample_rate, channels, tuple(base), extradata)
        return cls(
            CODERS[coder], (h, w, heads), num_codes, (rate, per), height, width, chunk_frames,
            frames, weight, dvae, prior, episode.decode(), sound,
        )  # fmt: skip


def _text(data):
    if len(data) > 1024:
        raise ValueError(f"a name or configuration of {len(data)} bytes is too long")
    return struct.pack("<H", len(data)) + data


def _take_text(data):
    (length,) = struct.unpack_from("<H", data)
    if len(data) < 2 + length:
        raise ValueError("it ends early")
    return data[2 : 2 + length], data[2 + length :]
