"""`nwt generate --stream` and `nwt export` as a user types them: files, pipes, refusals."""

import json
import os
import subprocess
import sys
import tempfile

import av
import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.media import LiveMp4, probe, read_audio, read_video
from data_pipeline.synthetic_voice import synthesize_voice
from nwt_tf.bin.generating import live
from nwt_tf.generation.audio_to_video import AudioToVideo
from tests.generation import tiny_task
from tests.integration.commands import refused, run, write_wav

SECONDS = 2.4
FRAMES = round(SECONDS * tiny_task.FPS)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("stream")
    tiny_task.make().save_to_preset(root / "preset", "card")
    write_wav(root / "speech.wav", synthesize_voice(SECONDS, seed=4).waveform)
    return root


def test_a_streamed_file_is_the_generated_video(root):
    arguments = (f"--preset={root / 'preset'}", f"--audio={root / 'speech.wav'}", "--top_k=3")
    line, _ = run("generate", *arguments, f"--output={root / 'live.mp4'}", "--stream")
    assert line["frames"] == FRAMES
    # 16 frames of a chunk and the 20 that the audio encoder looks ahead, in pieces of 0.2 s.
    assert 1.4 < line["sound_to_first_frame"] < 1.8 and line["seconds_to_first_frame"] > 0
    # The frames of the whole clip, through the same encoder.
    model = AudioToVideo.from_preset(root / "preset")
    with LiveMp4(root / "expected.mp4", model.fps, None) as video:
        for frame in model.generate(read_audio(root / "speech.wav"), top_k=3):
            video.picture(frame)
    live = read_video(root / "live.mp4")
    assert live.shape == (FRAMES, 32, 24, 3)
    np.testing.assert_array_equal(live, read_video(root / "expected.mp4"))
    assert abs(len(read_audio(root / "live.mp4")) - SECONDS * 24_000) < 2100


def test_from_pipe_to_pipe_the_video_alone_is_on_standard_output(root):
    command = [sys.executable, "-m", "nwt_tf.bin.nwt", "generate", f"--preset={root / 'preset'}"]
    with open(root / "speech.wav", "rb") as sound:
        done = subprocess.run(
            [*command, "--audio=-", "--output=-", "--stream", "--chunk_frames=8"],
            stdin=sound,
            capture_output=True,
            env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout[4:8] == b"ftyp" and done.stdout.count(b"moof") >= 4
    (root / "piped.mp4").write_bytes(done.stdout)
    assert probe(root / "piped.mp4", require=("video", "audio")).fps == tiny_task.FPS
    assert len(read_video(root / "piped.mp4")) == FRAMES
    assert json.loads(done.stderr.splitlines()[-1])["frames"] == FRAMES


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--output=x.avi", "--stream"], "must end in .mp4"),
        (["--output=-"], "--output=- is of --stream"),
        (["--output="], "the output's name is empty: name a file *.mp4"),
        (["--output=x.mp4", "--audio="], "--audio= is empty: name a file with sound"),
        (["--output=x.mp4", "--audio=-"], "--audio=- is of --stream: name a file"),
        (["--output=x.mp4", "--audio=silent.wav", "--stream"], "silent.wav: The sound is silent"),
        (["--output=x.mp4", "--style_sweep=0", "--style_values=1e7"], "from -1e+06 to 1e+06"),
        (["--output=x.mp4", "--style=1e39,0,0,0"], "style must be finite, as float32 too"),
        (["--output=x.mp4", "--top_p=0"], "top_p must lie in (0, 1]"),
        (["--output=x.mp4", "--sampling=parallel"], "FAR draws a frame at once"),
        (["--output=x.mp4", "--stream", "--audio=short.wav"], "short.wav: The sound is 0.100 s"),
        (["--output=x.mp4", "--top_k=4294967297"], "a whole number from 0 to 2147483647"),
        (["--output=x.mp4", "--seed=4294967297"], "seed must be a whole number"),
        (["--output=x.mp4", "--chunk_frames=100000000"], "chunk_frames must lie in [1, 10000]"),
    ],
)
def test_what_cannot_be_is_one_line(root, tmp_path, monkeypatch, capsys, arguments, named):
    monkeypatch.chdir(tmp_path)
    write_wav("short.wav", np.full(2400, 0.1))
    write_wav("silent.wav", np.zeros(9600))
    given = [f"--preset={root / 'preset'}", f"--audio={root / 'speech.wav'}", *arguments]
    refused(capsys, named, "generate", *given)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["short.wav", "silent.wav"]


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(
    root, tmp_path, monkeypatch, capsys
):
    def full(dir):
        raise OSError(30, "Read-only file system", dir)

    monkeypatch.setattr(tempfile, "TemporaryFile", full)  # root may write where others may not
    given = (f"--preset={root / 'nowhere'}", f"--audio={root / 'speech.wav'}")
    message = f"{tmp_path}: no file can be written in it (Read-only file system)"
    refused(capsys, message, "generate", *given, f"--output={tmp_path / 'a.mp4'}")


