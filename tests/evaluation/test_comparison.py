"""Systems whose order is known, measured side by side."""

import numpy as np
import pytest

from data_pipeline.mel import align, log_mel, mel_spectrogram
from data_pipeline.synthetic import make_clip, mouth_opening
from nwt_tf.evaluation.comparison import Ruler, System, TrueClip, systems_table

FPS = 25


@pytest.fixture(scope="module")
def clips():
    drawn = [make_clip(episode=0, seed=seed, seconds=2.0) for seed in range(4)]
    videos = [np.stack(list(clip.frames(height=64, width=56))) for clip in drawn]
    mels = [align(log_mel(mel_spectrogram(clip.voice.waveform)), 50, FPS) for clip in drawn]
    return [
        TrueClip(videos[i], mels[i], (mels[i - 1], mels[i - 2]), drawn[i].performance.opening)
        for i in range(len(drawn))
    ]


@pytest.fixture(scope="module")
def figures(clips):
    ruler = Ruler((0.56, 0.875, 0.28, 0.75), FPS, mouth_opening)
    truth = System(ruler, is_truth=True)
    for clip in clips:
        truth.add(clip, clip.video)

    def of(change):
        system = System(ruler)
        for number, clip in enumerate(clips):
            system.add(clip, change(number, clip.video))
        return system.figures(truth)

    draws = np.random.default_rng(0)
    return {
        "ground truth": truth.figures(truth),
        "identical": of(lambda number, video: video),
        "late": of(lambda number, video: np.roll(video, 3, axis=0)),
        "noisy": of(
            lambda number, video: np.uint8(video // 2 + draws.integers(0, 40, (64, 56, 3)))
        ),
        "still": of(lambda number, video: np.repeat(video[:1], len(video), axis=0)),
        "other": of(lambda number, video: clips[number - 1].video),
    }


def test_an_identical_system_cannot_be_told_from_the_truth(figures):
    same, truth = figures["identical"], figures["ground truth"]
    for name in ("ssim", "mouth_match"):
        assert same[name] == pytest.approx(1.0, abs=1e-5)
        assert name not in truth
    assert same["mouth_l1"] == 0.0
    assert same["frechet_random"] == pytest.approx(0.0, abs=1e-6)
    shared = [name for name in truth if name != "frechet_random"]
    assert {name: same[name] for name in shared} == {name: truth[name] for name in shared}


def test_the_offset_of_late_video_is_found(figures):
    assert figures["identical"]["peak_lag"] == 0
    assert figures["late"]["peak_lag"] == 3
    assert figures["late"]["peak_correlation"] > 2 * figures["late"]["mouth_sound_correlation"]


def test_a_still_frame_has_no_motion(figures):
    still = figures["still"]
    for name in ("mouth_sound_correlation", "mouth_match", "flicker", "motion_elsewhere"):
        assert still[name] == 0.0
    assert still["peak_lag"] is None
    assert still["frechet_random"] > figures["late"]["frechet_random"]


def test_another_mouth_is_told_from_the_true_one(figures):
    same, other = figures["identical"], figures["other"]
    assert other["mouth_match"] < 0.3 and other["mouth_l1"] > 5
    assert other["mouth_sound_correlation"] < same["mouth_sound_correlation"] / 2
    assert same["other_sound_correlation"] < same["mouth_sound_correlation"] / 2
    assert same["opening_correlation"] > 0.95 > 0.6 > other["opening_correlation"]
    assert same["opening_error"] < 0.1 < other["opening_error"]


def test_noise_costs_similarity(figures):
    assert figures["noisy"]["ssim"] < 0.6 < figures["noisy"]["mouth_match"]


def test_a_longer_video_is_cut_and_unknown_figures_are_none(clips):
    system = System(Ruler((0, 1, 0, 1), FPS))
    short = TrueClip(clips[0].video[:6], clips[0].mel[:24])
    system.add(short, clips[0].video)
    found = system.figures()
    assert found["mouth_match"] == pytest.approx(1.0)
    assert found["mouth_sound_correlation"] is None and found["frechet_random"] is None
    assert "opening_error" not in found


def test_the_table_has_the_columns_that_apply(figures):
    lines = systems_table(figures).splitlines()
    assert len(lines) == 2 + len(figures) and len({line.count("|") for line in lines}) == 1
    assert "mouth match" in lines[0] and "opening r" in lines[0]
    assert lines[2].startswith("| ground truth | - |")
    alone = systems_table({"ground truth": figures["ground truth"]})
    assert "mouth match" not in alone
