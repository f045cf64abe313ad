"""Refusals of bad input where a public call of a model enters.

Shapes and dtypes are checked whenever they are known; values only outside graphs, where they are at
hand. There it matters: on a GPU, looking up a row that does not exist gives zeros without a word.
"""

import tensorflow as tf


def _refusal(message):
    """A ValueError whose message Keras leaves as it is: it would add lines to it."""
    error = ValueError(message)
    error._keras_call_info_injected = True
    return error


def check_at_least(minimum, **sizes):
    """Refuses a size, or nested sequences with a size, below `minimum`.

    Raises:
        ValueError: names the size.
    """
    for name, size in sizes.items():
        if any(each < minimum for each in tf.nest.flatten(size)):
            raise _refusal(f"{name} must be at least {minimum}. Received: {name}={size}")


def check_count(count, meaning, **sequences):
    """Refuses what is no sequence of `count` items.

    Args:
        count: of the items.
        meaning: of one of them, in the plural, for the message.
        sequences: by name.

    Raises:
        ValueError: names the sequence.
    """
    for name, items in sequences.items():
        if not isinstance(items, list | tuple) or len(items) != count:
            raise _refusal(f"{name} must be {count} {meaning}. Received: {name}={items}")


def check_shape(name, tensor, shape, meaning):
    """Refuses a tensor whose static shape is another, or that has no frames (axis 1).

    Args:
        name: of the argument.
        tensor: tf.Tensor.
        shape: sizes, None for any.
        meaning: of the tensor, for the message.

    Raises:
        ValueError: names the argument.
    """
    fits = tensor.shape.is_compatible_with(shape)
    if not fits or (tensor.shape.rank and len(shape) > 1 and tensor.shape[1] == 0):
        raise _refusal(f"{name} must be {meaning}. Received: {name} of shape {tensor.shape}")


def check_video(video, height, width):
    """Refuses what is not float [B, T, height, width, 3] with at least one frame.

    Raises:
        ValueError: see above.
    """
    check_shape(
        "video",
        video,
        (None, None, height, width, 3),
        f"[B, T, {height}, {width}, 3] with at least one frame",
    )
    if not video.dtype.is_floating:
        raise _refusal(
            "video must be float in [-1, 1] (layers.pixels.to_unit_range converts uint8). "
            f"Received: video of dtype {video.dtype.name}"
        )


def check_finite(name, tensor):
    """Refuses NaN and infinity.

    Raises:
        ValueError: names the argument; only outside graphs.
    """
    if tf.executing_eagerly():
        odd = tf.math.count_nonzero(~tf.math.is_finite(tensor))
        if odd:
            raise _refusal(
                f"{name} must be finite. Received: {name} with {int(odd)} of {tf.size(tensor)} "
                "values NaN or infinite"
            )


def check_floats(name, tensor):
    """Refuses what is not floating, and NaN and infinity.

    Raises:
        ValueError: names the argument; for values only outside graphs.
    """
    if not tensor.dtype.is_floating:
        raise _refusal(f"{name} must be float. Received: {name} of dtype {tensor.dtype.name}")
    check_finite(name, tensor)


def check_codes(codes, grid, num_heads, num_codes):
    """Refuses what is not int [B, T, h, w, num_heads] in [0, num_codes) with at least one frame.

    Raises:
        ValueError: see above; for values only outside graphs.
    """
    shape = (*grid, num_heads)
    check_shape(
        "codes",
        codes,
        (None, None, *shape),
        f"[B, T, {', '.join(map(str, shape))}] with at least one frame",
    )
    _check_integers("codes", codes, 0, num_codes)


def check_history(history, codes, num_codes):
    """Refuses what is not int like the codes [B, T, h, w, heads] and in [-1, num_codes).

    Raises:
        ValueError: see above; for values only outside graphs.
    """
    check_shape("history", history, codes.shape, f"like the codes, {codes.shape}")
    _check_integers("history", history, -1, num_codes)


def check_seed(seed):
    """Refuses what is not int [2].

    Raises:
        ValueError: see above.
    """
    check_shape("seed", seed, (2,), "int [2]")
    if not seed.dtype.is_integer:
        raise _refusal(f"seed must be int [2]. Received: seed of dtype {seed.dtype.name}")


def check_episode(episode, num_episodes, dim):
    """Refuses what is neither int [B] in [-1, num_episodes) nor finite float [B, dim].

    Raises:
        ValueError: see above; for values only outside graphs.
    """
    if episode.dtype.is_floating and episode.shape.rank == 2:
        check_shape("episode", episode, (None, dim), f"[B, {dim}], an embedding a clip")
        check_finite("episode", episode)
        return
    check_shape("episode", episode, (None,), "[B], an index a clip")
    _check_integers("episode", episode, -1, num_episodes)


def check_batch(name, tensor, clips, shared=True):
    """Refuses a tensor [B, ...] that is not one a clip of clips [C, ...], nor one for all of them
    where it may be `shared`.

    Raises:
        ValueError: names both batches.
    """
    found, batch = tensor.shape[0], clips.shape[0]
    if None not in (found, batch) and found != batch and not (shared and found == 1):
        raise _refusal(f"{name} must be one a clip. Received: {name} of {found} clips for {batch}")


def check_lengths(name, sound, codes, each=1):
    """Refuses sound [B, N, ...] that has not `each` frames for each frame of codes [B, T, ...].

    Raises:
        ValueError: names both lengths, where they are known.
    """
    found, frames = sound.shape[1], codes.shape[1]
    if None not in (found, frames) and found != each * frames:
        raise _refusal(
            f"{name} must have {each} frames for each frame of the codes. "
            f"Received: {name} of {found} frames for codes of {frames}"
        )


def _check_integers(name, tensor, first, end):
    if not tensor.dtype.is_integer:
        raise _refusal(f"{name} must be integers. Received: {name} of dtype {tensor.dtype.name}")
    if tf.executing_eagerly() and tf.size(tensor):
        low, high = int(tf.reduce_min(tensor)), int(tf.reduce_max(tensor))
        if low < first or high >= end:
            raise _refusal(
                f"{name} must lie in [{first}, {end - 1}]. Received: {name} from {low} to {high}"
            )
