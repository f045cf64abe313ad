"""Which clips a survey shows, and how they are altered (Appendix E). Nothing is drawn here."""

import hashlib
import itertools
import random
import re
from collections.abc import Iterable, Mapping

from nwt_tf.evaluation.mos.protocol import (
    EXPERIMENTS,
    TASK_SAMPLES,
    TRAINING_CLIPS,
    UPPER_SHARE,
)
from nwt_tf.evaluation.mos.survey import Stimulus

# Seconds that the sound is late, of the better and the worse clip of a pair. ITU-R BT.1359 puts
# the threshold of detection at 0.045 s early and 0.125 s late: the better ones are below it.
SHIFTS = ((0.0, 0.4), (0.04, 0.6), (0.02, -0.5))
NOISE = 32.0  # standard deviation, in steps of 255
_SETUP_SOURCES = 8  # clips that setups are made of, so that the next one is another
_TRAINING_OF_A_SYSTEM = 3


def episode_of(clip: str) -> str:
    """The episode of a clip's name: its folder, or its name without the number at the end."""
    folder, _, name = clip.rpartition("/")
    return folder or re.sub(r"[_-]?\d+$", "", name) or name


def choose_clips(clips: Iterable[str], number: int, seed: int) -> list[str]:
    """One random clip from each of `number` random episodes.

    Args:
        clips: names of the candidates.
        number: of clips, and so of episodes.
        seed: the same one gives the same clips, whatever the systems.

    Raises:
        ValueError: there are fewer episodes.
    """
    episodes = {}
    for clip in sorted(clips):
        episodes.setdefault(episode_of(clip), []).append(clip)
    if len(episodes) < number:
        raise ValueError(
            f"--clips={number} needs as many episodes, one clip from each; the folders have clips "
            f"of {len(episodes)} in common: give --clips={len(episodes)} or fewer"
        )
    rng = random.Random(f"clips {seed}")
    return sorted(rng.choice(episodes[name]) for name in rng.sample(sorted(episodes), number))


def plan(
    sources: Mapping[str, Mapping[str, str]],
    experiments: Mapping[str, tuple[str, ...]],
    truth: str,
    gold: list[str],
    scores: Iterable[int],
    num_clips: int,
    seed: int,
    upper_share: float = UPPER_SHARE,
) -> list[Stimulus]:
    """Plans every file of a survey.

    The rated clips are the same in all experiments. Practice and setup use clips that are not
    rated, as far as there are such.

    Args:
        sources: {system: {clip: fingerprint of its file}}.
        experiments: {experiment: its systems}, the truth among them.
        truth: the system that is real footage.
        gold: the truth's clips that were picked by hand as clearly natural.
        scores: that a trap's voice can ask for.
        num_clips: rated clips of each system.
        seed: of every choice.
        upper_share: of the frame's rows, that the upper view shows.

    Raises:
        ValueError: too few clips, or an unknown gold clip.
    """
    systems = sorted({system for shown in experiments.values() for system in shown})
    for clip in gold:
        if clip not in sources[truth]:
            raise ValueError(f"--gold={clip}: {truth} has no such clip")
    common = set.intersection(*(set(sources[system]) for system in systems))
    rated = choose_clips(common - set(gold), num_clips, seed)
    for name, shown in experiments.items():
        if len(shown) * len(rated) < TASK_SAMPLES:
            raise ValueError(
                f"The experiment {name} has {len(shown) * len(rated)} samples; a task takes "
                f"{TASK_SAMPLES}: give more --clips"
            )
    rng = random.Random(f"stimuli {seed}")

    def spare(system: str) -> list[str]:
        """Clips of a system in random order, those that are not rated first."""
        clips = sorted(set(sources[system]) - set(gold))
        rng.shuffle(clips)
        return sorted(clips, key=lambda clip: clip in rated)

    stimuli = []

    def add(role: str, view: str, system: str, clip: str, **facts) -> None:
        facts["keep"] = 1.0 if view == "full" else upper_share
        key = [seed, role, view, system, clip, sorted(facts.items()), sources[system][clip]]
        name = hashlib.sha256(repr(key).encode()).hexdigest()[:20] + ".mp4"
        stimuli.append(Stimulus(name, role, view, system, clip, **facts))

    setup = list(itertools.islice(itertools.cycle(spare(truth)[:_SETUP_SOURCES]), _SETUP_SOURCES))
    training = {system: spare(system) for system in systems}
    systems_of = {}  # view -> the systems that some experiment shows in it
    for name, shown in experiments.items():
        systems_of.setdefault(EXPERIMENTS[name].view, set()).update(shown)
    for view, seen in systems_of.items():
        for system in sorted(seen):
            for clip in rated:
                add("sample", view, system, clip)
            for clip in training[system][:_TRAINING_OF_A_SYSTEM]:
                add("training", view, system, clip)
        for clip in dict.fromkeys(gold):
            add("gold", view, truth, clip)
        for score in scores:
            # Every experiment shows the truth; another system's picture traps where it is shown.
            for system in dict.fromkeys((truth, sorted(seen)[score % len(seen)])):
                clips = training[system]
                add("trap", view, system, clips[score % len(clips)], score=score)
        for number, clip in enumerate(setup):
            for better, shift in zip((True, False), SHIFTS[number % len(SHIFTS)], strict=True):
                facts = {"pair": f"shift {number}", "better": better, "shift": shift}
                add("setup", view, truth, clip, **facts)
            for better, noise in ((True, 0.0), (False, NOISE)):
                facts = {"pair": f"noise {number}", "better": better, "noise": noise}
                add("setup", view, truth, clip, **facts)
    _check(stimuli, experiments)
    return stimuli


def _check(stimuli, experiments):
    """What a section needs must exist, so that no rater is ever stuck."""
    if not any(stimulus.role == "gold" for stimulus in stimuli):
        raise ValueError("--gold must name at least one clip of the truth, picked by hand")
    if not any(stimulus.role == "trap" for stimulus in stimuli):
        raise ValueError("A survey needs at least one trap: a voice that asks for a score")
    for name, shown in experiments.items():
        practice = [s for s in stimuli if s.role == "training" and s.system in shown]
        if len(practice) < TRAINING_CLIPS:
            raise ValueError(
                f"The experiment {name} has {len(practice)} clips to practise on; a training takes "
                f"{TRAINING_CLIPS}: give more clips or systems"
            )
