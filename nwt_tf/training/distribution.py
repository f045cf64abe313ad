"""Devices and hosts: which strategy, who gets which clips, and seeds that differ a replica."""

import functools
import json
import os

import tensorflow as tf

HEARTBEAT_MS = 60_000  # a host that is silent for so long has died; a busy one may be for 15 s


def strategy(num_gpus=None):
    """The strategy over this host's devices, or over all hosts that TF_CONFIG names.

    One host: MirroredStrategy over the visible GPUs, or the default strategy for one device or
    none. Several: MultiWorkerMirroredStrategy, which waits until all have started; nothing else
    may use TensorFlow's devices before.

    Args:
        num_gpus: how many to use a host; None for all.

    Raises:
        ValueError: where fewer GPUs are visible than asked for, or TF_CONFIG cannot be read.
    """
    several = len(hosts()) > 1
    # Listing logical devices starts TensorFlow's devices.
    gpus = (tf.config.list_physical_devices if several else tf.config.list_logical_devices)("GPU")
    if num_gpus is not None and num_gpus > len(gpus):
        raise ValueError(f"--num_gpus={num_gpus}, but {len(gpus)} GPUs are visible.")
    chosen = gpus if num_gpus is None else gpus[:num_gpus]
    if several:
        tf.config.set_visible_devices(chosen, "GPU")
        return _over_hosts()
    if len(chosen) > 1:
        return mirrored(tuple(gpu.name for gpu in chosen))
    return tf.distribute.get_strategy()


@functools.cache
def mirrored(devices):
    """The MirroredStrategy over these devices (a tuple of names), one a process: the collective
    operations of a second would be numbered from the start again and meet the first's."""
    return tf.distribute.MirroredStrategy(list(devices))


def _tf_config():
    try:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
        cluster, task = config.get("cluster") or {}, config.get("task") or {}
        if cluster:
            cluster[task["type"]][task["index"]]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        cluster = {"": []}
    if not cluster.keys() <= {"chief", "worker"}:
        raise ValueError(
            'TF_CONFIG must be like {"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": '
            f'{{"type": "worker", "index": 0}}}}. Received: {os.environ["TF_CONFIG"]}'
        )
    return cluster, task


def hosts():
    """Addresses of all hosts of the training, the chief first; none without TF_CONFIG.

    Raises:
        ValueError: where TF_CONFIG cannot be read.
    """
    cluster, _ = _tf_config()
    return [address for job in ("chief", "worker") for address in cluster.get(job, [])]


def host_index():
    """This host's place in hosts()."""
    cluster, task = _tf_config()
    if len(hosts()) < 2:
        return 0
    return task["index"] + (len(cluster.get("chief", [])) if task["type"] == "worker" else 0)


def is_chief():
    """Whether this host writes what a training leaves; the others only read."""
    return host_index() == 0


@functools.cache  # a process can join its cluster once
def _over_hosts():
    from tensorflow.python.eager import context

    cluster, _ = _tf_config()
    jobs = [
        context.coordination_config_pb2.CoordinatedJob(name=job, num_tasks=len(addresses))
        for job, addresses in cluster.items()
    ]
    leader = "chief" if "chief" in cluster else "worker"
    context.context().configure_coordination_service(
        "standalone",
        f"/job:{leader}/replica:0/task:0",
        heartbeat_timeout_in_ms=HEARTBEAT_MS,
        shutdown_barrier_timeout_in_ms=HEARTBEAT_MS,
        coordinated_jobs=jobs,
    )
    return tf.distribute.MultiWorkerMirroredStrategy()


def over_hosts(value):
    """All hosts' values of a number, at each host: a list of floats. All hosts must call it."""
    count = len(hosts())
    if count < 2:
        return [float(value)]

    def gather():
        mine = value * tf.one_hot(host_index(), count)
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.MEAN, mine) * count

    found = tf.function(lambda: _over_hosts().run(gather))()
    return _over_hosts().experimental_local_results(found)[0].numpy().tolist()


def has_gpu():
    """Whether a GPU is visible. XLA and bfloat16 pay there; on the CPU both are slower."""
    return bool(tf.config.list_physical_devices("GPU"))


def peak_device_bytes():
    """The most memory that a GPU of this host has held so far, 0 without GPUs."""
    gpus = tf.config.list_logical_devices("GPU")
    peaks = [tf.config.experimental.get_memory_info(gpu.name)["peak"] for gpu in gpus]
    return max(peaks, default=0)


def untuned():
    """tf.data's options without its autotuner, for which an iterator's end waits up to a minute:
    see data_pipeline/dataset.py. What feeds GPUs, or several devices, still has one of its own."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def batches_of(make, batch_size):
    """A dataset that the current strategy's replicas share.

    Args:
        make: takes host=(index, count) and returns that host's part of every batch.
        batch_size: of all replicas together.

    Raises:
        ValueError: where the replicas do not divide the batch.
    """
    current = tf.distribute.get_strategy()
    replicas = current.num_replicas_in_sync
    if batch_size % replicas:
        raise ValueError(
            f"config.train.batch_size={batch_size} must be a multiple of {replicas}, the devices "
            "that share it."
        )

    def of_host(context):
        batches = make(host=(context.input_pipeline_id, context.num_input_pipelines))
        batches = batches.with_options(untuned())
        if replicas > context.num_input_pipelines:
            batches = batches.rebatch(batch_size // replicas, drop_remainder=True)
        if replicas == 1 and has_gpu():
            return batches.apply(tf.data.experimental.prefetch_to_device("/GPU:0", 2))
        return batches

    return current.distribute_datasets_from_function(of_host)


def step_seed(seed, step):
    """int32 [2] stateless seed of this step on this replica, independent between replicas."""
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    base = tf.random.experimental.stateless_fold_in(tf.constant([seed, 0]), tf.cast(step, tf.int32))
    return tf.random.experimental.stateless_fold_in(base, tf.cast(replica, tf.int32))


def split_seed(seed, index):
    """The seed of the index-th random draw under one step's seed."""
    return tf.random.experimental.stateless_fold_in(seed, index)
