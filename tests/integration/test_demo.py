"""`nwt demo`: its folder, its measure, its contact sheet; and, as a soak, the whole of it."""

import dataclasses
import json
import os
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from configs import footage as footage_configs
from data_pipeline.media import probe, read_audio
from data_pipeline.synthetic import make_clip
from nwt_tf.bin import demo, nwt
from nwt_tf.bin.demos import demonstration, speaking
from nwt_tf.bin.generating import contact_sheet
from nwt_tf.bin.measures.control import mouth_correlation
from nwt_tf.generation.audio_to_video import AudioToVideo
from nwt_tf.generation.choice import Options
from tests.integration.commands import write_wav


@pytest.fixture(scope="module")
def clips():
    """Two short clips of each of two episodes, with their true frames."""
    made = [make_clip(episode=e, seed=s, seconds=2.0) for e in (0, 1) for s in (3, 4)]
    return [(clip, np.stack(list(clip.frames(height=64, width=56)))) for clip in made]


def test_true_frames_correlate_highly(clips):
    assert mouth_correlation(clips) > 0.95


def test_frames_of_other_sound_do_not_correlate(clips):
    swapped = [(clips[i][0], clips[j][1]) for i, j in enumerate((1, 0, 3, 2))]
    assert mouth_correlation(swapped) < 0.6
    assert mouth_correlation(swapped) < mouth_correlation(clips) - 0.3


def test_a_mouth_that_never_moves_scores_zero(clips):
    still = [(clip, np.repeat(frames[:1], len(frames), axis=0)) for clip, frames in clips[:1]]
    assert mouth_correlation(still) == 0.0


def test_each_episode_counts_the_same(clips):
    still = np.repeat(clips[2][1][:1], len(clips[2][1]), axis=0)
    half = [*clips[:2], (clips[2][0], still)]
    whole = mouth_correlation(clips[:2])
    assert mouth_correlation(half) == pytest.approx(whole / 2)


def test_unseen_clips_are_in_no_footage(tmp_path, monkeypatch):
    monkeypatch.setattr(demonstration, "CLIPS_PER_EPISODE", 2)
    config = dataclasses.replace(footage_configs.get_config("demo"), segment_seconds=1.2)
    truth = demonstration.make_footage(tmp_path, config, seed=7)
    seen = [clip["opening"] for episode in truth["episodes"] for clip in episode["clips"]]
    unseen = demonstration.unseen_clips(7, fps=25, seconds=1.2)
    assert [clip.episode.name for clip in unseen] == ["episode_00"] * 2 + ["episode_01"] * 2
    assert all(len(clip.performance) == 30 for clip in unseen)
    for clip in unseen:
        near = [np.allclose(clip.performance.opening, opening, atol=1e-3) for opening in seen]
        assert not any(near)
    again = demonstration.unseen_clips(7, fps=25, seconds=1.2)
    other = demonstration.unseen_clips(8, fps=25, seconds=1.2)
    assert np.array_equal(unseen[0].voice.waveform, again[0].voice.waveform)
    assert not np.array_equal(unseen[0].voice.waveform, other[0].voice.waveform)


def test_frames_are_enlarged_for_the_screen():
    frame = np.zeros((8, 6, 3), np.uint8)
    frame[:, 3:] = 200
    large = contact_sheet.enlarged(frame)
    assert large.shape == (32, 24, 3) and large.dtype == np.uint8
    assert large[:, :8].max() == 0 and large[:, 16:].min() > 190


def test_liveliest_finds_the_moving_part():
    opening = np.concatenate([np.zeros(40), np.tile([0.0, 1.0], 10), np.zeros(40)])
    assert contact_sheet.liveliest(opening, 21) in (39, 40)
    assert contact_sheet.liveliest(opening[:10], 20) == 0


def test_film_shows_the_middle_of_each_share_of_the_time():
    levels = np.arange(24, dtype=np.uint8) * 10
    video = np.broadcast_to(levels[:, None, None, None], (24, 16, 12, 3))
    strip = contact_sheet.strip(video, columns=4, gap=0.25)
    assert strip.shape == (48, 4 * (36 + 2 * 4), 3)
    cells = strip.reshape(48, 4, 44, 3)
    assert [int(cells[24, i, 22, 0]) for i in range(4)] == [30, 90, 150, 210]
    assert (cells[:, :, :4] == 255).all() and (cells[:, :, -4:] == 255).all()


