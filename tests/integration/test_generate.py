"""`nwt generate` as it is typed: whose look, which style, whose words, and sound of every kind."""

import dataclasses
import functools
import json
import os
import shlex
import shutil
import subprocess
import sys

import av
import keras
import numpy as np
import pytest

from configs import dvae as dvae_configs
from configs import footage as footage_configs
from configs import prior as prior_configs
from data_pipeline.clip_settings import ClipSettings
from data_pipeline.media import probe, read_audio, read_video
from data_pipeline.mp4 import write_mp4
from data_pipeline.reference import reference_clips
from data_pipeline.synthetic import make_clip
from data_pipeline.synthetic_voice import synthesize_voice
from nwt_tf.generation import styles
from nwt_tf.generation.audio_to_video import AudioToVideo
from nwt_tf.models.dvae import DVAE
from nwt_tf.models.far import FAR
from tests.integration.commands import content, refused, run, write_wav

SECONDS = 0.8
MIB_AN_HOUR = 2500  # the sound alone is 330
DEFAULT = [0.5, -0.5, 1.0, 0.0]
OWN = [-1.5, 0.5, 0.0, 2.0]  # the default of episode_01


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """An untrained pair of tiny models as a preset, a voice, and a reference."""
    root = tmp_path_factory.mktemp("generate")
    keras.utils.set_random_seed(0)
    model = dataclasses.asdict(dvae_configs.get_config("tiny").model)
    dvae = DVAE(height=64, width=56, num_episodes=2, **model)
    dvae.build()
    dvae.attention.query_projection.kernel.assign(50 * dvae.attention.query_projection.kernel)
    arguments = dataclasses.asdict(prior_configs.get_config("tiny").model)
    del arguments["kind"]
    prior = FAR(grid=dvae.grid, num_heads=4, num_codes=4, num_episodes=2, **arguments)
    prior.build()
    for layer in (prior.output_layer, prior.style_encoder.posterior):  # or all looks the same
        layer.kernel.assign(20 * layer.kernel)
    footage = dataclasses.asdict(footage_configs.get_config("demo"))
    footage |= {"episodes": {"episode_00": 0, "episode_01": 1}}
    model = AudioToVideo(dvae, prior, footage, DEFAULT, episode_styles={"episode_01": OWN})
    model.save_to_preset(root / "preset", "card", "float32")
    # The command loads it once for all: tracing its loop takes most of the time.
    loaded = functools.cache(AudioToVideo.from_preset)
    patch = pytest.MonkeyPatch()
    patch.setattr(AudioToVideo, "from_preset", loaded)
    write_wav(root / "speech.wav", synthesize_voice(SECONDS, seed=9).waveform)
    clip = make_clip(episode=1, seed=5, seconds=1.0)
    write_mp4(root / "reference.mp4", clip.frames(height=64, width=56), 25)
    yield root
    patch.undo()


def typed(root, output, *flags, audio="speech.wav"):
    """The command, and what follows it."""
    spoken = () if audio is None else (f"--audio={root / audio}",)
    return "generate", f"--preset={root / 'preset'}", f"--output={output}", *spoken, *flags


def generate(root, output, *flags, **sound):
    """Runs the command; its last line."""
    return run(*typed(root, output, *flags, **sound))[0]


def test_the_default_style_is_the_preset_s_and_a_style_told_is_the_same_again(root, tmp_path):
    line = generate(root, tmp_path / "a.mp4")
    assert line["style"] == DEFAULT and line["mp4"] == str(tmp_path / "a.mp4")
    drawn = generate(root, tmp_path / "b.mp4", "--style_seed=3")
    np.testing.assert_allclose(drawn["style"], styles.sample(4, 3), rtol=1e-5)
    told = ",".join(map(str, drawn["style"]))
    generate(root, tmp_path / "c.mp4", f"--style={told}")
    videos = [read_video(tmp_path / name) for name in ("a.mp4", "b.mp4", "c.mp4")]
    assert np.array_equal(videos[1], videos[2]) and not np.array_equal(videos[0], videos[1])


