"""Footage to a talking video by the commands as a user types them, and what they refuse."""

import contextlib
import io
import json
import os
import subprocess
import sys
import wave

import av
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from data_pipeline.media import probe, read_audio, read_video
from data_pipeline.synthetic import write_footage
from data_pipeline.synthetic_voice import synthesize_voice
from nwt_tf.bin import nwt

SECONDS = 1.7  # of the unseen sound
FPS = 25
CLIP_SECONDS = 1.2


def run(command, *arguments):
    """A command in this process: (its last line, all it printed)."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        nwt.main([command, *map(str, arguments)])
    return json.loads(printed.getvalue().splitlines()[-1]), printed.getvalue()


def write_wav(path, waveform, rate=24000):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", "not compressed"))
        file.writeframes((np.asarray(waveform) * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """All stages once, each at the `tiny` config: footage, shards, dvae, codes, prior, lines."""
    root = tmp_path_factory.mktemp("path")
    write_footage(root / "footage", clips_per_episode=4, clip_seconds=CLIP_SECONDS)
    write_wav(root / "speech.wav", 0.9 * synthesize_voice(SECONDS, seed=99).waveform)
    lines = {
        "build_dataset": run(
            "build_dataset",
            f"--input_dir={root / 'footage'}",
            f"--output_dir={root / 'shards'}",
            "--config=demo",
            f"--config.segment_seconds={CLIP_SECONDS}",
            "--num_workers=1",
        )[0],
        "train_dvae": run("train_dvae", *training(root, "shards", "dvae"))[0],
        "extract_codes": run(
            "extract_codes",
            f"--preset={root / 'dvae'}",
            f"--data_dir={root / 'shards'}",
            f"--output_dir={root / 'codes'}",
        )[0],
        "train_prior": run(
            "train_prior", *training(root, "codes", "prior"), "--config.train.samples=1"
        )[0],
    }
    (root / "lines.json").write_text(json.dumps(lines))
    return root


def training(root, data, workdir):
    return f"--data_dir={root / data}", f"--workdir={root / workdir}", "--config=tiny"


def content(folder):
    """{file's path: (bytes, time of its last change)} of all files in a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_every_stage_reports_what_it_did(root):
    lines = json.loads((root / "lines.json").read_text())
    assert lines["build_dataset"]["clips"] == lines["extract_codes"]["clips"] == 8
    assert lines["extract_codes"]["frames"] == 8 * round(CLIP_SECONDS * FPS)
    for stage, figure in (("train_dvae", "ssim"), ("train_prior", "bits_per_code")):
        assert lines[stage]["steps"] == 4
        assert np.isfinite(lines[stage][figure])


@pytest.mark.parametrize(("stage", "data"), [("dvae", "shards"), ("prior", "codes")])
def test_a_finished_training_resumes_and_changes_nothing(root, stage, data):
    folder = root / stage
    weights = {p.name: p.read_bytes() for p in folder.glob("*.npz")}
    line, printed = run(f"train_{stage}", *training(root, data, stage))
    assert "resumed from" in printed
    assert line["steps"] == 4
    assert {p.name: p.read_bytes() for p in folder.glob("*.npz")} == weights


@pytest.mark.parametrize(
    ("stage", "sheet", "clip"), [("dvae", "clips", "clip"), ("prior", "samples", "sample")]
)
def test_validations_are_pictured(root, stage, sheet, clip):
    """Sheets, and clips side by side in motion, in the workdir and for TensorBoard."""
    with Image.open(root / stage / "pictures" / f"validation_{sheet}_000004.png") as picture:
        assert picture.size == (8 * 56, 2 * 64)  # one held-out clip
    with Image.open(root / stage / "pictures" / f"validation_{clip}_000004.gif") as picture:
        assert picture.size == (2 * 56, 64) and picture.n_frames == 8
    events = EventAccumulator(str(root / stage / "logs")).Reload()
    assert {f"validation/{sheet}", f"validation/{clip}"} <= set(events.Tags()["tensors"])


@pytest.fixture(scope="module")
def video(root):
    """The mp4 of unseen speech, made by a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "nwt_tf.bin.nwt", "generate", f"--preset={root / 'prior'}",
         f"--audio={root / 'speech.wav'}", f"--output={root / 'out.mp4'}",
         "--episode=episode_01"],
        capture_output=True,
        text=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["frames"] == round(SECONDS * FPS)
    return root / "out.mp4"


def test_the_video_is_h264_with_aac_and_says_what_it_is(video):
    with av.open(str(video)) as file:
        assert file.streams.video[0].codec_context.name == "h264"
        assert file.streams.video[0].codec_context.pix_fmt == "yuv420p"
        assert file.streams.audio[0].codec_context.name == "aac"
        assert file.metadata["comment"] == "generated by nwt_tf"
    info = probe(video, require=("video", "audio"))
    assert (info.height, info.width, info.fps) == (64, 56, FPS)


def test_the_video_has_the_sound_in_sync_and_its_length(root, video):
    given, kept = read_audio(root / "speech.wav"), read_audio(video)
    frames = read_video(video)
    assert len(frames) == round(SECONDS * FPS)
    assert abs(len(kept) - len(given)) <= 1024  # AAC ends with a whole block
    length = min(len(given), len(kept))
    spectra = np.fft.rfft([given[:length], kept[:length]], 2 * length)
    correlation = np.fft.irfft(spectra[1] * spectra[0].conj())
    lag = int(np.argmax(correlation))
    assert min(lag, 2 * length - lag) < 24000 / FPS / 2  # half a frame
    with av.open(str(video)) as file:
        starts = [float(s.start_time * s.time_base) for s in (file.streams[0], file.streams[1])]
        ends = [float(s.duration * s.time_base) for s in (file.streams[0], file.streams[1])]
    assert abs(starts[0] - starts[1]) < 0.025
    assert abs(ends[0] - SECONDS) <= 1 / FPS and abs(ends[1] - SECONDS) < 0.06


def test_sound_of_a_video_does_as_well_and_a_seed_gives_the_same_video(root):
    arguments = (f"--preset={root / 'prior'}", f"--audio={root / 'speech.wav'}")
    outputs = [root / f"seed{n}.mp4" for n in range(3)]
    for output, seed in zip(outputs, (5, 5, 6), strict=True):
        run("generate", *arguments, f"--output={output}", f"--seed={seed}")
    same, again, other = (read_video(output) for output in outputs)
    assert np.array_equal(same, again)
    assert not np.array_equal(same, other)
    line, _ = run(
        "generate", arguments[0], f"--audio={outputs[0]}", f"--output={root / 'of_video.mp4'}"
    )
    assert abs(line["frames"] - SECONDS * FPS) <= 1.5  # AAC has added the rest of its last block


def test_evaluate_measures_pictures_from_shards_and_from_footage(root):
    line, _ = run(
        "evaluate",
        f"--preset={root / 'dvae'}",
        f"--data_dir={root / 'shards'}",
        f"--sheet={root / 'sheet.png'}",
    )
    assert line["clips"] == 1 and -1 <= line["ssim"] <= 1 and line["psnr"] > 0
    assert len(line["bits_per_head"]) == 4
    assert (root / "sheet.png").read_bytes()[:4] == b"\x89PNG"
    line, _ = run(
        "evaluate", f"--preset={root / 'prior'}", f"--input_dir={root / 'footage'}", "--max_clips=2"
    )
    assert line["clips"] == 2 and line["frames"] == 2 * round(CLIP_SECONDS * FPS)


def test_evaluate_measures_the_prior(root):
    line, printed = run(
        "evaluate",
        "--what=generation",
        f"--preset={root / 'prior'}",
        f"--compare={root / 'prior'}",
        f"--input_dir={root / 'footage'}",
        "--max_clips=2",
        f"--sheet={root / 'systems.png'}",
    )
    assert line["clips"] == 2
    assert 0 < line["bits_per_code"] < 3  # two bits for four codes are guessing
    assert line["bits_per_code_other_sound"] > 0 and line["bits_per_code_silence"] > 0
    assert line["true_correlation"] > 0.4
    assert abs(line["true_other_sound_correlation"]) < line["true_correlation"] / 2
    for figure in ("mouth_sound_correlation", "other_sound_correlation"):
        assert -1 <= line[figure] <= 1
    assert "peak_lag" in line
    systems = line["systems"]
    assert list(systems) == [
        *("ground_truth", "reconstruction", "generated", "compared"),
        *("still_frame", "shuffled_sound"),
    ]
    assert systems["compared"] == systems["generated"]
    assert systems["ground_truth"]["opening_correlation"] > 0.9
    assert systems["still_frame"]["mouth_match"] == 0.0
    for system in systems:
        assert f"| {system.replace('_', ' ')}" in printed
    with Image.open(root / "systems.png") as picture:  # four strips a clip, of eight frames
        assert picture.size == (8 * 56, 2 * 4 * 64)


def test_generation_needs_no_second_clip(root):
    line, _ = run(
        "evaluate",
        "--what=generation",
        f"--preset={root / 'prior'}",
        f"--data_dir={root / 'shards'}",
        "--mouth=0.5,0.9,0.2,0.8",
    )
    assert line["clips"] == 1 and line["mouth"] == [0.5, 0.9, 0.2, 0.8]
    assert line["other_sound_correlation"] is None and "shuffled_sound" not in line["systems"]


def test_evaluate_all_writes_a_card(root):
    card = root / "card" / "card.md"
    line, _ = run(
        "evaluate",
        "--what=all",
        f"--preset={root / 'prior'}",
        f"--input_dir={root / 'footage'}",
        "--max_clips=2",
        "--minutes=0.2",
        f"--card={card}",
        "--about=A drawing.",
    )
    assert line["drift"]["frames"] == 300
    assert line["retrieval"]["frames"] == 2 * round(CLIP_SECONDS * FPS)
    assert 0 <= line["retrieval"]["nearest_distance"] <= 1
    text = card.read_text()
    assert "A drawing." in text and "--minutes=0.2" in text
    measured = [key for key in line if key != "seconds"]
    assert measured == ["reconstruction", "generation", "drift", "retrieval"]
    for what in measured:
        assert f"### {what.capitalize()}" in text
        assert (card.parent / f"card_{what}.png").read_bytes()[:4] == b"\x89PNG"
    # The preset of a dVAE alone has no prior to measure.
    line, _ = run(
        "evaluate", "--what=all", f"--preset={root / 'dvae'}", f"--data_dir={root / 'shards'}"
    )
    assert [key for key in line if key != "seconds"] == ["reconstruction", "retrieval"]


def test_evaluate_measures_footage_without_a_preset(root):
    line, printed = run(
        "evaluate", "--what=footage", f"--data_dir={root / 'shards'}", "--split=train"
    )
    assert line["peak_lag"] == 0 and line["mouth_sound_correlation"] > 0.4
    assert "| ground truth |" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--preset={root}/prior",), "Give one of --input_dir and --data_dir"),
        (("--data_dir={root}/shards",), "--preset must be given"),
        (("--what=footage", "--input_dir={root}/footage"), "--input_dir takes a --preset"),
        (("--preset={root}/dvae", "--what=generation", "--data_dir={root}/shards"), "no prior"),
        (("--preset={root}/dvae", "--data_dir={root}/codes"), "holds codes, no frames"),
        (
            ("--preset={root}/prior", "--what=generation", "--data_dir={root}/shards",
             "--mouth=1,2,3"),
            "--mouth=1,2,3 must be top,bottom,left,right",
        ),
        (
            ("--preset={root}/prior", "--what=all", "--data_dir={root}/shards", "--sheet=a.png"),
            "--sheet takes one picture",
        ),
        (
            ("--preset={root}/prior", "--what=drift", "--input_dir={root}/footage",
             "--minutes=0.02", "--mouth=0,1,0,1"),
            "take more --minutes",
        ),
        (
            ("--preset={root}/prior", "--what=drift", "--data_dir={root}/shards"),
            "give --input_dir",
        ),
    ],
)  # fmt: skip
def test_evaluate_refuses(root, capsys, arguments, message):
    refused(capsys, message, "evaluate", *(each.format(root=root) for each in arguments))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--preset": "nowhere"}, "No preset at"),
        ({"--preset": "dvae"}, "has no prior: train one"),
        ({"--audio": "nowhere.wav"}, "nowhere.wav"),
        ({"--audio": "silent.wav"}, "silent"),
        ({"--audio": "short.wav"}, "0.100 s long"),
        ({"--audio": "text.wav"}, "text.wav"),
        ({"--output": "out.avi"}, "must end in .mp4"),
        ({"--episode": "episode_07"}, "episode_00, episode_01"),
    ],
)
def test_generate_refuses(root, tmp_path, capsys, change, message):
    write_wav(tmp_path / "silent.wav", np.zeros(48000))
    write_wav(tmp_path / "short.wav", synthesize_voice(1.0, seed=1).waveform[12000:14400])
    (tmp_path / "text.wav").write_text("These are words, not sound.\n" * 100)
    out = tmp_path / "out"
    out.mkdir()
    flags = {"--preset": root / "prior", "--audio": root / "speech.wav", "--output": out / "a.mp4"}
    folders = {"--preset": root, "--audio": tmp_path, "--output": out}
    for flag, value in change.items():
        flags[flag] = folders[flag] / value if flag in folders else value
    refused(capsys, message, "generate", *(f"{flag}={value}" for flag, value in flags.items()))
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train_dvae", "shards", "dvae", "--config.train.batch_size=3"), "batch_size was 2"),
        (("train_prior", "codes", "prior", "--config.model.width=8"), "width was 16"),
        (("train_dvae", "nothing", "new"), "nothing"),
        (("train_prior", "shards", "new"), "run nwt extract_codes on it first"),
    ],
)
def test_trainings_refuse_what_does_not_fit(root, capsys, arguments, message):
    command, data, workdir, *others = arguments
    before = content(root)
    refused(capsys, message, command, *training(root, data, workdir), *others)
    assert content(root) == before


def test_extract_codes_refuses_a_folder_with_codes(root, capsys):
    before = content(root)
    refused(
        capsys,
        "has a dataset already",
        "extract_codes",
        f"--preset={root / 'dvae'}",
        f"--data_dir={root / 'shards'}",
        f"--output_dir={root / 'codes'}",
    )
    assert content(root) == before


def refused(capsys, message, command, *arguments):
    """Exit code 2, and one line that says why."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_:
        nwt.main([command, *map(str, arguments)])
    lines = capsys.readouterr().err.strip().splitlines()
    assert exit_.value.code == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"nwt {command}: error: ")
    assert message in lines[0]