def test_the_sheet_is_a_picture_with_the_frames_in_order(tmp_path):
    """Truth red, reconstruction green, generation blue: the colours appear from top to bottom."""
    videos = {}
    for channel, name in enumerate(("truth", "reconstruction", "generated")):
        video = np.zeros((80, 64, 56, 3), np.uint8)
        video[..., channel] = 230
        videos[name] = video
    opening = np.sin(np.arange(80) / 5) ** 2
    panel = contact_sheet.Panel(
        "a title", videos, np.zeros((384, 80)), {"true": opening, "generated": opening}, 25.0
    )
    path = tmp_path / "sheet.png"
    contact_sheet.draw(path, [panel, panel])
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    height, width = picture.shape[:2]
    assert width == 1200 and height > 800
    column = picture[:, width // 2 + 40]
    strong = [column[:, c] - np.delete(column, c, axis=1).max(axis=1) > 120 for c in range(3)]
    middles = [np.flatnonzero(mask[: height // 2]).mean() for mask in strong]
    assert middles == sorted(middles)
    assert list(tmp_path.iterdir()) == [path]


def test_a_sheet_that_cannot_be_written_leaves_nothing(tmp_path):
    panel = contact_sheet.Panel(
        "t", {"a": np.zeros((80, 64, 56, 3), np.uint8)}, np.zeros((384, 80)),
        {"true": np.zeros(80), "made": np.zeros(80)}, 25.0,
    )  # fmt: skip
    with pytest.raises(OSError):
        contact_sheet.draw(tmp_path / "nowhere" / "sheet.png", [panel])
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_an_earlier_demo_is_emptied(tmp_path):
    folder = demo.make_room(str(tmp_path / "new" / "demo"))
    (folder / "dvae").mkdir()
    (folder / "dvae" / "config.json").write_text("{}")
    (folder / "demo.mp4").write_text("old")
    assert demo.make_room(str(folder)) == folder
    assert [path.name for path in folder.iterdir()] == [demo.MARKER]


def test_what_a_user_puts_into_a_demo_s_folder_is_kept(tmp_path):
    folder = demo.make_room(str(tmp_path / "demo"))
    (folder / f"demo.mp4.{os.getpid()}.tmp").write_text("of a killed demo")
    for mine in ("my_voice.wav", "footage_of_mine.txt", "demo.mp4.bak"):
        (folder / mine).write_text("mine")
        with pytest.raises(ValueError, match=rf"files that no demo made \({mine}\)"):
            demo.make_room(str(folder))
        assert len(list(folder.iterdir())) == 3
        (folder / mine).unlink()
    assert [path.name for path in demo.make_room(str(folder)).iterdir()] == [demo.MARKER]


def test_an_earlier_demo_stays_where_the_new_one_cannot_be(tmp_path, capsys):
    folder = demo.make_room(str(tmp_path / "demo"))
    (folder / "demo.mp4").write_text("old")
    (folder / "footage").mkdir()
    shutil.copy(speaking.VOICE, folder / "footage" / "mine.wav")
    mine = f"--audio={folder / 'footage' / 'mine.wav'}"
    for flags, said in (
        (["--episode=nobody"], "nobody"),
        ([mine], "lies in --output_dir"),
        (["--seed=2147483648"], "--seed"),
    ):
        with pytest.raises(SystemExit) as exit_:
            nwt.main(["demo", f"--output_dir={folder}", *flags])
        assert exit_.value.code == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
        assert (folder / "demo.mp4").read_text() == "old"
        assert (folder / "footage" / "mine.wav").exists()


def test_a_folder_with_other_files_is_refused_and_kept(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    for output in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(SystemExit) as exit_:
            nwt.main(["demo", f"--output_dir={output}"])
        assert exit_.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_stopped_training_stops_the_demo():
    config = dataclasses.make_dataclass("Config", ["train"])(
        dataclasses.make_dataclass("Train", ["steps"])(10)
    )
    demonstration.finished({"steps": 10}, config)
    with pytest.raises(KeyboardInterrupt):
        demonstration.finished({"steps": 9}, config)


def test_the_shipped_preset_speaks(tmp_path, monkeypatch, capfd):
    """A short sound: the whole sentence is a soak."""
    monkeypatch.chdir(tmp_path)
    write_wav(tmp_path / "short.wav", make_clip(episode=0, seed=1, seconds=0.5).voice.waveform)
    nwt.main(["demo", "--audio=short.wav", "--episode=s1_03"])
    figures = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert figures["frames"] == 12
    check_spoken(tmp_path, figures, seconds=0.5)


def check_spoken(folder, figures, seconds):
    """An mp4 of the preset's shape with the sound, and a sheet, both in demo."""
    info = probe(folder / figures["mp4"], require=("video", "audio"))
    assert (info.height, info.width, info.fps) == (512, 448, 25.0)
    assert len(read_audio(folder / figures["mp4"])) / 24000 == pytest.approx(seconds, abs=0.05)
    assert Image.open(folder / figures["contact_sheet"]).size[0] == 1200


def test_audio_and_training_exclude_each_other(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        nwt.main(["demo", f"--output_dir={tmp_path / 'demo'}", "--train", "--episode=s1_00"])
    assert exit_.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "demo").exists()


@pytest.mark.soak
def test_the_sentence_that_comes_along_takes_a_minute(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "nwt_tf.bin.nwt", "demo"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    check_spoken(tmp_path, figures, seconds=len(read_audio(speaking.VOICE)) / 24000)
    assert figures["seconds"] < 90
    assert figures["mouth_sound_correlation"] > 0.1


@pytest.mark.soak
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_mouth_follows_unseen_sound(tmp_path, seed):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "nwt_tf.bin.nwt", "demo", f"--output_dir={tmp_path / 'demo'}",
         "--train", f"--seed={seed}"],
        capture_output=True,
        text=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["mouth_correlation"] >= 0.7
    assert figures["rule_correlation"] >= 0.95
    assert figures["ssim"] >= 0.6
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Six minutes on two cores of their own: beside other work only the clock runs longer.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 720
    assert AudioToVideo.from_preset(tmp_path / "demo/prior").draws == Options(0.3, guidance=1.5)
    info = probe(figures["mp4"], require=("video", "audio"))
    assert info.height >= 64 and info.width >= 56
    assert len(read_audio(figures["mp4"])) / 24000 == pytest.approx(
        demonstration.UNSEEN_SECONDS, abs=0.05
    )
    assert Image.open(figures["contact_sheet"]).size[0] == 1200
