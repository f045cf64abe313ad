"""The rules that read style and look from pixels, against the truth that drew them."""

import cv2
import numpy as np
import pytest

from data_pipeline.synthetic import make_clip
from data_pipeline.synthetic_episode import LOOKS, episode_look, look_named
from data_pipeline.synthetic_reading import look_shares, read_traits


def clip_of(seed, episode, seconds=2.0):
    clip = make_clip(episode=episode, seed=seed, seconds=seconds)
    return clip, np.stack(list(clip.frames(height=64, width=56)))


def blurred(frames):
    return np.stack([cv2.GaussianBlur(frame, (0, 0), 1.2) for frame in frames])


def test_traits_are_read_as_they_were_drawn():
    read, true = [], []
    for seed, episode in ((1, 0), (2, 1), (3, 2), (5, 5)):
        clip, frames = clip_of(seed, episode)
        found = read_traits(frames, clip.episode)
        assert found.gesture == clip.style.gesture
        read.append(found[:3])
        true.append((clip.style.lean, clip.style.zoom, clip.style.warmth))
    error = np.abs(np.array(read) - true)
    assert (error.max(axis=0) < (1.5, 0.025, 0.15)).all(), error


@pytest.mark.soak
@pytest.mark.parametrize("spoil", [np.asarray, blurred], ids=["sharp", "blurred"])
def test_traits_of_many_clips_correlate_with_the_truth(spoil):
    rows = []
    for seed in range(30):
        clip, frames = clip_of(100 + seed, seed % len(LOOKS), seconds=3.0)
        found, style = read_traits(spoil(frames), clip.episode), clip.style
        rows.append((*found[:3], style.lean, style.zoom, style.warmth))
        assert found.gesture == style.gesture
    r = np.corrcoef(np.array(rows).T)
    assert min(r[0, 3], r[1, 4], r[2, 5]) > 0.95


@pytest.mark.parametrize(("first", "second"), [(0, 1), (2, 3), (4, 5)])
def test_looks_are_told_apart_whatever_the_style(first, second):
    looks = LOOKS[first], LOOKS[second]
    for seed in (1, 2):
        for asked, episode in enumerate((first, second)):
            _, frames = clip_of(seed, episode, seconds=0.4)
            shares = look_shares(blurred(frames), *looks)
            assert set(shares) == {"backdrop", "clothes"}
            assert max(abs(share - asked) for share in shares.values()) < 0.35


def test_clothes_and_backdrop_are_read_apart():
    looks = LOOKS[0], LOOKS[1]
    (_, first), (_, second) = (clip_of(4, episode, seconds=0.4) for episode in (0, 1))
    mixed = first.copy()
    mixed[:, 56:] = second[:, 56:]  # the lowest rows: clothes
    shares = look_shares(mixed, *looks)
    assert shares["clothes"] > 0.5 > shares["backdrop"]


def test_what_is_no_clip_is_refused():
    for frames in (np.zeros((0, 64, 56, 3), np.uint8), np.zeros((2, 64, 56, 3))):
        with pytest.raises(ValueError, match=r"frames must be uint8 \[T, H, W, 3\]"):
            read_traits(frames, LOOKS[0])
        with pytest.raises(ValueError, match=r"frames must be uint8 \[T, H, W, 3\]"):
            look_shares(frames, *LOOKS[:2])
    with pytest.raises(ValueError, match="do not differ in their backdrop"):
        look_shares(np.zeros((2, 64, 56, 3), np.uint8), LOOKS[0], LOOKS[0])


def test_episodes_by_name():
    for index in (0, 5, 9):
        assert look_named(f"episode_{index:02d}") == episode_look(index)
    for name in ("monday", "episode_", "episode_1", "07", "episode_-1"):
        with pytest.raises(ValueError, match="no episode of the synthetic subject"):
            look_named(name)
