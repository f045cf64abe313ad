"""Codes and `.nwt` files for the codec's tests, and a predictor without a network."""

import io

import numpy as np

from nwt_tf.codec.coding import decode, write_codes
from nwt_tf.codec.container import Packet, Reader, Writer
from nwt_tf.codec.header import Header, Sound


class Predictor:
    """Log-probabilities drawn from a seed, the same for every instance, plus `error`: what another
    machine's rounding does. Its side information is the chunk's first frame."""

    def __init__(self, symbols, num_codes, error=0.0, run=None):
        self.symbols, self.num_codes, self.error = symbols, num_codes, error
        self.portion = run or symbols  # symbols predicted at a time

    def side(self, first, codes, key):
        self.first = first
        return bytes([first % 251])

    def adopt(self, first, frames, key, reader):
        if reader.bytes(1) != bytes([first % 251]):
            raise ValueError("another chunk's side information")
        self.first = first

    def run(self, frames, choose):
        for frame in range(self.first, self.first + frames):
            draws = np.random.default_rng(frame)
            logits = 3 * draws.normal(size=(self.symbols, self.num_codes))
            log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            log_p += self.error * np.sin(1e6 * log_p)
            for start in range(0, self.symbols, self.portion):
                choose(log_p[start : start + self.portion])


def predictor_of(header, error=0.0):
    """A Predictor for a file, None unless its coder needs one."""
    symbols = int(np.prod(header.shape))
    return Predictor(symbols, header.num_codes, error) if header.coder == "prior" else None


def header_of(coder, shape, num_codes, chunk_frames=25, **fields):
    """A Header of 25 frames a second."""
    return Header(coder, shape, num_codes, (25, 1), 64, 56, chunk_frames, **fields)


def speechlike(frames, shape=(6, 5, 4), num_codes=5, seed=0, rate=0.05):
    """Codes that mostly stay, as those of a talking head: uint8 [T, h, w, heads]."""
    draws = np.random.default_rng(seed)
    codes = draws.integers(0, num_codes, (frames, *shape)).astype(np.uint8)
    stays = draws.random((frames, *shape)) > rate
    for t in range(1, frames):
        codes[t][stays[t]] = codes[t - 1][stays[t]]
    return codes


def file_of(coder, codes, num_codes, key_chunks=1, chunk_frames=25):
    """The bytes of a file without sound."""
    file = io.BytesIO()
    header = header_of(coder, codes.shape[1:], num_codes, chunk_frames)
    write_codes(file, header, codes, key_chunks, predictor_of(header))
    return file.getvalue()


def file_with_sound(coder="context", frames=60, chunk_frames=10):
    """(bytes, codes, packets) of a file with sound between its chunks."""
    from nwt_tf.codec.coding import Encoder

    codes, draws = speechlike(frames), np.random.default_rng(1)
    sound = Sound("aac", 16000, 1, (1, 16000), b"\x14\x08")
    header = header_of(coder, codes.shape[1:], 5, chunk_frames, sound=sound, episode="épisode")
    file, packets = io.BytesIO(), []
    with Writer(file, header) as writer:
        encoder = Encoder(writer, 2, predictor_of(header))
        for start in range(0, frames, chunk_frames):
            block = [
                Packet(1024 * (len(packets) + i) - 1024, 1024, draws.bytes(20)) for i in range(6)
            ]
            packets += block
            writer.write_sound(block)
            encoder.write(codes[start : start + chunk_frames])
    return file.getvalue(), codes, packets


def salvage(data):
    """({frame: codes}, problems) of a file's bytes, damaged or not; DamagedError for none."""
    reader = Reader(io.BytesIO(data))
    found = {}
    for first, codes in decode(reader, predictor=predictor_of(reader.header)):
        found |= dict(enumerate(codes, first))
    list(reader.sound())
    return found, reader.problems
