"""A survey without media: three systems, twelve episodes with two clips each."""

import random

from nwt_tf.evaluation.mos import pages
from nwt_tf.evaluation.mos.plan import plan
from nwt_tf.evaluation.mos.store import Store
from nwt_tf.evaluation.mos.study import Study
from nwt_tf.evaluation.mos.survey import Survey, consent_text, identity_of

SYSTEMS = ("bad", "fair", "ground_truth")
EXPERIMENTS = {"overall": SYSTEMS, "lipsync": ("fair", "ground_truth")}
GOLD = "episode_00/clip_1"
HUMAN = {"language": "English", "devices": ["over_ear"], "hearing": "normal"}


def sources(episodes=12, clips=2, systems=SYSTEMS):
    names = [f"episode_{e:02d}/clip_{c}" for e in range(episodes) for c in range(clips)]
    return {system: {name: f"print of {name}" for name in names} for system in systems}


def make_survey(num_clips=10, raters=3, experiments=EXPERIMENTS, **facts):
    stimuli = plan(
        sources(), experiments, "ground_truth", [GOLD], (1, 2, 3, 4, 5), num_clips, seed=0
    )
    defaults = {
        "title": "A study",
        "contact": "someone@example.org",
        "language": "English",
        "payment": "",
        "consent": consent_text("someone@example.org", ""),
        "truth": "ground_truth",
    }
    return Survey(
        identity=identity_of(stimuli),
        raters=raters,
        experiments=experiments,
        stimuli=tuple(stimuli),
        **defaults | facts,
    )


def write_survey(folder, survey):
    """The survey's folder as the build leaves it, with a few bytes for each clip."""
    (folder / "clips").mkdir(parents=True)
    for stimulus in survey.stimuli:
        (folder / "clips" / stimulus.name).write_bytes(b"clip " + stimulus.name.encode())
    pages.write_pages(folder, survey)
    survey.save(folder)
    return folder


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def make_study(folder, survey=None, clock=None, seed=0, **options):
    survey = survey or make_survey()
    store = Store(folder / "answers.sqlite", survey.identity)
    return Study(survey, store, clock=clock or Clock(), rng=random.Random(seed), **options)


def join(study, token="ab" * 16, **facts):
    assert study.join(token, **HUMAN | facts)
    return study.store.rater(token)


def right_answer(survey, videos, opinion=lambda stimulus: 3):
    """What a careful rater says, who hears traps and sees what is better."""
    shown = [survey.by_name[name] for name in videos]
    if len(shown) == 2:
        return 1 if shown[0].better else 2
    return {"trap": shown[0].score, "gold": 5}.get(shown[0].role) or opinion(shown[0])


def take(study, rater, due=None, opinion=lambda stimulus: 3):
    """Answers a whole section as a careful rater does, and ends it."""
    due = due or study.next(rater)
    for position, item in enumerate(due["items"]):
        answer = right_answer(study.survey, item["videos"], opinion)
        study.answer(rater, due["section"], position, answer)
    return study.finish(rater, due["section"])
