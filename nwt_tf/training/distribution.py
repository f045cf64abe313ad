"""Devices: which strategy, where XLA pays, and seeds that differ a replica."""

import tensorflow as tf


def strategy(num_gpus=None):
    """MirroredStrategy over the visible GPUs, or the default strategy for one device or none.

    Args:
        num_gpus: how many to use; None for all.

    Raises:
        ValueError: where fewer GPUs are visible than asked for.
    """
    gpus = tf.config.list_logical_devices("GPU")
    if num_gpus is not None and num_gpus > len(gpus):
        raise ValueError(f"--num_gpus={num_gpus}, but {len(gpus)} GPUs are visible.")
    chosen = gpus if num_gpus is None else gpus[:num_gpus]
    if len(chosen) > 1:
        return tf.distribute.MirroredStrategy([gpu.name for gpu in chosen])
    return tf.distribute.get_strategy()


def has_gpu():
    """Whether a GPU is visible. XLA and bfloat16 pay there; on the CPU both are slower."""
    return bool(tf.config.list_physical_devices("GPU"))


def step_seed(seed, step):
    """int32 [2] stateless seed of this step on this replica, independent between replicas."""
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    base = tf.random.experimental.stateless_fold_in(tf.constant([seed, 0]), tf.cast(step, tf.int32))
    return tf.random.experimental.stateless_fold_in(base, tf.cast(replica, tf.int32))


def split_seed(seed, index):
    """The seed of the index-th random draw under one step's seed."""
    return tf.random.experimental.stateless_fold_in(seed, index)
