"""Both stages under one name, for commands that look at both: `nwt benchmark --what=train`.

A variant is that of configs/dvae.py and that of configs/prior.py; a suffix that one of them does
not have (`paper_mar`, `paper_mem8`) is left off for it.
"""

import dataclasses

from configs import dvae, prior


@dataclasses.dataclass
class BothConfig:
    """One experiment a stage."""

    dvae: dvae.DVAEConfig
    prior: prior.PriorConfig


def get_config(name="paper"):
    """The experiments `name` of both stages.

    Raises:
        ValueError: where neither stage has it.
    """
    found, errors = {}, []
    for stage in (dvae, prior):
        try:
            found[stage] = stage.get_config(name)
        except ValueError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    return BothConfig(
        *(found.get(stage) or stage.get_config(name.split("_")[0]) for stage in (dvae, prior))
    )
