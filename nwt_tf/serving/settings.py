"""What a request may ask for beside its sound, checked before it waits for anything."""

import math

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from nwt_tf.generation import episodes, styles

MAX_SEED = 2**31 - 1
MAX_TEMPERATURE = 5.0
MAX_GUIDANCE = 10.0
MAX_STYLE = 10.0  # standard deviations of p(z_l)


class Settings(BaseModel):
    """The query of a request: options of AudioToVideo.session as a user types them."""

    model_config = ConfigDict(extra="forbid")

    episode: str = Field(
        episodes.NONE, max_length=2000, description="Whose look: a name, 'none', or A:0.5,B:0.5."
    )
    style: str = Field(
        "", max_length=20_000, description="v0,v1,...: every variate; empty: the episode's mean."
    )
    seed: int = Field(0, ge=0, le=MAX_SEED, description="The same seed gives the same video.")
    # None: what the preset recommends.
    temperature: float | None = Field(
        None, ge=0, le=MAX_TEMPERATURE, allow_inf_nan=False, description="0 takes the likeliest."
    )
    top_k: int | None = Field(
        None, ge=0, le=65535, description="Draw among the k likeliest; 0: all."
    )
    top_p: float | None = Field(
        None, gt=0, le=1, allow_inf_nan=False, description="Draw among the likeliest of this mass."
    )
    guidance: float | None = Field(
        None,
        ge=0,
        le=MAX_GUIDANCE,
        allow_inf_nan=False,
        description="How far the sound leads: 1 as the prior has it, more at twice the cost.",
    )


def options(settings, model):
    """Settings as AudioToVideo.session takes them.

    Args:
        settings: Settings.
        model: the AudioToVideo.

    Returns:
        A dict with `style` float32 [style_dim], episode, seed, and those of temperature, top_k,
        top_p and guidance that were asked for.

    Raises:
        ValueError: an unknown episode, or a style of other than style_dim numbers.
    """
    episode, *others = episodes.parse(settings.episode, model.episodes)
    if others:
        raise ValueError(f"episode={settings.episode}: one episode or one mixture makes a video.")
    style = model.style_of(episode)
    if settings.style.strip():
        style = styles.check(_numbers(settings.style), model.prior.style_dim)
    others = settings.model_dump(exclude={"episode", "style"}, exclude_none=True)
    return {"episode": episode, "style": style} | others


def _numbers(text):
    try:
        values = [float(value) for value in text.split(",")]
    except ValueError:
        raise ValueError("style must be numbers: v0,v1,...") from None
    if not all(math.isfinite(value) and abs(value) <= MAX_STYLE for value in values):
        raise ValueError(f"style's numbers must lie between -{MAX_STYLE:g} and {MAX_STYLE:g}.")
    return np.float32(values)
