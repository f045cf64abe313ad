"""Trainings that start from a preset's weights in place of random ones."""

import json

import numpy as np

from nwt_tf import presets
from nwt_tf.training.checkpoints import has_state

# Arguments that may differ: the footage's (a FAR's width is none of them), and Keras' own.
OF_THE_FOOTAGE = {"dvae": {"height", "width", "num_episodes"}, "prior": {"grid", "num_episodes"}}
OF_KERAS = {"name", "dtype", "trainable"}


def started(model, preset, part, episodes, workdir):
    """start_from, where a preset is named and the workdir has nothing to go on from.

    Returns:
        The section of config.json that says so, or none.
    """
    if has_state(workdir):
        before = presets.read_config(workdir).get("init_preset")
        return {"init_preset": before} if before else {}
    if not preset:
        return {}
    return {"init_preset": start_from(model, preset, part, episodes)}


def start_from(model, preset, part, episodes):
    """Gives a built model a preset's weights, and its episodes their rows of the preset's table.

    Episodes that the preset does not know start as its 'none', which stands for any of them, or
    where `train.episode_dropout` never trained it, for no one in particular. Normalising statistics
    come along, optimizers and critics start anew.

    Args:
        model: a DVAE or prior; its arguments are the preset's, but for those of the footage, which
            a prior's weights may not fit (its pyramids make the grid).
        preset: a shipped name or a folder.
        part: 'dvae' or 'prior'.
        episodes: {name: the models' index} of the training.

    Returns:
        What a preset may state of it: the preset's name and fingerprint.

    Raises:
        ValueError: where the preset lacks the part, or has another model.
    """
    source = f"--init_preset={presets.locate(preset)} ({part})"
    weights = presets.read_weights(preset, part)
    config = presets.read_config(preset)
    free = OF_THE_FOOTAGE[part] | OF_KERAS
    _check_arguments(model.get_config(), config.get(part, {}), free, source)
    table = presets.path_of(model.episode_embedding.embeddings)
    known = (config.get("footage") or {}).get("episodes", {})
    if len(weights.get(table, ())) <= max(known.values(), default=-1) + 1:
        raise ValueError(f"The weights of {source} are damaged: {table} has too few rows.")
    none, *rows = weights[table]
    fresh = np.tile(none, (model.num_episodes + 1, 1))
    for name, index in episodes.items():
        if name in known:
            fresh[index + 1] = rows[known[name]]
    presets.assign(model, weights | {table: fresh}, source)
    print(f"starts from the {part} of {preset}", flush=True)
    return {"name": str(preset), "fingerprint": presets.fingerprint_of(weights).hex()}


def _check_arguments(own, theirs, free, source):
    """Equal shapes are not enough: strides and dilations, say, have none."""
    own = json.loads(json.dumps(own))  # as `theirs` were: tuples are lists
    for name in sorted((own.keys() & theirs.keys()) - free):
        if own[name] != theirs[name]:
            raise ValueError(
                f"{source} is of another model: its {name} is {theirs[name]}, the config's "
                f"{own[name]}."
            )
