"""What lies beneath `nwt compress`: the prior's hearing, sound's records, windows of frames."""

import io

import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.copied_sound import copied_sound
from data_pipeline.media import write_mp4
from data_pipeline.mel import log_mel, mel_spectrogram
from data_pipeline.synthetic import synthesize_voice
from nwt_tf import presets
from nwt_tf.bin.codec import coding, transcoding
from nwt_tf.bin.codec import pictures as pictures_of
from nwt_tf.codec.coding import decode, write_codes
from nwt_tf.codec.container import Reader, Writer
from nwt_tf.codec.header import Header, Sound
from nwt_tf.codec.snapping import follow, snap
from tests.bin.test_coding import save_preset
from tests.models import tiny_priors


def test_sound_behind_the_picture_is_cut_into_records():
    file = io.BytesIO()
    sound = Sound("aac", 16000, 1, (1, 16000), b"x")
    header = Header("raw", (1, 1, 1), 2, (25, 1), 16, 16, 25, sound=sound)
    packets = [(1024 * n, 1024, bytes([n % 256]) * 20_000) for n in range(300)]
    with Writer(file, header) as writer:
        stream = coding.sound_stream(sound)
        transcoding._SoundWriter(writer, stream, packets, 25).write(None)
    reader = Reader(file)
    assert len(reader.records) > 50 and reader.problems == []
    assert [tuple(packet) for block in reader.sound() for packet in block] == packets


def test_packets_far_behind_the_last_frame_are_not_filled_up_to(tmp_path):
    wave = synthesize_voice(2.0, seed=3).waveform
    write_mp4(tmp_path / "a.mp4", np.zeros((50, 16, 16, 3), np.uint8), 25.0, wave)
    with copied_sound(tmp_path / "a.mp4", 0.0) as (stream, packets):
        packets = list(packets)
    time, duration, data = packets[-1]
    far = [(time + 2**55, duration, data)]  # 128 PiB of silence
    mel = transcoding._mel(stream, packets, 50, 25.0)
    np.testing.assert_array_equal(transcoding._mel(stream, packets + far, 50, 25.0), mel)


def test_what_cannot_be_decoded_is_told(tmp_path, monkeypatch, capsys):
    path, preset = tmp_path / "a.mp4", save_preset(tmp_path / "far", "far")
    model = coding.Model(preset)
    size, fps = (model.dvae.height, model.dvae.width, 3), presets.read_footage(preset)["fps"]
    write_mp4(path, np.zeros((10, *size), np.uint8), fps, np.zeros(9600, np.float32))
    decode_frames = pictures_of.decode_frames
    with monkeypatch.context() as patch:
        patch.setattr(pictures_of, "decode_frames", lambda path: list(decode_frames(path))[:6])
        transcoding.compress(preset, path, tmp_path / "a.nwt", "rle", episode="none")
    assert "a.mp4: 4 of its 10 frames are damaged or missing" in capsys.readouterr().err
    transcoding.compress(preset, path, tmp_path / "b.nwt", "rle", episode="none")
    assert not capsys.readouterr().err
    monkeypatch.setattr(pictures_of, "decode_frames", lambda path: [])
    with pytest.raises(ValueError, match="a.mp4: none of its frames can be decoded"):
        transcoding.compress(preset, path, tmp_path / "c.nwt", "rle", episode="none")
    assert not (tmp_path / "c.nwt").exists()


def test_the_prior_hears_all_that_it_reads_around_a_chunk(tmp_path):
    """What it is told of frames amid a file is what the whole file's sound says there."""
    model = coding.Model(save_preset(tmp_path / "har", "har"))
    mel = tiny_priors.mel_of(150)[0]
    predictor = coding.PriorPredictor(model, mel, "day")
    codes = tiny_priors.codes_of(model.prior, 4)[0].astype(np.uint8)
    predictor.side(70, codes, key=True)
    heard = model.prior.hear(np.rint(mel[None] * coding.MEL_STEPS) / np.float64(coding.MEL_STEPS))
    place, told = predictor._place, predictor._conditioning.audio
    np.testing.assert_allclose(told[:, place : place + 4], heard[:, 70:74], rtol=0, atol=1e-12)


def test_sound_decoded_by_other_code_stays_within_the_guard():
    """Samples differ by 2e-7, as FFmpeg's vector code and its plain C do."""
    wave = synthesize_voice(4.0, seed=3).waveform
    other = wave + np.random.default_rng(0).uniform(-2e-7, 2e-7, len(wave)).astype(np.float32)
    here, there = (
        log_mel(mel_spectrogram(each)).astype(np.float64).reshape(-1) * coding.MEL_STEPS
        for each in (wave, other)
    )
    guard = coding.mel_guard(here)
    assert np.abs(here - there).max() > 1e-4
    assert (np.abs(here - there) < guard).all()
    steps, places, upward = snap(here, guard)
    assert len(places) < 0.005 * len(here)
    assert np.array_equal(follow(there, places, upward), steps)


@pytest.mark.parametrize("kind", ["far", "har"])
def test_other_kernels_and_another_sound_decoder_decode_the_same(tmp_path, kind):
    """What another machine does: operations one by one, and sound that differs a little."""
    model = coding.Model(save_preset(tmp_path / kind, kind))
    codes = tiny_priors.codes_of(model.prior, 7)[0].astype(np.uint8)
    mel = tiny_priors.mel_of(7)[0]
    file, header = io.BytesIO(), model.header("prior", 2)
    write_codes(file, header, codes, 2, coding.PriorPredictor(model, mel, "day"))
    noise = np.random.default_rng(0).uniform(-1e-5, 1e-5, mel.shape).astype(np.float32)
    reader = Reader(file)
    tf.config.run_functions_eagerly(True)
    try:
        predictor = coding.PriorPredictor(model, mel + noise, "day")
        parts = [part for _, part in decode(reader, predictor=predictor)]
    finally:
        tf.config.run_functions_eagerly(False)
    assert reader.problems == []
    assert np.array_equal(np.concatenate(parts), codes)


def test_windows_give_everything_once_with_its_context():
    for total in (1, 4, 5, 17):
        items, found = [np.array([n]) for n in range(total)], []
        for window, lead, count in pictures_of.windows(iter(items), 4, 3):
            found += window[lead : lead + count, 0].tolist()
            first = found[-count]
            assert lead == min(3, first)
            assert len(window) == min(total, first + count + 3) - first + lead
        assert found == list(range(total))