def test_guidance_is_an_option_of_the_draws(root, tmp_path):
    every = {"a.mp4": (), "b.mp4": ("--guidance=1", "--temperature=1"), "c.mp4": ("--guidance=4",)}
    for name, flags in every.items():
        generate(root, tmp_path / name, *flags)
    videos = [read_video(tmp_path / name) for name in every]
    assert np.array_equal(videos[0], videos[1]) and not np.array_equal(videos[0], videos[2])


def test_each_episode_is_shown_in_its_own_default_style(root, tmp_path):
    line = generate(root, tmp_path / "a.mp4", "--episode=none,episode_01")
    assert line["style"] == [DEFAULT, OWN]
    line = generate(root, tmp_path / "b.mp4", "--episode=episode_01", "--style_to=default")
    assert line["style"] == OWN


def test_a_style_is_copied_from_a_reference_without_sound(root, tmp_path):
    line = generate(root, tmp_path / "a.mp4", f"--style_video={root / 'reference.mp4'}")
    model = AudioToVideo.from_preset(str(root / "preset"))
    settings = ClipSettings.of_footage(model.footage)
    clips = reference_clips(root / "reference.mp4", settings)
    np.testing.assert_allclose(
        line["style"], styles.copy(model.dvae, model.prior, clips), rtol=1e-5
    )
    assert np.abs(np.subtract(line["style"], DEFAULT)).max() > 0.05
    drawn = generate(
        root, tmp_path / "b.mp4", f"--style_video={root / 'reference.mp4'}", "--style_seed=1"
    )
    assert np.abs(np.subtract(drawn["style"], line["style"])).max() > 1e-3


