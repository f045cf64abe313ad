"""Train, validation and test (Appendix D, step 10)."""

import hashlib
from collections.abc import Mapping, Sequence


def _rank(clip_id: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{clip_id}".encode()).digest()


def check_fractions(validation_fraction: float, test_fraction: float) -> None:
    """Refuses fractions that are none, or that leave no training clips.

    Raises:
        ValueError: They are out of range.
    """
    fractions = (validation_fraction, test_fraction)
    if not (all(part >= 0 for part in fractions) and sum(fractions) < 1):
        raise ValueError(
            "validation_fraction and test_fraction must be at least 0 and less than 1 together. "
            f"Received: {validation_fraction}, {test_fraction}"
        )


def assign_splits(
    clips: Mapping[str, Sequence[str]],
    validation_fraction: float = 0.05,
    test_fraction: float = 0.05,
    validation_episodes: Sequence[str] = (),
    test_episodes: Sequence[str] = (),
    seed: int = 0,
) -> dict[str, str]:
    """Gives every clip its split.

    Without held-out episodes, clips are drawn in every episode alike (stratified), by a hash of
    their ids and the seed; what an episode is too small to give in whole clips carries over to the
    next one, and any dataset of three clips or more gets at least one in each split.  Naming
    validation_episodes takes these whole instead of the fraction, test_episodes likewise.

    Args:
        clips: Episode -> ids of its clips.
        validation_fraction, test_fraction: Parts of the clips, 0.05 each in the paper.
        validation_episodes, test_episodes: Episodes held out whole.
        seed: Another one draws other clips.

    Returns:
        Clip id -> "train", "validation" or "test".

    Raises:
        ValueError: Unknown or doubly used episode names, or fractions that leave no training clips.
    """
    held_out = {"validation": tuple(validation_episodes), "test": tuple(test_episodes)}
    unknown = sorted({name for names in held_out.values() for name in names} - set(clips))
    if unknown:
        raise ValueError(f"unknown episode {', '.join(unknown)}; there are: {', '.join(clips)}")
    both = sorted(set(validation_episodes) & set(test_episodes))
    if both:
        raise ValueError(f"episode {', '.join(both)} cannot be both validation and test")
    check_fractions(validation_fraction, test_fraction)
    fractions = {"validation": validation_fraction, "test": test_fraction}
    splits = {clip: split for split, names in held_out.items() for n in names for clip in clips[n]}
    rest = [clips[name] for name in clips if name not in held_out["validation"] + held_out["test"]]
    total = sum(map(len, rest))
    if clips and not total:
        raise ValueError("every episode is held out: none is left for training")
    for split, part in fractions.items():  # at least one clip of a dataset of three
        drawn_whole = held_out[split] or not part
        fractions[split] = 0.0 if drawn_whole else max(part, 1 / total if total >= 3 else 0)
    seen, drawn = 0, dict.fromkeys(fractions, 0)
    for ids in rest:
        ids = sorted(ids, key=lambda clip: _rank(clip, seed))
        seen += len(ids)
        for split, part in fractions.items():
            count = int(part * seen + 0.5) - drawn[split]
            taken, ids = ids[:count], ids[count:]
            splits.update(dict.fromkeys(taken, split))
            drawn[split] += len(taken)
        splits.update(dict.fromkeys(ids, "train"))
    return splits
