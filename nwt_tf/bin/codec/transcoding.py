"""A video through the codec, a second at a time: what `nwt compress` and `nwt decompress` do."""

import contextlib
import errno
import itertools
import math
import sys

import numpy as np

from data_pipeline.copied_sound import copied_sound
from data_pipeline.media import index_frames, probe, write_mp4
from data_pipeline.mel import align, log_mel, mel_spectrogram
from data_pipeline.packets import decode_packets
from data_pipeline.resample import num_output_frames
from data_pipeline.workers import Progress
from nwt_tf.bin.codec.coding import (
    CodeChooser,
    Model,
    PriorPredictor,
    coded_sound,
    sound_stream,
)
from nwt_tf.bin.codec.pictures import Pictures, footage_settings, windows
from nwt_tf.codec.choice import distortion_weight
from nwt_tf.codec.coding import Encoder, decode
from nwt_tf.codec.container import CODES, Packet, Reader, Writer
from nwt_tf.codec.header import MAX_CHUNK_CODES
from nwt_tf.files import whole

RENDER_FRAMES = 64  # at a time
SETTLING = 0.08  # seconds
SOUND_BYTES = 1 << 16  # of a record of sound; usually it has a second's
INVALID_DATA = 1094995529  # FFmpeg's error number of input that makes no sense to it


def compress(preset, path, output, coder, episode="auto", quality=100.0, key_seconds=1.0):
    """Video to a `.nwt` file.

    Args:
        preset: of the dVAE, and for coder `prior` of the prior.
        path: any video; it is cropped and resized as the preset's training footage was, unless it
            has the preset's size already, as what was generated or decompressed does.
        output: the file to write.
        coder: one of codec.header.CODERS.
        episode: name of the look, or 'auto' for the closest.
        quality: 100 keeps the most likely codes, less trades them for bits (codec.choice).
        key_seconds: distance of the chunks that stand alone.

    Returns:
        Figures of the file.

    Raises:
        ValueError, OSError: the video, or what is asked of it, cannot be used.
    """
    lam = distortion_weight(quality)
    if not 0 < key_seconds < math.inf:
        raise ValueError(f"key_seconds must be positive and finite. Received: {key_seconds}")
    require = ("video", "audio") if coder == "prior" else ("video",)
    info = probe(path, require=require, whole=True)
    settings = footage_settings(preset, path, info)
    model, fps = Model(preset), settings.fps
    index = index_frames(path)
    start = float(index.times[0])
    total = max(1, num_output_frames(start, index.times[-1] + index.frame_seconds, fps))
    size = min(chunk_frames(model), max(1, round(key_seconds * fps)))
    pictures = Pictures(path, start, total, settings)
    video = windows(pictures, size, model.dvae.context)
    first = next(video, None)
    if first is None:
        raise ValueError(f"{path}: none of its frames can be decoded")
    logits = model.logits(first[0]) if lam or episode == "auto" else None
    if episode == "auto":
        episode = model.best_episode(first[0], logits.argmax(-1).astype(np.uint8))
        print(f"episode: {episode}", flush=True)
    model.episode_index(episode)
    weights = model.sensitivity(first[0], logits, episode) if lam else None
    predictor = None
    if coder == "prior":
        with copied_sound(path, start) as (stream, packets):
            predictor = PriorPredictor(model, _mel(stream, packets, total, fps), episode)
    choose, progress, done = CodeChooser(model, lam, weights), Progress(total, "frames"), 0
    with contextlib.ExitStack() as stack:
        beside = stack.enter_context(whole(output))
        stream, packets = None, iter(())
        if info.has_audio:
            stream, packets = stack.enter_context(copied_sound(path, start))
        sound = None if stream is None else coded_sound(stream)
        header = model.header(coder, size, episode=episode, distortion_weight=lam, sound=sound)
        with open(beside, "w+b") as file, Writer(file, header) as writer:
            sound = _SoundWriter(writer, stream, packets, fps)
            encoder = Encoder(writer, max(1, round(key_seconds * fps / size)), predictor)
            for window, lead, count in itertools.chain([first], video):
                sound.write(done + count + size)  # ahead: the prior hears a little of the future
                logits = model.logits(window)[lead : lead + count]
                encoder.write(choose(logits, encoder.next_is_key))
                done += count
                progress.show(done)
            sound.write(None)
        progress.clear()
    if pictures.decoded < len(index.times):
        lost = len(index.times) - pictures.decoded
        print(
            f"{path}: {lost} of its {len(index.times)} frames are damaged or missing; others stand "
            "there in their place",
            file=sys.stderr,
        )
    return sizes(output)


