"""Appendix E in numbers and words: what the survey, its server and its analysis agree on."""

from typing import NamedTuple

SCORES = (1, 2, 3, 4, 5)
# The absolute category rating's names (ITU-T P.910); the paper: 1 is terrible and 5 is perfect.
LABELS = ("Bad", "Poor", "Fair", "Good", "Excellent")
SETUP_PAIRS = 4  # of a setup, one of them with visual noise, the others with shifted sound
SETUP_RIGHT = 3  # that must be right
TRAINING_CLIPS = 6  # rated for practice
TASK_SAMPLES = 10  # of a task (HIT), beside one trap and one gold clip
SETUP_SECONDS = 30 * 60.0  # after which the setup is due again
TRAINING_SECONDS = 60 * 60.0  # after which the training is due again
NUM_CLIPS = 50  # one from each of as many test episodes
NUM_RATERS = 30  # ratings of a sample, at least
GOLD_LIMIT = 3  # a gold clip rated so or below discards its rater
UPPER_SHARE = 0.5  # of the rows, that the upper view shows: "the bottom half was removed"
LANGUAGE_CHARS = 40  # that the name of a mother tongue can have
HEADPHONES = ("in_ear", "over_ear")
DEVICES = (*HEADPHONES, "loudspeaker", "built_in")
HEARING = ("normal", "trouble_in_noise", "hearing_aid_helps", "lip_reading")


class Experiment(NamedTuple):
    """One of the three experiments (Section 3.3), in words for raters."""

    name: str
    view: str  # "full", or "upper" for the upper part of the picture
    column: str  # the paper's heading in Table 1
    question: str
    looks_at: tuple[str, ...]


EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        Experiment(
            "overall",
            "full",
            "Overall Naturalness",
            "How natural is this video as a whole?",
            (
                "Do picture and sound belong together? In a natural video the lips move with the "
                "words, and face, hands and body move with the mood of what is said.",
                "Does the picture look real? Blur, flicker, missing hands or a face that melts "
                "make a video less natural.",
            ),
        ),
        Experiment(
            "face",
            "upper",
            "Face Naturalness",
            "How natural and expressive is the face?",
            (
                "Does the face look and move like a real person's? Look at the eyes, the brows, "
                "the cheeks and the mouth, and at how the head moves.",
                "Does the expression go with the mood of what is said? A stiff face, or one that "
                "moves for no reason, is less natural.",
            ),
        ),
        Experiment(
            "lipsync",
            "upper",
            "Lipsync Accuracy",
            "How well do the lips follow the speech?",
            (
                "Do the lips form the sounds that you hear, at the moment when you hear them? Lips "
                "that lag, run ahead, or make other sounds are less accurate.",
                "Do the lips move like a real person's? A mouth that jumps, smears or barely opens "
                "is less natural, even where it is in time.",
            ),
        ),
    )
}


def qualifies(language: str, devices: list[str], hearing: str, required_language: str) -> bool:
    """Whether someone may take part: mother tongue, headphones, normal hearing (Appendix E)."""
    return (
        language == required_language
        and hearing == "normal"
        and any(device in HEADPHONES for device in devices)
    )
