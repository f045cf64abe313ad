"""What `nwt generate` is told of styles and episodes, resolved for a model."""

import re
from pathlib import Path
from typing import NamedTuple

from data_pipeline.clip_settings import ClipSettings
from data_pipeline.reference import reference_clips
from nwt_tf.generation import episodes, styles

SWEEP = (-2.0, -1.0, 0.0, 1.0, 2.0)  # standard deviations of p(z_l)


class Take(NamedTuple):
    """One video to make.

    output: path of the mp4.
    episode, decoder_episode: of the prior and of the decoder.
    """

    output: str
    episode: str | dict
    decoder_episode: str | dict


def style(model, numbers=None, video=None, seed=None):
    """The style that flags ask for.

    Args:
        model: an AudioToVideo.
        numbers: 'v0,v1,...'; or
        video: path of a reference to copy from; or neither.
        seed: with a reference, of a draw from its posterior; alone, of a draw from the prior.

    Returns:
        float32 [style_dim]; None, for the episode's default style, where nothing is asked for.

    Raises:
        ValueError, OSError: numbers and another source, numbers that do not fit, no such video.
    """
    if numbers is not None and (video is not None or seed is not None):
        raise ValueError("Give --style alone, or --style_video and --style_seed.")
    if seed is not None and seed < 0:
        raise ValueError(f"--style_seed={seed} must be at least 0.")
    if numbers is not None:
        return _numbers(model, numbers, "--style")
    if video is not None:
        try:
            settings = ClipSettings.of_footage(model.footage)
        except ValueError as error:
            raise ValueError(f"--style_video cannot be cut as footage was: {error}.") from None
        clips = reference_clips(video, settings)
        return styles.copy(model.dvae, model.prior, clips, seed, model.sampled_codes)
    if seed is not None:
        return styles.sample(model.prior.style_dim, seed)
    return None


def another_style(model, source):
    """The style that --style_to names: 'v0,v1,...', 'seed:N', 'default', or a video's path.

    Returns:
        As `style`.

    Raises:
        ValueError, OSError: it is none of these.
    """
    if source == "default":
        return None
    if re.fullmatch(r"seed:\d+", source):
        return style(model, seed=int(source[5:]))
    if Path(source).exists():
        return style(model, video=source)
    if re.fullmatch(r"[-+.,\deE\s]+", source):
        return _numbers(model, source, "--style_to")
    raise ValueError(
        f"--style_to={source} is none of: numbers v0,v1,..., seed:N, default, the path of a video."
    )


def variants(model, base, other=None, mixes=(0.5,), variate=None, values=SWEEP):
    """The styles that one video shows side by side, often just one.

    Args:
        model: an AudioToVideo.
        base: float [style_dim].
        other: float [style_dim] to interpolate to, or None.
        mixes: how far, one style each.
        variate: index of the variate to sweep, or None.
        values: what it is set to, one style each.

    Returns:
        {caption: float32 [style_dim]}, in order.

    Raises:
        ValueError: both at once, or a variate, mix or value that cannot be.
    """
    if other is not None and variate is not None:
        raise ValueError("Give one of --style_to and --style_sweep.")
    if other is not None:
        return {f"{mix:g}": styles.interpolate(base, other, mix) for mix in mixes}
    if variate is not None:
        try:
            swept = styles.sweep(base, variate, values)
        except ValueError as error:
            raise ValueError(f"--style_sweep: {error}") from None
        return {f"{value:g}": each for value, each in zip(values, swept, strict=True)}
    return {"": base}


def takes(model, output, episode, decoder_episode=None):
    """The videos to make: one an episode.

    Args:
        model: an AudioToVideo.
        output: path of the mp4; with several episodes their names are put behind its stem.
        episode, decoder_episode: as typed, see episodes.parse; the latter None for the former.

    Returns:
        A list of Take.

    Raises:
        ValueError: unknown episodes, several for the decoder, or outputs of one name.
    """
    listed = episodes.parse(episode, model.episodes)
    decoders = listed
    if decoder_episode is not None:
        decoders = episodes.parse(decoder_episode, model.episodes)
        if len(decoders) > 1:
            raise ValueError(f"--decoder_episode={decoder_episode} must be one episode or mixture.")
        decoders = decoders * len(listed)
    path = Path(output)
    paths = [output]
    if len(listed) > 1:
        names = [re.sub(r"[^\w.-]+", "-", episodes.spell(each)) for each in listed]
        paths = [str(path.with_name(f"{path.stem}_{name}{path.suffix}")) for name in names]
    if len(set(paths)) < len(paths):
        raise ValueError(f"--episode={episode} would write one file twice.")
    return [Take(*each) for each in zip(paths, listed, decoders, strict=True)]


def _numbers(model, text, flag):
    try:
        values = [float(value) for value in text.split(",")]
    except ValueError:
        raise ValueError(f"{flag}={text} must be numbers: v0,v1,...") from None
    try:
        return styles.check(values, model.prior.style_dim)
    except ValueError as error:
        raise ValueError(f"{flag}: {error}") from None
