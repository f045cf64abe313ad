"""How well style and episode steer, measured on the synthetic subject, whose truth is known.

Sound, styles and references are drawn anew: no training has seen them.
"""

from typing import NamedTuple

import numpy as np

from data_pipeline.synthetic import Clip, make_clip, mouth_opening
from data_pipeline.synthetic_episode import look_named
from data_pipeline.synthetic_reading import Traits, look_shares, read_traits
from nwt_tf.bin.draws import asked
from nwt_tf.evaluation.lipsync import correlation
from nwt_tf.evaluation.reconstruction import reconstruct
from nwt_tf.generation import styles
from nwt_tf.generation.audio_to_video import AudioToVideo

REFERENCES = 8  # an episode
SECONDS = 3.0
SOUNDS = 2  # an episode, for the switch of episodes
CAPTION_WIDTH, INK = 150, (60, 48, 51)  # pixels; RGB
MEASURED = ("lean", "zoom", "warmth")


class Copy(NamedTuple):
    """A style copied: the traits as they are read from each video, and the videos' middles."""

    reference: Traits
    carried: Traits  # of the reference, encoded and decoded
    default: Traits  # of the same sound with the default style
    copied: Traits
    gesture: str  # the reference's true one
    pictures: tuple[np.ndarray, np.ndarray]  # reference, copied


def control(preset, clips, options):
    """As `nwt evaluate` calls measure: clips are drawn here, max_clips of them an episode."""
    references = options.max_clips or REFERENCES
    return measure(preset, references, options.seed, options.tint, **asked(options))


def measure(preset, references=REFERENCES, seed=0, tint=1.0, **draws):
    """Figures of a preset, and their picture.

    Args:
        preset: trained on the synthetic subject.
        references: styles to copy, an episode.
        seed: of sound, references and sampling.
        tint: the most warmth of the light, as the preset's footage had it (write_footage).
        draws: of the sampling, see AudioToVideo.session.

    Returns:
        (figures of style_copy and episode_switch, uint8 [H, W, 3]).

    Raises:
        ValueError: for fewer than 3 references, or a preset of other footage.
    """
    if references < 3:
        raise ValueError(f"a correlation needs at least 3 references. Received: {references}")
    model = AudioToVideo.from_preset(preset)
    try:
        looks = [look_named(name) for name in model.episodes]
    except ValueError as error:
        raise ValueError(
            f"{preset} was not trained on the synthetic subject of `nwt demo --train` ({error})."
        ) from None
    options = model.options(**draws).figures()
    generate = {"seed": seed, **options}
    copied, rows = style_copy(model, looks, references, seed, tint, generate)
    switched, more = episode_switch(model, looks, seed, tint, generate)
    return {**copied, **switched, "draws": options}, sheet([*rows, *more])


def style_copy(model, looks, references, seed, tint, generate):
    """Copies styles of references onto other sound (section 3.5).

    Returns:
        Figures and rows for `sheet`. For lean, zoom and warmth, as read_traits reads them:
        NAME_followed, Pearson's r between references and videos in their style, averaged over
        episodes; NAME_moved, how much of a difference between references appears between the
        videos (a slope; 1 is all of it); NAME_nearer, the share of videos that are nearer to
        their reference than the same sound in the default style; NAME_carried, r of the
        references' own reconstructions, the most that codes can carry. gesture_followed is the
        share with the reference's hand; gesture_default that of the default style.
        style_mouth: how the mouth follows the sound in the copied styles.
    """
    figures, rows, performed = {}, [], []
    episodes = []
    for look in looks:
        sound, *clips = _unseen(model, look, references + 1, seed, tint, of="style")
        options = {"episode": look.name, **generate}
        plain = model.generate(sound.voice.waveform, **options)
        default, found = read_traits(plain, look), []
        for clip in clips:
            frames = _frames(model, clip)
            style = styles.copy(model.dvae, model.prior, [frames], sampled=model.sampled_codes)
            video = model.generate(sound.voice.waveform, style=style, **options)
            _, carried = reconstruct(model.dvae, frames, model.episode_index(look.name))
            found.append(
                Copy(
                    *(read_traits(each, look) for each in (frames, carried)),
                    default,
                    read_traits(video, look),
                    clip.style.gesture,
                    (_middle(frames), _middle(video)),
                )
            )
            performed.append((sound, video))
            print(f"{look.name}: style {len(found)} of {references} copied", flush=True)
        episodes.append(found)
        for side, which in enumerate(("references", "in their styles")):
            rows.append((f"{look.name},\n{which}", [copy.pictures[side] for copy in found]))
    for name in MEASURED:
        read = [np.array([[getattr(t, name) for t in c[:4]] for c in found]) for found in episodes]
        r = np.concatenate([each[:, 0] for each in read])
        default, copied = (np.concatenate([each[:, k] for each in read]) for k in (2, 3))
        figures |= {
            f"{name}_followed": _of_references(correlation, read, 3),
            f"{name}_moved": _of_references(_slope, read, 3),
            f"{name}_nearer": float(np.mean(np.abs(copied - r) < np.abs(default - r))),
            f"{name}_carried": _of_references(correlation, read, 1),
        }
    every = [copy for found in episodes for copy in found]
    figures["gesture_followed"] = float(np.mean([c.copied.gesture == c.gesture for c in every]))
    figures["gesture_default"] = float(np.mean([c.default.gesture == c.gesture for c in every]))
    return figures | {"style_mouth": mouth_correlation(performed)}, rows