def test_what_a_pipe_cannot_hold_is_said_with_what_it_can(tmp_path, monkeypatch):
    with av.open(str(tmp_path / "a.mp4"), "w") as file:  # its index comes at the end
        stream = file.add_stream("aac", rate=24000, layout="mono")
        noise = np.float32(np.random.default_rng(0).uniform(-1, 1, (1, 48_000)))
        frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
        frame.sample_rate = 24000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    with subprocess.Popen(["cat", str(tmp_path / "a.mp4")], stdout=subprocess.PIPE) as cat:
        with os.fdopen(os.dup(cat.stdout.fileno())) as standard_input:
            monkeypatch.setattr(sys, "stdin", standard_input)
            with pytest.raises(ValueError, match="--audio=- holds .*: pipe wav, flac, mp3 or ogg"):
                list(live.pieces("-"))


def test_sound_is_given_from_its_first_piece_once_some_of_it_is_heard():
    quiet, loud = np.zeros(3, np.float32), np.full(3, 0.1, np.float32)
    pieces = [quiet, quiet, loud, quiet]
    given = list(live.audible(iter(pieces)))
    assert all(each is piece for each, piece in zip(given, pieces, strict=True))
    with pytest.raises(ValueError, match="The sound is silent"):
        next(live.audible(iter([quiet, quiet])))


def test_a_file_that_is_there_stays_until_the_first_frame_and_then_grows(root, tmp_path):
    waveform, target, seen = read_audio(root / "speech.wav"), tmp_path / "x.mp4", []
    model = AudioToVideo.from_preset(root / "preset", chunk_frames=4)

    def breaks_off(pieces):
        for number in range(pieces):
            yield waveform[2400 * number : 2400 * (number + 1)]
            seen.append(target.read_bytes())
        raise ValueError("the sound breaks off")

    target.write_bytes(b"precious")
    with pytest.raises(ValueError, match="breaks off"):
        live.film(model.session(), breaks_off(3), str(target), model.fps)
    assert [*seen, target.read_bytes()] == [b"precious"] * 4
    seen.clear()
    with pytest.raises(ValueError, match="breaks off"):
        live.film(model.session(), breaks_off(24), str(target), model.fps)
    sizes = [len(content) for content in seen if content != b"precious"]
    assert len(sizes) < 24 and sizes == sorted(sizes) and len(set(sizes)) > 2
    assert 0 < len(read_video(target)) < FRAMES


def test_the_export_command_numbers_its_versions(root, capsys):
    given = (f"--preset={root / 'preset'}", f"--output_dir={root / 'models'}", "--nowarmup")
    line, _ = run("export", *given)
    assert line["saved_model"] == str(root / "models" / "1") and line["megabytes"] > 0
    signatures = tf.saved_model.load(line["saved_model"]).signatures
    assert set(signatures) == {"encode", "decode", "generate", "stream_init", "stream_step"}
    refused(capsys, "has a version 1 already", "export", *given, "--version=1")