def decompress(preset, path, output, start=0.0, end=None):
    """A `.nwt` file, or a part of it, to an mp4 with the sound copied.

    Args:
        preset: the one that it was made with.
        path: the file.
        output: the mp4.
        start, end: seconds; end None is the file's, with all sound behind the last picture.

    Returns:
        (figures, problems: lines that say what was lost; the frames before stand still there).

    Raises:
        ValueError, OSError: no such file, nothing of it can be decoded, or another preset's.
    """
    for flag, seconds in (("start", start), ("end", 0 if end is None else end)):
        if not 0 <= seconds < math.inf:
            raise ValueError(f"{flag} must be seconds from 0 on. Received: {seconds}")
    model = Model(preset)
    with open(path, "rb") as file:
        try:
            reader = Reader(file)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        header, fps = reader.header, reader.header.fps
        model.check(header, path)
        first = round(start * fps)
        stop = reader.reach if end is None else min(round(end * fps), reader.reach)
        if not 0 <= first < stop:
            raise ValueError(
                f"{path}: has nothing from {start:g} s on up to "
                f"{'its end' if end is None else f'{end:g} s'}: it is {reader.reach / fps:.2f} s "
                f"long{_told(reader)}"
            )
        predictor, sound = None, None
        if header.sound is not None:
            stream = sound_stream(header.sound)
            if header.coder == "prior":
                # Not all that the header may claim: what is there, and what its end can hear.
                heard = reader.reach + model.prior.audio_encoder.context[1]
                mel = _mel(stream, _packets(reader), min(reader.frames, heard), fps)
                predictor = PriorPredictor(model, mel, header.episode)
            until = math.inf if end is None else end
            sound = stream, _cut(_packets(reader), stream, first / fps, until)
        before = max(0, first - model.dvae.context)
        after = min(reader.reach, stop + model.dvae.context)
        # Of a file that breaks off, what is missing is said, but not made up.
        asked = reader.frames if end is None else after
        codes = _held(decode(reader, before, asked, predictor), before, after)
        progress = Progress(stop - first, "frames")

        def frames():
            position = before
            for window, lead, count in windows(codes, RENDER_FRAMES, model.dvae.context):
                pictures = model.pictures(window, header.episode)[lead : lead + count]
                yield from pictures[max(0, first - position) : stop - position]
                position += count
                progress.show(min(position, stop) - first)

        try:
            write_mp4(output, frames(), fps, packets=sound)
        except ValueError as error:
            raise ValueError(f"{path}: {error}{_told(reader)}") from error
        except OSError as error:
            # Of the output's own errors (no space, no permission) none has these numbers.
            if sound is None or error.errno not in (errno.EINVAL, INVALID_DATA):
                raise
            raise ValueError(
                f"{path}: its sound is not what its header claims, and no mp4 can hold it: "
                f"{_spell(header.sound)}{_told(reader)}"
            ) from error
        progress.clear()
        return {"mp4": str(output), "frames": stop - first}, reader.problems


def sizes(path):
    """Figures of a file: frames, bytes, bytes without the sound, and those as rates."""
    with open(path, "rb") as file:
        reader = Reader(file)
    header = reader.header
    sound = sum(record.length for record in reader.records if record.kind != CODES)
    seconds = reader.frames / header.fps
    memcodes = reader.frames * header.shape[0] * header.shape[1]
    return {
        "nwt": str(path),
        "coder": header.coder,
        "episode": header.episode,
        "frames": reader.frames,
        "bytes": reader.size,
        "bytes_without_sound": reader.size - sound,
        "kbps_without_sound": 8e-3 * (reader.size - sound) / seconds,
        "bits_per_memcode": 8 * (reader.size - sound) / memcodes,
    }


def chunk_frames(model):
    """Frames of a chunk: a second's, fewer of a large grid."""
    codes = model.dvae.grid[0] * model.dvae.grid[1] * model.dvae.num_heads
    return max(1, min(round(model.footage["fps"]), MAX_CHUNK_CODES // codes))


def _held(chunks, start, stop):
    """Frames [start, stop) of decoded chunks; where one is lost the frame before it stays."""
    last = None
    for first, codes in chunks:
        for _ in range(first - start):
            yield codes[0] if last is None else last
        yield from codes
        start, last = first + len(codes), codes[-1]
    if last is None:
        raise ValueError("none of its chunks can be decoded")
    for _ in range(stop - start):
        yield last


def _mel(stream, packets, frames, fps):
    """The mel of sound as it is sent, aligned: float32 [4 frames, 80].

    Packets far behind the last frame, which nothing hears, would only be filled up to with silence.
    """
    end = frames / fps + 1.0
    packets = (packet for packet in packets if packet[0] * stream.time_base < end)
    return align(log_mel(mel_spectrogram(decode_packets(stream, packets))), frames, fps)


def _told(reader):
    """What a message adds of a damaged file: the first thing that was found wrong."""
    return f"; it is damaged: {reader.problems[0]}" if reader.problems else ""


def _spell(sound):
    """What a header claims of its sound."""
    base = "/".join(map(str, sound.time_base))
    return f"{sound.codec}, {sound.channels} channels of {sound.sample_rate} Hz, times in {base} s"


def _packets(reader):
    for block in reader.sound():
        yield from block


def _cut(packets, stream, start, end):
    """The packets of [start, end) seconds, with times from there, and those just before: decoders
    of AAC and Opus take a little to settle."""
    zero = round(start / stream.time_base)
    for packet in packets:
        begin = packet.time * stream.time_base
        if begin + packet.duration * stream.time_base > start - SETTLING and begin < end:
            yield packet.time - zero, packet.duration, packet.data


class _SoundWriter:
    """Writes the sound's packets into a file, up to where the picture is."""

    def __init__(self, writer, stream, packets, fps):
        self._writer, self._packets, self._fps = writer, iter(packets), fps
        self._base = None if stream is None else stream.time_base
        self._ahead = next(self._packets, None)

    def write(self, frame):
        """Writes the packets that begin before a frame, all that are left for None."""
        block, size = [], 0
        while self._ahead and (frame is None or self._ahead[0] * self._base < frame / self._fps):
            block.append(Packet(*self._ahead))
            size += len(self._ahead[2])
            self._ahead = next(self._packets, None)
            if size > SOUND_BYTES:  # Sound that goes on long after the picture.
                self._writer.write_sound(block)
                block, size = [], 0
        if block:
            self._writer.write_sound(block)
