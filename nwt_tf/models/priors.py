"""The kinds of prior by name."""

from nwt_tf import presets
from nwt_tf.models.far import FAR
from nwt_tf.models.har import HAR
from nwt_tf.models.mar import MAR

KINDS = {"far": FAR, "mar": MAR, "har": HAR}


def from_preset(name_or_dir, **overrides):
    """The built prior of a preset, of whichever kind it is.

    Args:
        name_or_dir: see presets.locate.
        overrides: further arguments, `dtype` for one.

    Raises:
        ValueError: for no such preset, one without a prior or with one of an unknown kind, or
            weights of another model.
    """
    section = presets.read_config(name_or_dir).get("prior")
    if section is None:
        raise ValueError(
            f"The preset {name_or_dir} has no prior: train one with `nwt train_prior`."
        )
    kind = section.get("kind")
    if kind not in list(KINDS):  # a list compares what cannot be hashed, too
        path = presets.locate(name_or_dir) / "config.json"
        raise ValueError(
            f"{path}: prior.kind must be one of {', '.join(KINDS)}. Received: {kind!r}"
        )
    return presets.load(KINDS[kind], "prior", name_or_dir, **overrides)