def episode_switch(model, looks, seed, tint, generate):
    """Generates the same sound under each episode, in its default style (section 3.4).

    Returns:
        Figures and rows for `sheet`. switch_backdrop and switch_clothes: how much of the asked
        episode's look a video has, as look_shares reads it, from 0 (the other episode's) to 1,
        averaged over sounds and episodes; switch_right, the share of sounds whose backdrop and
        clothes are nearer to the asked look under both episodes. decoder_backdrop and
        decoder_clothes: how much of the other look comes with the decoder's episode alone.
        switch_mouth_own and switch_mouth_other: how the mouth follows the sound under the episode
        that the sound was made for, and under the others. Nothing for a preset of one episode.
    """
    if len(looks) < 2:
        return {}, []
    asked, alone, rows = [], [], []  # asked: both videos of a sound, one after the other
    performed = {"own": [], "other": []}
    for turn, own in enumerate(looks):
        other = looks[(turn + 1) % len(looks)]
        for clip in _unseen(model, own, SOUNDS, seed, tint, of="switch"):
            sound, row = clip.voice.waveform, []
            for look, away in ((own, other), (other, own)):
                video = model.generate(sound, episode=look.name, **generate)
                asked.append(look_shares(video, away, look))
                # The rule for mouths reads each look by itself.
                performed["own" if look is own else "other"].append(
                    (clip._replace(episode=look), video)
                )
                row.append(_middle(video))
            options = {"episode": own.name, **generate}
            video = model.generate(sound, decoder_episode=other.name, **options)
            alone.append(look_shares(video, own, other))
            caption = f"sound of {own.name}:\nits look, the other's,\nthe decoder's alone"
            rows.append((caption, [*row, _middle(video)]))
        print(f"{own.name}: switched", flush=True)
    parts = ("backdrop", "clothes")
    worst = np.array([min(each.values()) for each in asked]).reshape(-1, 2).min(axis=1)
    return {
        **{f"switch_{part}": float(np.mean([each[part] for each in asked])) for part in parts},
        "switch_right": float(np.mean(worst > 0.5)),
        **{f"decoder_{part}": float(np.mean([each[part] for each in alone])) for part in parts},
        **{f"switch_mouth_{key}": mouth_correlation(each) for key, each in performed.items()},
    }, rows


def sheet(rows):
    """Rows (caption, uint8 [H, W, 3] each) below one another: uint8 [rows H, W, 3]."""
    import cv2

    height, width = rows[0][1][0].shape[:2]
    columns = max(len(pictures) for _, pictures in rows)
    drawn = np.full((height * len(rows), CAPTION_WIDTH + width * columns, 3), 255, np.uint8)
    for index, (caption, pictures) in enumerate(rows):
        top, right = height * index, CAPTION_WIDTH + width * len(pictures)
        drawn[top : top + height, CAPTION_WIDTH:right] = np.concatenate(pictures, axis=1)
        for line, words in enumerate(caption.splitlines()):
            place = (4, top + 16 * (line + 1))
            cv2.putText(drawn, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, INK, 1, cv2.LINE_AA)
    return drawn


def mouth_correlation(performed):
    """How closely mouths follow the truth: Pearson's r in each episode, averaged over episodes.

    The opening is read from pixels by `mouth_opening`, over all clips of an episode together.

    Args:
        performed: a list of (Clip, uint8 [T, H, W, 3]), T the clip's.

    Returns:
        float in [-1, 1]; an episode whose mouth never moves counts as 0.
    """
    episodes = {}
    for clip, video in performed:
        episodes.setdefault(clip.episode.name, []).append((clip.performance.opening, video))
    scores = []
    for clips in episodes.values():
        true = np.concatenate([opening for opening, _ in clips])
        read = mouth_opening(np.concatenate([video for _, video in clips]))
        scores.append(correlation(true, read))
    return float(np.mean(scores))


def _unseen(model, look, count, seed, tint, of) -> list[Clip]:
    """Clips of an episode that are in no footage, and not in the other measurement."""
    index = int(look.name.removeprefix("episode_"))
    # Footage draws its clips' seeds below 2**31.
    draws = np.random.default_rng([seed, index, *of.encode()]).integers(2**31, 2**32, count)
    return [
        make_clip(episode=index, seed=int(draw), seconds=SECONDS, fps=model.fps, tint=tint)
        for draw in draws
    ]


def _frames(model, clip):
    return np.stack(list(clip.frames(height=model.dvae.height, width=model.dvae.width)))


def _middle(video):
    return video[len(video) // 2]


def _of_references(rule, episodes, column):
    """How a column, of each episode's [N, 4], goes with the references': the episodes' mean."""
    return float(np.mean([rule(read[:, 0], read[:, column]) for read in episodes]))


def _slope(true, read):
    return np.polyfit(true, read, 1)[0] if true.std() > 1e-9 else 0.0
