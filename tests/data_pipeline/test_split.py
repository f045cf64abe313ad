import collections
import math

import pytest

from data_pipeline.split import assign_splits


def clips(**counts):
    return {name: [f"{name}_{n:04d}" for n in range(count)] for name, count in counts.items()}


def counted(splits):
    return collections.Counter((clip.split("_")[0], split) for clip, split in splits.items())


def test_ninety_five_five_in_every_episode():
    counts = counted(assign_splits(clips(a=100, b=200, c=40)))
    for name, total in (("a", 100), ("b", 200), ("c", 40)):
        assert counts[name, "validation"] == counts[name, "test"] == total // 20
        assert counts[name, "train"] == total * 0.9


def test_what_small_episodes_cannot_give_carries_over():
    episodes = clips(**{f"e{n:02d}": 7 for n in range(40)})
    totals = collections.Counter(assign_splits(episodes).values())
    assert totals == {"train": 252, "validation": 14, "test": 14}


def test_every_split_of_a_small_dataset_has_a_clip():
    for counts in ({"a": 3}, {"a": 1, "b": 1, "c": 1}, {"a": 5, "b": 4}):
        assert set(assign_splits(clips(**counts)).values()) == {"train", "validation", "test"}
    assert set(assign_splits(clips(a=2)).values()) == {"train"}
    no_test = assign_splits(clips(a=50), test_fraction=0.0)
    assert set(no_test.values()) == {"train", "validation"}


def test_the_draw_depends_on_the_seed_and_nothing_else():
    episodes = clips(a=60, b=60)
    reordered = {name: list(reversed(ids)) for name, ids in episodes.items()}
    assert assign_splits(episodes) == assign_splits(reordered)
    assert assign_splits(episodes) != assign_splits(episodes, seed=1)


def test_whole_episodes_held_out():
    splits = assign_splits(clips(a=40, b=5, c=6), validation_episodes=["b"], test_episodes=["c"])
    assert counted(splits) == {("a", "train"): 40, ("b", "validation"): 5, ("c", "test"): 6}
    # Held-out episodes replace the fraction of their own split alone.
    counts = counted(assign_splits(clips(a=40, b=5), test_episodes=["b"]))
    assert counts == {("a", "train"): 38, ("a", "validation"): 2, ("b", "test"): 5}


def test_errors():
    with pytest.raises(ValueError, match="unknown episode d, e; there are: a, b"):
        assign_splits(clips(a=3, b=3), test_episodes=["e", "d"])
    with pytest.raises(ValueError, match="episode b cannot be both"):
        assign_splits(clips(a=3, b=3), validation_episodes=["b"], test_episodes=["b"])
    with pytest.raises(ValueError, match="none is left for training"):
        assign_splits(clips(a=3, b=3), validation_episodes=["a"], test_episodes=["b"])
    with pytest.raises(ValueError, match="less than 1 together"):
        assign_splits(clips(a=3), validation_fraction=0.6, test_fraction=0.4)
    for part in (math.nan, math.inf, -0.1):
        with pytest.raises(ValueError, match=f"less than 1 together. Received: 0.0, {part}"):
            assign_splits(clips(a=3), validation_fraction=0.0, test_fraction=part)
