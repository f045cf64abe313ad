"""`nwt generate --stream` and `nwt export` as a user types them: files, pipes, refusals."""

import json
import os
import subprocess
import sys

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
        (["--output=x.mp4", "--top_p=0"], "top_p must lie in (0, 1]"),
        (["--output=x.mp4", "--sampling=parallel"], "FAR draws a frame at once"),
        (["--output=x.mp4", "--stream", "--audio=short.wav"], "short.wav: The sound is 0.100 s"),
        (["--output=x.mp4", "--top_k=4294967297"], "top_k must be a whole number"),
        (["--output=x.mp4", "--seed=4294967297"], "seed must be a whole number"),
        (["--output=x.mp4", "--chunk_frames=100000000"], "chunk_frames must lie in [1, 10000]"),
    ],
)
def test_what_cannot_be_is_one_line(root, tmp_path, monkeypatch, capsys, arguments, named):
    monkeypatch.chdir(tmp_path)
    write_wav("short.wav", np.full(2400, 0.1))
    given = [f"--preset={root / 'preset'}", f"--audio={root / 'speech.wav'}", *arguments]
    refused(capsys, named, "generate", *given)
    assert [path.name for path in tmp_path.iterdir()] == ["short.wav"]


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
