"""Small footage for the tests, written frame by frame so that every timestamp is chosen."""

from fractions import Fraction

import av
import numpy as np

RATE = 48000


def scenes(lengths, height=48, width=64):
    """One grey a scene, 40 + 30 n in scene n: uint8 [sum(lengths), height, width, 3]."""
    levels = np.repeat(np.arange(len(lengths)) * 30 + 40, lengths).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (len(levels), height, width, 3))


def flash(times, at, height=48, width=64):
    """Black pictures, but white ones for 0.1 s from every time in `at` on."""
    white = [any(start - 1e-6 <= time < start + 0.1 for start in at) for time in times]
    levels = np.where(white, 235, 16).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (len(times), height, width, 3))


def clicks(at, seconds, rate=RATE):
    """Silence but for 5 ms of noise from every time in `at` on."""
    sound = np.zeros(round(seconds * rate), np.float32)
    burst = np.random.default_rng(0).uniform(-0.9, 0.9, rate // 200).astype(np.float32)
    for time in at:
        start = round(time * rate)
        sound[start : start + len(burst)] = burst[: len(sound) - start]
    return sound


def rate_of(times):
    """Mean rate, a fraction that MPEG-1 takes too."""
    rate = (len(times) - 1) / (times[-1] - times[0])
    ntsc = Fraction(round(rate * 1.001) * 1000, 1001)
    return ntsc if abs(ntsc - rate) < 1e-3 else Fraction(rate).limit_denominator(100)


def write(
    path,
    pictures,
    times,
    sound=None,
    sound_start=0.0,
    rate=RATE,
    keys=(0,),
    codec="libx264",
    sound_codec="aac",
    options=(),
    sound_gap=(None, 0.0),
    pix_fmt="yuv420p",
    rotation=0,
    muxer=(),
):
    """Writes a video whose frame n is shown from times[n] on.

    Args:
        keys: Frames that are key frames; there are no others.
        sound: float [samples], or [samples, 2] or [samples, 6]; None for no sound stream.
        sound_start: Time of its first sample.
        sound_gap: (sample, seconds): from that sample on, everything is that much later.
        rotation: Of the display matrix, degrees counterclockwise.
        muxer: Options of the container.
    """
    base = Fraction(1, 90000)
    with av.open(str(path), "w", options=dict(muxer)) as output:
        options = {"g": "10000", "sc_threshold": "0", "crf": "12"} | dict(options)
        video = output.add_stream(codec, rate=rate_of(times), options=options)
        video.height, video.width = pictures.shape[1:3]
        video.pix_fmt = pix_fmt
        if rotation:
            video.set_display_rotation(rotation)
        if codec.startswith("mpeg"):  # knows standard rates alone
            base = 1 / rate_of(times)
            video.options = options | {"sc_threshold": "1000000000"}
        video.codec_context.time_base = base
        audio = None
        if sound is not None:
            sound = np.asarray(sound, np.float32)
            layout = {1: "mono", 2: "stereo", 6: "5.1"}[sound.reshape(len(sound), -1).shape[1]]
            audio = output.add_stream(sound_codec, rate=rate, layout=layout)
        for number, (picture, time) in enumerate(zip(pictures, times, strict=True)):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = round(time / base), base
            if number in keys:
                frame.pict_type = av.video.frame.PictureType.I
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if audio is not None:
            sound = sound.reshape(len(sound), -1).T
            for start in range(0, sound.shape[1], 1024):
                block = np.ascontiguousarray(sound[:, start : start + 1024])
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
                gap = sound_gap[1] if sound_gap[0] is not None and start >= sound_gap[0] else 0.0
                frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
                frame.pts = start + round((sound_start + gap) * rate)
                output.mux(audio.encode(frame))
            output.mux(audio.encode(None))
    return path


def talk(path, seconds=3.0, fps=25, height=48, width=64, gop=None, options=()):
    """Ordinary footage: a moving gradient with noise for sound, key frames `gop` apart."""
    count = round(seconds * fps)
    ramp = np.arange(height)[:, None] * 2 + np.arange(width)[None, :]
    pictures = np.stack([(ramp + 3 * n) % 200 for n in range(count)]).astype(np.uint8)
    pictures = np.repeat(pictures[..., None], 3, axis=-1)
    noise = np.random.default_rng(1).normal(0, 0.05, round(seconds * RATE))
    keys = range(0, count, gop or count)
    return write(path, pictures, np.arange(count) / fps, noise, keys=keys, options=options)


class Flashes:
    """Black pictures, white where `lit`, made when they are asked for: an hour of them is no array.

    lit: bool [frames].
    """

    def __init__(self, lit, height=32, width=32):
        self.lit, self.shape = lit, (len(lit), height, width, 3)

    def __len__(self):
        return len(self.lit)

    def __iter__(self):
        for lit in self.lit:
            yield np.full(self.shape[1:], 235 if lit else 16, np.uint8)
