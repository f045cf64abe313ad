"""A reference is seen as the training saw its footage."""

import dataclasses

import numpy as np
import pytest

from configs import footage as footage_configs
from data_pipeline.clip_settings import ClipSettings
from data_pipeline.clips import cut_file, plan_file
from data_pipeline.mp4 import write_mp4
from data_pipeline.reference import MAX_SECONDS, reference_clips
from data_pipeline.schema import decode_frame
from tests.data_pipeline import footage

STATED = dataclasses.asdict(footage_configs.get_config("demo")) | {"frame_encoding": "png"}


def settings(**changes):
    return ClipSettings.of_footage(STATED | {"height": 24, "width": 16} | changes)


@pytest.mark.parametrize("crop", [(0, 0, 0, 0), (4, 40, 10, 50)])
def test_its_frames_are_those_that_a_build_would_cut(tmp_path, crop):
    path = footage.talk(tmp_path / "a.mp4", seconds=2.0)
    how = settings(crop=crop)
    (clip,) = cut_file(plan_file(path, "a", "a", how), how)
    expected = np.stack([decode_frame(frame).numpy() for frame in clip.frames])
    (found,) = reference_clips(path, how)
    np.testing.assert_array_equal(found, expected)


def test_a_long_one_comes_in_equal_clips_at_the_training_s_rate(tmp_path):
    path = footage.talk(tmp_path / "a.mp4", seconds=9.0, fps=10)
    clips = list(reference_clips(path, settings()))
    assert [clip.shape for clip in clips] == [(112, 24, 16, 3), (113, 24, 16, 3)]
    assert (clips[0][0] == clips[0][1]).all()  # 10 frames a second shown at 25


def test_it_needs_no_sound_and_only_its_first_minute_is_looked_at(tmp_path):
    grey = np.full((32, 32, 3), 90, np.uint8)
    write_mp4(tmp_path / "a.mp4", (grey for _ in range(70 * 5)), 5)
    found = sum(len(clip) for clip in reference_clips(tmp_path / "a.mp4", settings()))
    assert found == MAX_SECONDS * 25


def test_a_video_of_the_model_s_size_is_not_cropped_again(tmp_path):
    path = footage.talk(tmp_path / "a.mp4", seconds=1.0, height=24, width=16)
    (uncropped,) = reference_clips(path, settings())
    (found,) = reference_clips(path, settings(crop=(0, 200, 0, 100), mask_overlays=True))
    np.testing.assert_array_equal(found, uncropped)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: footage.talk(path, seconds=0.2), "lasts 0.20 s; a style needs at least 0.5"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("words" * 99), "not a readable video"),
        (lambda path: None, "no such file"),
        (lambda path: footage.talk(path, seconds=1.0), r"crop \(top 0, bottom 200.* does not fit"),
    ],
    ids=["short", "empty", "text", "missing", "small"],
)
def test_what_gives_no_style_is_refused_by_name(tmp_path, make, message):
    path = tmp_path / "reference.mp4"
    make(path)
    rows = 200 if "crop" in message else 0
    with pytest.raises((ValueError, OSError), match=f"reference.mp4: .*{message}"):
        list(reference_clips(path, settings(crop=(0, rows, 0, 0))))


def test_settings_are_found_among_others_and_missed_by_name():
    assert settings().fps == 25.0 and settings().crop == (0, 0, 0, 0)
    with pytest.raises(ValueError, match="lack height, width, crop"):
        ClipSettings.of_footage({"fps": 25, "episodes": {}})
