"""Trainings that start from a preset's weights in place of random ones."""

import numpy as np

from nwt_tf import presets


def start_from(model, preset, part, episodes):
    """Gives a built model a preset's weights, and its episodes their rows of the preset's table.

    Episodes that the preset does not know start as its 'none', which stands for any of them.

    Args:
        model: a DVAE or prior; all but the number of episodes and the frame size is the preset's.
        preset: a shipped name or a folder.
        part: 'dvae' or 'prior'.
        episodes: {name: the models' index} of the training.

    Raises:
        ValueError: where the preset lacks the part, or its weights are of another model.
    """
    source = f"--init_preset={presets.locate(preset)} ({part})"
    weights = presets.read_weights(preset, part)
    known = presets.read_config(preset)["footage"]["episodes"]
    table = presets.path_of(model.episode_embedding.embeddings)
    if table not in weights:
        raise ValueError(f"The weights of {source} are of another model: they have no {table}.")
    none, *rows = weights[table]
    fresh = np.tile(none, (model.num_episodes + 1, 1))
    for name, index in episodes.items():
        if name in known:
            fresh[index + 1] = rows[known[name]]
    presets.assign(model, weights | {table: fresh}, source)
    print(f"starts from the {part} of {preset}", flush=True)
