"""Sound taken over as it is coded."""

from fractions import Fraction

import av
import numpy as np
import pytest

from data_pipeline.copied_sound import copied_sound
from data_pipeline.media import read_audio, write_mp4
from data_pipeline.packets import decode_packets
from data_pipeline.synthetic_voice import synthesize_voice
from tests.data_pipeline import footage

RATE = 24000


@pytest.fixture(scope="module")
def voice():
    return 0.9 * synthesize_voice(2.0, seed=3).waveform


def write(path, waveform, codec, rate=RATE, late=0.0):
    """A file with a picture and sound in any codec, which begins `late` seconds after it."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        sound = file.add_stream(codec, rate=rate, layout="mono")
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 5 * index, np.uint8))
            frame.pts, frame.time_base = index, Fraction(1, 25)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(
            np.float32(waveform).reshape(1, -1), format="fltp", layout="mono"
        )
        frame.sample_rate = RATE
        resampler = av.AudioResampler(
            sound.codec_context.format, "mono", rate, sound.codec_context.frame_size or 1024
        )
        sent = round(late * rate)
        for each in (frame, None):
            for block in resampler.resample(each):
                block.pts, block.time_base = sent, Fraction(1, rate)
                sent += block.samples
                file.mux(sound.encode(block))
        file.mux(sound.encode(None))
    return path


def lag(sound, other, longest=2400):
    """Samples that `other` comes later."""
    length = min(len(sound), len(other))
    spectra = np.fft.rfft([sound[:length], other[:length]], 2 * length)
    correlation = np.fft.irfft(spectra[1] * spectra[0].conj())
    lags = np.r_[0:longest, -longest:0]
    return int(lags[np.argmax(correlation[lags])])


@pytest.mark.parametrize(
    ("name", "codec", "rate", "tolerance"),
    [("a.mp4", "aac", 24000, 0), ("a.mkv", "libopus", 48000, 24), ("a.mkv", "mp2", 44100, 24),
     ("a.mov", "pcm_s16le", 24000, 24)],
)  # fmt: skip
def test_sound_is_copied_in_time(tmp_path, voice, name, codec, rate, tolerance):
    source = write(tmp_path / name, voice, codec, rate)
    with copied_sound(source, 0.0) as (stream, packets):
        packets = list(packets)
    assert stream.codec == ("opus" if codec == "libopus" else "aac")
    with av.open(str(source)) as file:
        stored = [bytes(packet) for packet in file.demux(audio=0) if packet.size]
    copied = [data for _, _, data in packets] == stored
    assert copied == (codec in ("aac", "libopus"))
    decoded, true = decode_packets(stream, packets), read_audio(source)
    assert abs(lag(true, decoded)) <= tolerance  # a millisecond, Matroska's clock
    write_mp4(
        tmp_path / "out.mp4", [np.zeros((64, 64, 3), np.uint8)] * 50, 25, packets=(stream, packets)
    )
    assert abs(lag(true, read_audio(tmp_path / "out.mp4"))) <= tolerance
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert [bytes(p) for p in file.demux(audio=0) if p.size] == [d for _, _, d in packets]


def test_rates_that_aac_does_not_know_are_resampled(tmp_path, voice):
    source = write(tmp_path / "a.mov", voice, "pcm_s16le", 37_800)
    with copied_sound(source, 0.0) as (stream, packets):
        assert stream.sample_rate == 48_000
        assert abs(lag(read_audio(source), decode_packets(stream, packets))) <= 24


def test_a_gap_in_sound_that_is_made_aac_stays(tmp_path):
    """Clicks at 1 and 2 s, and the packets between 2.5 and 4.5 s missing: the next is at 5 s."""
    clicks = footage.clicks([1.0, 2.0, 3.0], 4.0)
    path = footage.write(
        tmp_path / "gap.mkv",
        footage.scenes([150]),
        np.arange(150) / 25,
        clicks,
        sound_codec="flac",
        sound_gap=(int(2.5 * footage.RATE), 2.0),
    )
    with copied_sound(path, 0.0) as (stream, packets):
        heard = decode_packets(stream, packets)
    places = np.flatnonzero(np.abs(heard) > 0.5 * np.abs(heard).max()) / 24000
    starts = places[np.diff(places, prepend=-1.0) > 0.1]
    np.testing.assert_allclose(starts, [1.0, 2.0, 5.0], atol=0.03)


def test_time_zero_is_where_the_caller_says(tmp_path, voice):
    source = write(tmp_path / "a.mp4", voice, "aac", late=0.4)
    with copied_sound(source, 0.4) as (stream, packets):
        shifted = decode_packets(stream, packets)
    with copied_sound(source, 0.0) as (stream, packets):
        whole = decode_packets(stream, packets)
    assert lag(shifted, whole, 12_000) == pytest.approx(0.4 * RATE, abs=1)


def test_packets_that_cannot_be_decoded_are_passed_over(tmp_path, voice):
    with copied_sound(write(tmp_path / "a.mp4", voice, "aac"), 0.0) as (stream, packets):
        packets = [
            (time, duration, b"\xff" * 40 if index == 20 else data)
            for index, (time, duration, data) in enumerate(packets)
        ]
    assert len(decode_packets(stream, packets)) > 1.8 * RATE


def test_a_file_without_sound_is_refused(tmp_path):
    write_mp4(tmp_path / "mute.mp4", [np.zeros((64, 64, 3), np.uint8)] * 5, 25)
    with pytest.raises(ValueError, match="mute.mp4"), copied_sound(tmp_path / "mute.mp4", 0.0):
        pass
