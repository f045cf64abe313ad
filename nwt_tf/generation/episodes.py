"""Episodes by name, alone or mixed, to embedding vectors (sections 3.4 and B.3).

An episode is a name, 'none' (or None), or {name: weight}: a mixture, whose vector is the weighted
mean of the named ones.
"""

import math

import numpy as np

NONE = "none"


def index(name, known):
    """The models' index of an episode: -1 for None, and for 'none' unless one has that name.

    Args:
        name: str or None.
        known: {name: the models' index}.

    Raises:
        ValueError: for an unknown name; the message lists the known ones.
    """
    name = NONE if name is None else name
    if name == NONE and NONE not in known:
        return -1
    if name not in known:
        raise ValueError(f"Unknown episode {name!r}; the preset has {', '.join([*known, NONE])}.")
    return known[name]


def shares(episode, known):
    """What an episode is made of: {name: share}, the shares positive or 0, of sum 1.

    Args:
        episode: see above; weights are taken relative to their sum.
        known: {name: the models' index}.

    Raises:
        ValueError: for a name that is not known (the message lists those that are), or weights
            that are negative, not finite or all 0.
    """
    weights = episode if isinstance(episode, dict) else {NONE if episode is None else episode: 1.0}
    for name in weights:
        index(name, known)
    values = np.array(list(weights.values()), np.float64)
    most = values.max(initial=0)
    if not np.isfinite(values).all() or values.min(initial=0) < 0 or most == 0:
        raise ValueError(
            "weights of episodes must be at least 0, and one above. Received: " + spell(weights)
        )
    values = values / most  # the sum of very large ones would be infinite
    return dict(zip(weights, values / values.sum(), strict=True))


def vector(embedding, episode, known):
    """What a model is told of an episode.

    Args:
        embedding: the model's EpisodeEmbedding, built.
        episode, known: see shares.

    Returns:
        float32 [1, dim], which Prior.condition and DVAE.decode take as `episode`.

    Raises:
        ValueError: see shares.
    """
    parts = shares(episode, known)
    rows = [index(name, known) + 1 for name in parts]
    table = np.asarray(embedding.embeddings, np.float32)
    return np.float32(np.array(list(parts.values())) @ table[rows])[None]


def parse(text, known):
    """Episodes as they are typed: 'A', 'none', a list 'A,B,C', or one mixture 'A:0.5,B:0.5'.

    A known name is always taken as it is, commas and colons included.

    Args:
        text: str.
        known: {name: the models' index}.

    Returns:
        A list of names and 'none', or of one {name: weight}.

    Raises:
        ValueError: for unknown names, a weight that is no number, or weights for some only.
    """
    if text in known:
        return [text]
    parts = [part.strip() for part in text.split(",")]
    weighed = [part.rpartition(":") for part in parts if ":" in part and part not in known]
    if weighed and len(weighed) < len(parts):
        raise ValueError(
            f"{text!r} gives weights to some of its episodes only: write A:0.5,B:0.5 to mix, "
            "A,B for one video each."
        )
    names = [name for name, _, _ in weighed] or parts
    for name in names:
        index(name, known)
    if not weighed:
        return names
    if len(set(names)) < len(names):
        raise ValueError(f"{text!r} names an episode twice.")
    return [{name: _weight(weight, text) for name, _, weight in weighed}]


def spell(episode):
    """An episode as one types it: the inverse of `parse`."""
    if isinstance(episode, dict):
        return ",".join(f"{name}:{weight:g}" for name, weight in episode.items())
    return NONE if episode is None else episode


def _weight(text, whole):
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight):
        raise ValueError(f"{text!r} in {whole!r} is no weight: write A:0.5,B:0.5.")
    return weight
