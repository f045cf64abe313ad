"""What a section shows a rater: random, balanced over samples, never the same sample twice."""

import random
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from nwt_tf.evaluation.mos.protocol import SETUP_PAIRS, TASK_SAMPLES, TRAINING_CLIPS
from nwt_tf.evaluation.mos.survey import Stimulus


class Item(NamedTuple):
    """One question of a section.

    first, second: names of the clips; second is "" unless it is a pair.
    expected: the answer that is right: a setup's better clip (1 or 2), a trap's score; else 0.
    """

    first: str
    second: str = ""
    expected: int = 0


def setup(stimuli: Sequence[Stimulus], rng: random.Random) -> list[Item]:
    """Four pairs of four different clips: three with shifted sound, one with visual noise.

    Args:
        stimuli: those of the role "setup".
        rng: chooses pairs, order and sides.
    """
    pairs = {}
    for stimulus in stimuli:
        pairs.setdefault(stimulus.pair, {})[stimulus.better] = stimulus.name
    shifted = sorted(pair for pair in pairs if pair.startswith("shift"))
    # Only one pair of a clip: the numbers in the pairs' names are the clips'.
    chosen = rng.sample(shifted, SETUP_PAIRS)
    chosen[0] = chosen[0].replace("shift", "noise")
    rng.shuffle(chosen)
    items = []
    for pair in chosen:
        names = [pairs[pair][True], pairs[pair][False]]
        better_first = rng.random() < 0.5
        items.append(Item(*(names if better_first else names[::-1]), 1 if better_first else 2))
    return items


def training(stimuli: Sequence[Stimulus], rng: random.Random) -> list[Item]:
    """Six clips to practise on, spread over the systems: they show the range of quality."""
    chosen, used = [], {}
    pool = rng.sample(list(stimuli), len(stimuli))
    while len(chosen) < TRAINING_CLIPS:
        best = min(pool, key=lambda stimulus: used.get(stimulus.system, 0))
        pool.remove(best)
        chosen.append(Item(best.name))
        used[best.system] = used.get(best.system, 0) + 1
    rng.shuffle(chosen)
    return chosen


def left(
    stimuli: Sequence[Stimulus], counts: Mapping[str, int], seen: Collection[str], target: int
) -> list[Stimulus]:
    """What a rater's next task can be made of.

    Args:
        stimuli, counts, seen, target: see `samples`.

    Returns:
        The samples that this rater has not had; none when not one of them needs ratings, or they
        are too few for a whole task.
    """
    pool = [stimulus for stimulus in stimuli if stimulus.name not in seen]
    needed = any(counts.get(stimulus.name, 0) < target for stimulus in pool)
    return pool if needed and len(pool) >= TASK_SAMPLES else []


def samples(
    stimuli: Sequence[Stimulus],
    counts: Mapping[str, int],
    seen: Collection[str],
    target: int,
    rng: random.Random,
) -> list[Item]:
    """Ten samples for a task: those with the fewest ratings, ties at random.

    Among equals, systems and clips that the task does not have yet come first.

    Args:
        stimuli: those of the role "sample".
        counts: ratings of each sample so far, those under way included.
        seen: samples that this rater has had.
        target: ratings that each sample should get.

    Returns:
        The samples, or none when nothing is `left`.
    """
    pool = left(stimuli, counts, seen, target)
    if not pool:
        return []
    rng.shuffle(pool)
    chosen, systems, clips = [], {}, {}
    for _ in range(TASK_SAMPLES):
        best = min(
            pool,
            key=lambda s: (
                counts.get(s.name, 0),
                clips.get(s.clip, 0),
                systems.get(s.system, 0),
            ),
        )
        pool.remove(best)
        chosen.append(Item(best.name))
        systems[best.system] = systems.get(best.system, 0) + 1
        clips[best.clip] = clips.get(best.clip, 0) + 1
    return chosen


def task(
    rated: Sequence[Item],
    traps: Sequence[Stimulus],
    golds: Sequence[Stimulus],
    rng: random.Random,
) -> list[Item]:
    """A task's twelve items in random order: the samples, one trap and one gold clip."""
    score = rng.choice(sorted({trap.score for trap in traps}))
    trap = rng.choice([trap for trap in traps if trap.score == score])
    items = [*rated, Item(trap.name, expected=trap.score), Item(rng.choice(list(golds)).name)]
    rng.shuffle(items)
    return items