def test_a_list_of_episodes_gives_a_video_each_and_a_mixture_one(root, tmp_path):
    line = generate(root, tmp_path / "a.mp4", "--episode=episode_01,none")
    names = ["a_episode_01.mp4", "a_none.mp4"]
    assert line["mp4"] == [str(tmp_path / name) for name in names]
    assert line["frames"] == 2 * round(SECONDS * 25)
    generate(root, tmp_path / "mixed.mp4", "--episode=episode_01:0.5,none:0.5")
    decoder = "--decoder_episode=none:1,episode_00:3"
    generate(root, tmp_path / "apart.mp4", "--episode=episode_01", decoder)
    names += ["mixed.mp4", "apart.mp4"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    videos = [read_video(tmp_path / name) for name in names]
    same = [np.array_equal(one, two) for i, one in enumerate(videos) for two in videos[:i]]
    assert not any(same)


def test_a_sweep_and_a_way_between_styles_stand_side_by_side(root, tmp_path):
    line = generate(root, tmp_path / "a.mp4", "--style_sweep=2", "--style_values=-1,1,3")
    assert [style[2] for style in line["style"]] == [-1, 1, 3]
    assert all(style[:2] == DEFAULT[:2] for style in line["style"])
    assert line["sheet"] == str(tmp_path / "a.png")
    assert read_video(tmp_path / "a.mp4").shape[2] > 3 * 2 * 56  # enlarged twice
    to = generate(root, tmp_path / "b.mp4", "--style_to=seed:3", "--style_mix=0,0.5,1")
    first, middle, last = to["style"]
    np.testing.assert_allclose(middle, np.add(first, last) / 2, rtol=1e-4, atol=1e-6)
    assert first == DEFAULT and (tmp_path / "b.png").exists()
    half = generate(root, tmp_path / "c.mp4", "--style_to=seed:3")
    assert half["style"] == middle and not (tmp_path / "c.png").exists()


def test_words_are_spoken(root, tmp_path):
    (tmp_path / "say.py").write_text(
        f"import shutil, sys; shutil.copy({str(root / 'speech.wav')!r}, sys.argv[1])"
    )
    speaker = shlex.join([sys.executable, str(tmp_path / "say.py")]) + " {wav}"
    generate(root, tmp_path / "a.mp4", "--text=Hello", f"--tts_command={speaker}", audio=None)
    generate(root, tmp_path / "b.mp4")
    assert np.array_equal(read_video(tmp_path / "a.mp4"), read_video(tmp_path / "b.mp4"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--episode=monday"], "Unknown episode 'monday'; the preset has episode_00, episode_01,"),
        (["--decoder_episode=monday"], "Unknown episode 'monday'"),
        (["--episode=episode_00:0,none:0"], "weights of episodes"),
        (["--decoder_episode=episode_00,none"], "must be one episode or mixture"),
        (["--episode=none,none"], "would write one file twice"),
        (["--style=1,2"], "--style: style must have 4 numbers. Received: 2"),
        (["--style=1,2,x,4"], "--style=1,2,x,4 must be numbers"),
        (["--style=1,2,3,nan"], "style must be finite"),
        (["--style=1,2,3,4", "--style_seed=1"], "Give --style alone"),
        (["--style_seed=-1"], "must be at least 0"),
        (["--style_video=nowhere.mp4"], "nowhere.mp4: no such file"),
        (["--style_video=SPEECH"], "has no video stream"),
        (["--style_to=moon"], "--style_to=moon is none of"),
        (["--style_to=seed:1", "--style_mix=1.5"], "must lie in [0, 1]"),
        (["--style_to=seed:1", "--style_mix=half"], "--style_mix=half must be numbers"),
        (["--style_to=seed:1", "--style_sweep=1"], "Give one of --style_to and --style_sweep"),
        (["--style_mix=0.5"], "--style_mix is of --style_to: give both"),
        (["--style_values=1"], "--style_values is of --style_sweep: give both"),
        (["--style_sweep=4"], "4 variates, 0 to 3. Received: 4"),
        (["--text=hello"], "Give one of --audio and --text"),
        (["--output=nowhere/a.mp4"], "nowhere: no such folder to write a.mp4 in"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(root, tmp_path, capsys, flags, message):
    flags = [flag.replace("SPEECH", str(root / "speech.wav")) for flag in flags]
    generate_refused(root, tmp_path, capsys, message, *flags)


@pytest.mark.parametrize("flags", [("--style_video=a.mp4",), ("--style_to=./a.mp4", "--stream")])
def test_a_file_that_is_read_is_not_written_over(root, tmp_path, monkeypatch, capsys, flags):
    monkeypatch.chdir(tmp_path)
    shutil.copy(root / "reference.mp4", "a.mp4")
    generate_refused(root, tmp_path, capsys, f"is also {flags[0].partition('=')[0]}", *flags)
    shutil.copy("a.mp4", "a_episode_01.mp4")  # as the second of two episodes would be called
    several = ("--style_video=a_episode_01.mp4", "--episode=none,episode_01")
    generate_refused(root, tmp_path, capsys, "is also --style_video", *several)


def test_a_sheet_that_cannot_be_written_is_refused_before_the_video(root, tmp_path, capsys):
    (tmp_path / "a.png").mkdir()
    generate_refused(root, tmp_path, capsys, "a.png: is a folder", "--style_sweep=1")
    assert not (tmp_path / "a.mp4").exists()


def generate_refused(root, tmp_path, capsys, message, *flags, **sound):
    before = content(tmp_path)
    refused(capsys, message, *typed(root, tmp_path / "a.mp4", *flags, **sound))
    assert content(tmp_path) == before


def write_float_wav(path, samples):
    with av.open(str(path), "w", format="wav") as file:
        stream = file.add_stream("pcm_f32le", rate=24000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.float32(samples)[None], format="flt", layout="mono")
        frame.sample_rate = 24000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def kinds_of_sound(folder):
    """{name: how it is written}: what `generate` meets."""
    voice = synthesize_voice(SECONDS, seed=9).waveform
    low = synthesize_voice(SECONDS, seed=9, sample_rate=16000).waveform[::2]
    damaged = np.where(np.arange(len(voice)) == 5000, np.nan, voice)
    return {
        "clipped": lambda path: write_wav(path, 30 * voice),
        "8_khz": lambda path: write_wav(path, low, rate=8000),
        "5.1": lambda path: write_wav(path, np.stack([voice] + [0.1 * voice] * 5, axis=1)),
        "quiet": lambda path: write_wav(path, 0.003 * voice),
        "late": lambda path: write_wav(path, np.concatenate([np.zeros(4800), voice])),
        "empty": lambda path: path.write_bytes(b""),
        "no_samples": lambda path: write_wav(path, voice[:0]),
        "too_short": lambda path: write_wav(path, voice[12000:14400]),
        "silent": lambda path: write_wav(path, 0 * voice),
        "nan": lambda path: write_float_wav(path, damaged),
        "words": lambda path: path.write_text("not a sound " * 50),
    }


@pytest.mark.parametrize("kind", ["clipped", "8_khz", "5.1", "quiet", "late"])
def test_odd_sound_works(root, tmp_path, kind):
    kinds_of_sound(tmp_path)[kind](tmp_path / "odd.wav")
    line = generate(root, tmp_path / "a.mp4", audio=tmp_path / "odd.wav")
    seconds = SECONDS + (0.2 if kind == "late" else 0)
    assert line["frames"] == len(read_video(tmp_path / "a.mp4")) == round(seconds * 25)
    assert len(read_audio(tmp_path / "a.mp4")) / 24000 == pytest.approx(seconds, abs=0.05)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("empty", "odd.wav: is empty"),
        ("no_samples", "odd.wav: has an audio stream without any samples"),
        ("too_short", "odd.wav: The sound is 0.100 s long; at least 0.2 s"),
        ("silent", "odd.wav: The sound is silent"),
        ("nan", "odd.wav: its sound has samples that are not finite"),
        ("words", "odd.wav: is not a readable"),
    ],
)
def test_sound_that_cannot_be_is_refused_by_name(root, tmp_path, capsys, kind, message):
    kinds_of_sound(tmp_path)[kind](tmp_path / "odd.wav")
    generate_refused(root, tmp_path, capsys, message, audio=tmp_path / "odd.wav")


def test_a_picture_without_sound_is_refused(root, tmp_path, capsys):
    generate_refused(root, tmp_path, capsys, "has no audio stream", audio="reference.mp4")


@pytest.mark.soak
def test_an_hour_of_sound_in_bounded_memory(root, tmp_path):
    """A process of its own for six minutes and for an hour: what the other 54 minutes cost."""
    minute = synthesize_voice(60, seed=1).waveform
    most = []
    for minutes in (6, 60):
        write_wav(tmp_path / "long.wav", np.tile(minute, minutes))
        script = (
            "import sys; from nwt_tf.bin import nwt; nwt.main(sys.argv[1:]);"
            "status = dict(line.split(':', 1) for line in open('/proc/self/status'));"
            "print(int(status['VmHWM'].split()[0]))"  # ru_maxrss counts the forking process, too
        )
        done = subprocess.run(
            [sys.executable, "-c", script, "generate", f"--preset={root / 'preset'}",
             f"--audio={tmp_path / 'long.wav'}", f"--output={tmp_path / 'long.mp4'}"],
            capture_output=True,
            text=True,
            env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        line, peak = done.stdout.splitlines()[-2:]
        assert json.loads(line)["frames"] == minutes * 60 * 25
        most.append(int(peak) / 1024)  # MiB
    info = probe(tmp_path / "long.mp4", require=("video", "audio"))
    assert info.duration == pytest.approx(3600, abs=0.1)
    assert most[1] - most[0] < MIB_AN_HOUR, most
