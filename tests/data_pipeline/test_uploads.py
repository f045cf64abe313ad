"""Sound of strangers: the formats that people have, and refusals in words for the rest."""

import io
import time
import wave
from fractions import Fraction

import av
import numpy as np
import pytest

from data_pipeline.media import read_audio, write_mp4
from data_pipeline.synthetic_voice import synthesize_voice
from data_pipeline.uploads import read_upload

RATE = 24000
SECONDS = 1.5


@pytest.fixture(scope="module")
def voice():
    return synthesize_voice(SECONDS, seed=3).waveform


def wav(samples, rate=RATE):
    file = io.BytesIO()
    with wave.open(file, "wb") as output:
        output.setparams((1, 2, rate, 0, "NONE", "not compressed"))
        output.writeframes((np.asarray(samples) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def coded(samples, container, codec, rate=RATE, gap=0.0):
    """A file of two halves, `gap` seconds between their timestamps."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        fifo = av.AudioResampler(format=stream.format.name, rate=rate)
        place = 0
        for part in np.split(np.asarray(samples, np.float32), [len(samples) // 2]):
            frame = av.AudioFrame.from_ndarray(part[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, place, Fraction(1, RATE)
            place += len(part) + round(gap * RATE)
            for ready in fifo.resample(frame):
                output.mux(stream.encode(ready))
        output.mux(stream.encode(None))
    return file.getvalue()


def float_wav(samples):
    samples = np.asarray(samples, "<f4").tobytes()
    head = b"RIFF" + (36 + len(samples)).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0\x03\0\x01\0"
    head += RATE.to_bytes(4, "little") + (4 * RATE).to_bytes(4, "little") + b"\x04\0\x20\0data"
    return head + len(samples).to_bytes(4, "little") + samples


def silent_film(folder):
    write_mp4(folder / "silent.mp4", np.zeros((5, 16, 16, 3), np.uint8), 25)
    return (folder / "silent.mp4").read_bytes()


def test_a_wav_is_read_to_the_sample(voice):
    read = read_upload(wav(voice), 10)
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, np.clip(voice, -1, 1), atol=1e-4)


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("flac", "flac", RATE),
        ("mp3", "libmp3lame", RATE),
        ("ogg", "libopus", 48000),
        ("webm", "libopus", 48000),  # what a browser records
        ("mp4", "aac", RATE),  # what another one records
    ],
)
def test_what_people_have_is_read(tmp_path, voice, container, codec, rate):
    data = coded(voice, container, codec, rate)
    (tmp_path / "sound").write_bytes(data)
    read = read_upload(data, 10)
    np.testing.assert_array_equal(read, read_audio(tmp_path / "sound"))
    assert abs(len(read) / RATE - SECONDS) < 0.15
    assert np.abs(read).max() > 0.3 * np.abs(voice).max()


def test_the_sound_of_a_video_is_read(tmp_path, voice):
    write_mp4(tmp_path / "film.mp4", np.zeros((38, 16, 16, 3), np.uint8), 25, voice)
    read = read_upload((tmp_path / "film.mp4").read_bytes(), 10)
    np.testing.assert_array_equal(read, read_audio(tmp_path / "film.mp4"))


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("wav", "pcm_s16le"),
        ("wav", "pcm_mulaw"),
        ("aiff", "pcm_s16be"),
        ("adts", "aac"),
        ("ogg", "flac"),
        ("ipod", "alac"),
        ("matroska", "ac3"),
        ("3gp", "libopencore_amrnb"),
        ("avi", "adpcm_ms"),
    ],
)
def test_rarer_formats_are_read_too(tmp_path, voice, container, codec):
    rate = {"libopencore_amrnb": 8000, "ac3": 48000}.get(codec, RATE)
    data = coded(voice, container, codec, rate)
    (tmp_path / "sound").write_bytes(data)
    np.testing.assert_array_equal(read_upload(data, 10), read_audio(tmp_path / "sound"))


@pytest.mark.parametrize("container", ["mov", "mp4", "avi"])
def test_no_picture_is_decoded(tmp_path, voice, container, monkeypatch):
    """A small file may claim pictures of half a gigabyte, which opening would decode for their
    format; a PNG's is known by that alone."""
    path = tmp_path / "film"
    with av.open(str(path), "w", format=container) as output:
        pictures = output.add_stream("png", rate=25, width=64, height=48, pix_fmt="rgba64be")
        sound = output.add_stream("aac", rate=RATE, layout="mono")
        picture = av.VideoFrame(64, 48, "rgba64be")
        for _ in range(38):
            output.mux(pictures.encode(picture))
        for start in range(0, len(voice) - 1024, 1024):
            frame = np.asarray(voice[start : start + 1024], np.float32)[None]
            frame = av.AudioFrame.from_ndarray(frame, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    expected, formats, opened = read_audio(path), [], av.open

    def spy(*arguments, **options):
        container = opened(*arguments, **options)
        formats.append(container.streams.video[0].format)
        return container

    with opened(str(path)) as plain:
        assert plain.streams.video[0].format.name == "rgba64be"
    monkeypatch.setattr(av, "open", spy)
    np.testing.assert_array_equal(read_upload(path.read_bytes(), 10), expected)
    assert formats == [None]


def test_playlists_open_nothing(tmp_path, voice):
    """FFmpeg would follow them to files and addresses of the server's."""
    (tmp_path / "secret.wav").write_bytes(wav(voice))
    secret = (tmp_path / "secret.wav").as_uri()
    for text in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{secret}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile {tmp_path / 'secret.wav'}\n",
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\na=control:{secret}\n",
    ):
        with pytest.raises(ValueError, match="This is no sound that can be read"):
            read_upload(text.encode(), 10)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (lambda folder, voice: b"", "The file is empty"),
        (lambda folder, voice: b"Dear server,\n" * 300, "This is no sound that can be read"),
        (lambda folder, voice: b"<html><script>alert(1)</script></html>" * 50, "This is no sound"),
        (lambda folder, voice: bytes(100_000), "This is no sound|no sound in it"),
        (lambda folder, voice: wav(voice)[:30], "This is no sound|no sound in it"),
        (lambda folder, voice: wav([]), "no sound in it"),
        (lambda folder, voice: silent_film(folder), "The file has no sound"),
        (lambda folder, voice: wav(np.tile(voice, 3)), "The sound is longer than 4 seconds"),
        (lambda folder, voice: wav(voice, rate=100), "must have 4000 to 768000 samples a second"),
        (lambda folder, voice: float_wav(voice + np.nan), "not finite"),
        # Ten hours of silence between two words: refused, not allocated.
        (lambda folder, voice: coded(voice, "matroska", "pcm_s16le", gap=36_000), "longer than 4"),
    ],
)
def test_refusals_are_in_words(tmp_path, voice, data, words):
    with pytest.raises(ValueError, match=words):
        read_upload(data(tmp_path, voice), 4)


def test_reading_ends_after_a_while(voice, monkeypatch):
    passed = iter(range(0, 10_000, 5))
    monkeypatch.setattr(time, "monotonic", lambda: next(passed))
    with pytest.raises(ValueError, match="takes too long to read"):
        read_upload(coded(voice, "mp3", "libmp3lame"), 10)
