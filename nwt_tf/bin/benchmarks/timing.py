"""Times of layers on this machine, for `nwt benchmark`."""

import time

import numpy as np
import tensorflow as tf

from nwt_tf.layers.hard_attention import MultiHeadHardAttention

REPEATS = 20
IN_FLIGHT = 10  # calls between two waits, as a training queues them; on the CPU one


def attention(batch, queries, num_heads=8, num_codes=8, code_dim=1024):
    """Hard attention forward and backward: gradients of the queries and of all weights.

    Args:
        batch, queries: the input is [batch, queries, code_dim]; the paper's clips have 16 x 30
            frames of 16 x 14 = 224 queries.
        num_heads, num_codes, code_dim: of the layer.

    Returns:
        {"float32", "float32_compiled", "bfloat16", "bfloat16_compiled", each with "_forward" for
        the forward pass alone: milliseconds, the median of REPEATS}. bfloat16 is left out on the
        CPU, where it is emulated.
    """
    figures = {}
    dtypes = ("float32", "bfloat16") if tf.config.list_physical_devices("GPU") else ("float32",)
    for dtype in dtypes:
        policy = "mixed_bfloat16" if dtype == "bfloat16" else dtype
        layer = MultiHeadHardAttention(num_heads, num_codes, code_dim, dtype=policy)
        layer.build((None, None, code_dim))
        inputs = tf.cast(_random((batch, queries, code_dim), 0), dtype)
        upstream = tf.cast(_random((batch, queries, code_dim), 1), dtype)
        for compiled in (False, True):
            name = f"{dtype}_compiled" if compiled else dtype
            forward, both = _passes(layer, compiled)
            figures[f"{name}_forward"] = milliseconds(lambda f=forward, x=inputs: f(x))
            figures[name] = milliseconds(lambda f=both, x=inputs, u=upstream: f(x, u))
    return figures


def _passes(layer, compiled):
    seed = tf.constant([0, 1])

    @tf.function(jit_compile=compiled)
    def forward(inputs):
        values, codes, _ = layer(inputs, seed=seed, training=True)
        return values, codes

    @tf.function(jit_compile=compiled)
    def both(inputs, upstream):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            values, codes, _ = layer(inputs, seed=seed, training=True)
        watched = [inputs, *layer.trainable_variables]
        return values, codes, tape.gradient(values, watched, upstream)

    return forward, both


def milliseconds(work):
    """Median time of a call, after two that also compile; devices are waited for.

    On a GPU IN_FLIGHT calls are queued before a wait, so that the wait itself does not count.

    Args:
        work: takes nothing, returns tensors.
    """
    for _ in range(2):
        _wait(work())
    calls = IN_FLIGHT if tf.config.list_physical_devices("GPU") else 1
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        for _ in range(calls):
            outputs = work()
        _wait(outputs)
        times.append((time.perf_counter() - started) / calls)
    return 1e3 * float(np.median(times))


def _wait(outputs):
    """Until everything queued on the device before this is done: reads one number back."""
    first = tf.nest.flatten(outputs)[-1]
    tf.reshape(first, (-1,))[0].numpy()


def _random(shape, seed):
    return tf.random.stateless_normal(shape, (seed, 7))
