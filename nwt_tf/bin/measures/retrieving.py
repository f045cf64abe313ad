"""`nwt evaluate --what=retrieval`: frames that are near in Hamming distance (A.2, equation 10)."""

import time

import numpy as np
import tensorflow as tf

from nwt_tf import presets
from nwt_tf.evaluation.reconstruction import reconstruct
from nwt_tf.evaluation.retrieval import HammingIndex, distance_loss_correlations
from nwt_tf.layers.pixels import to_unit_range
from nwt_tf.losses import reconstruction_loss
from nwt_tf.models.critics import Critics
from nwt_tf.models.dvae import DVAE

QUERIES = 6
NEIGHBOURS = 10
PAIRS = 1000  # frames whose distance is held against their loss
_APART_SECONDS = 1.0  # nearer frames of the query's own clip do not count as found


def retrieval(preset, clips, options):
    """Nearest frames by their codes, and how the distance goes with the loss.

    Args:
        preset: of a dVAE.
        clips: Clips; they are read twice, and only their codes are kept.
        options: its `seed` draws the pairs of frames.

    Returns:
        (figures {"frames", "frames_per_second": searched, "nearest_distance": mean over the
        queries' neighbours, "pair_distance": mean over random pairs, "same_episode": share of
        neighbours from the query's episode, "same_episode_by_chance", and under
        "distance_and_loss" distance_loss_correlations}, picture: a row a query, which comes first,
        then its neighbours).

    Raises:
        ValueError: fewer than two frames.
    """
    dvae = DVAE.from_preset(preset)
    codes, clip_of, frame_of, episodes = [], [], [], []
    for number, clip in enumerate(clips):
        found, _ = reconstruct(dvae, clip["video"], clip["episode"])
        codes.append(np.uint8(found))
        clip_of += [number] * len(found)
        frame_of += range(len(found))
        episodes += [clip["record"].episode] * len(found)
        if (number + 1) % 50 == 0:
            print(f"{number + 1} clips encoded", flush=True)
    if len(clip_of) < 2:
        raise ValueError("There are no clips to measure.")
    codes = np.concatenate(codes)
    clip_of, frame_of, episodes = np.array(clip_of), np.array(frame_of), np.array(episodes)
    index = HammingIndex(codes, dvae.num_codes)
    queries = np.linspace(0, len(codes) - 1, QUERIES + 2).round().astype(int)[1:-1]
    rows, distances, same, chance = [], [], [], []
    started = time.monotonic()
    for query in queries:
        own = (clip_of == clip_of[query]) & (
            np.abs(frame_of - frame_of[query]) < _APART_SECONDS * clips.fps
        )
        nearest, apart = index.nearest(codes[query], NEIGHBOURS, leave_out=own)
        rows.append([query, *nearest])
        distances += apart.tolist()
        same += (episodes[nearest] == episodes[query]).tolist()
        chance.append((episodes[~own] == episodes[query]).mean() if not own.all() else 1.0)
    rate = len(queries) * len(codes) / (time.monotonic() - started)
    if not distances:
        raise ValueError("The footage is too short: no frame lies a second from another.")
    pairs = _pairs(clip_of, round(clips.fps), np.random.default_rng(options.seed))
    pictures, rendered = _pictures(dvae, clips, {*np.concatenate(rows), *pairs[0]}, {*pairs[1]})
    apart = (codes[pairs[0]] != codes[pairs[1]]).mean(axis=(1, 2, 3))
    truths = np.stack([pictures[a] for a in pairs[0]])
    mistaken = np.stack([rendered[b] for b in pairs[1]])
    half = len(apart) // 2
    figures = {
        "frames": len(codes),
        "frames_per_second": rate,
        "nearest_distance": float(np.mean(distances)),
        "pair_distance": float(apart[:half].mean()),
        "same_episode": float(np.mean(same)),
        "same_episode_by_chance": float(np.mean(chance)),
        "distance_and_loss": distance_loss_correlations(
            apart, truths, mistaken, _critic_losses(preset, truths, mistaken)
        ),
    }
    return figures, _sheet(rows, pictures)


def _pairs(clip_of, reach, draws):
    """Indices int [2, PAIRS]: half of any two frames, half of neighbours within `reach` frames."""
    first = draws.integers(0, len(clip_of), PAIRS)
    second = draws.integers(0, len(clip_of), PAIRS)
    near = first + draws.integers(1, reach + 1, PAIRS)
    near = np.minimum(near, len(clip_of) - 1)
    near = np.where(clip_of[near] == clip_of[first], near, first)
    second[PAIRS // 2 :] = near[PAIRS // 2 :]
    return np.stack([first, second])


def _pictures(dvae, clips, wanted, wanted_rendered):
    """{index: uint8 [H, W, 3]} of true frames, and of reconstructed ones, read once more."""
    pictures, rendered, first = {}, {}, 0
    for clip in clips:
        inside = range(first, first + len(clip["video"]))
        pictures |= {i: clip["video"][i - first] for i in inside if i in wanted}
        if any(i in wanted_rendered for i in inside):
            _, video = reconstruct(dvae, clip["video"], clip["episode"])
            rendered |= {i: video[i - first] for i in inside if i in wanted_rendered}
        first = inside.stop
    return pictures, rendered


def _critic_losses(preset, truths, rendered):
    """Equation 7 of single frames: {"critics": float [P]}; {} where the preset has no critics.

    A dVAE's workdir has them in its checkpoints.
    """
    training = presets.read_config(preset).get("training", {})
    newest = tf.train.latest_checkpoint(presets.locate(preset) / "checkpoints")
    if "critics" not in training or newest is None:
        return {}
    critics = Critics(training["critics"])
    critics(to_unit_range(truths[:1])[:, None])
    # Variable by variable, as the training's checkpoints have them.
    stored = tf.train.Checkpoint(critics=[variable.value for variable in critics.variables])
    stored.restore(newest).assert_existing_objects_matched().expect_partial()

    @tf.function
    def loss(truth, other):
        features = [[found for found, _ in critics(each)] for each in (truth, other)]
        return reconstruction_loss(*features, training["loss"]["normalize_features"])

    pairs = zip(to_unit_range(truths), to_unit_range(rendered), strict=True)
    return {"critics": np.array([float(loss(a[None, None], b[None, None])) for a, b in pairs])}


def _sheet(rows, pictures):
    """Each row's pictures side by side, the first set apart by white; short rows are filled."""
    height, width = next(iter(pictures.values())).shape[:2]
    gap = np.full((height, max(2, width // 8), 3), 255, np.uint8)
    blank = np.full((height, width, 3), 255, np.uint8)
    lines = []
    for query, *nearest in rows:
        found = [pictures[i] for i in nearest] + [blank] * (NEIGHBOURS - len(nearest))
        lines.append(np.concatenate([pictures[query], gap, *found], axis=1))
    return np.concatenate(lines)
