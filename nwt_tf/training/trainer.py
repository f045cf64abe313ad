"""What both trainers share: step counter, noise, gradient clipping, the watch over finiteness, and
the call of several steps at once."""

import contextlib
import math
import re
import time

import keras
import tensorflow as tf

from nwt_tf.training.distribution import step_seed


class DivergedError(ValueError):
    """A loss or a gradient is not finite."""


def figures_of(optimizer, prefix=""):
    """An Adam's part of Trainer.update_figures."""
    rate = tf.convert_to_tensor(optimizer.learning_rate)
    return {
        f"{prefix}update_norm": float(optimizer.update_norm()),
        f"{prefix}learning_rate": float(rate),
    }


def mean_over_parts(function, tensors, parts, zeros):
    """What a function gives for a batch, computed part after part, each in the memory of a part.

    Args:
        function: takes a part of each tensor and the part's number; gives means over its clips.
        tensors: [B, ...].
        parts: how many; they divide B.
        zeros: tensors like those that function gives.

    Returns:
        The mean over the parts.
    """
    if parts == 1:
        return function(*tensors, 0)
    parted = [tf.reshape(each, (parts, -1, *each.shape[1:])) for each in tensors]

    def add(number, total):
        found = function(*(each[number] for each in parted), number)
        found = tf.nest.map_structure(tf.convert_to_tensor, found)  # an embedding's is sparse
        return number + 1, tf.nest.map_structure(tf.add, total, found)

    # TensorFlow would else begin parts before earlier ones have ended, in the memory of all.
    _, total = tf.while_loop(
        lambda number, _: number < parts, add, (0, zeros), parallel_iterations=1
    )
    return tf.nest.map_structure(lambda each: each / parts, total)


def reason_of(error):
    """What one of TensorFlow's errors says, in one line, without the names of its ops."""
    first = error.message.strip().splitlines()[0]
    if stated := re.search(r"assertion failed: \[(.*?)\]", first):
        return stated[1]
    return re.sub(r"^\{\{.*?\}\} | \[Op:.*", "", first)


def program(function, compiled):
    """The function, as an XLA program of its own where it is to be one.

    Within a larger program it must be no tf.function: of one that a gradient goes back through,
    XLA takes all inputs, video and weights, for constants, and compiles anew at every step.
    """
    return tf.function(function, jit_compile=True) if compiled else function


def joined(tensors):
    """One vector of all values of the tensors, one after the other."""
    return tf.concat([tf.reshape(each, [-1]) for each in tensors], 0)


def parted(vector, shapes):
    """The tensors of these shapes that `joined` made a vector of."""
    parts = tf.split(vector, [math.prod(shape) for shape in shapes])
    return [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]


def _dense(gradients, variables):
    """Gradients as tensors of their variables' shapes. An embedding's slices, some of one row,
    become the sums that they stand for, whose norm is another than theirs."""
    pairs = zip(gradients, variables, strict=True)
    return [tf.ensure_shape(tf.convert_to_tensor(each), variable.shape) for each, variable in pairs]


class DataError(ValueError):
    """The next batch cannot be read."""


@contextlib.contextmanager
def reading_batches():
    """Within, what TensorFlow raises where a batch cannot be read becomes a DataError, one line."""
    try:
        yield
    except (
        tf.errors.DataLossError,
        tf.errors.InvalidArgumentError,
        tf.errors.NotFoundError,
        tf.errors.PermissionDeniedError,
    ) as error:
        reason = reason_of(error).removesuffix(".")
        raise DataError(
            f"A training batch cannot be read: {reason}; nwt build_dataset --inspect=DATA_DIR "
            "names the shard"
        ) from error


class Trainer(keras.Model):
    """Base of the trainers.

    A subclass lists in LOGS what its train_step returns; the first step in which one of them is not
    finite is kept, with the names of those that are not. NORMS are the names among them that stand
    for the gradients' norms, one an update, before clipping.

    Args:
        seed: of all noise.
        clip_norm: global norm that gradients are clipped to, after their mean over replicas; 0 is
            off.
        skip_nonfinite: leave out updates whose loss or gradient is not finite, instead of stopping;
            the log skipped_updates counts them since the command's start. On one device.
        num_accumulated: parts that a replica's batch is computed in, one after the other; the
            update is that of the whole batch, but for noise and what is normalised over a
            batch (normalize_features, normalize_queries, normalize_audio).
        jit_compile: XLA for what is done with the gradients of all replicas before the update.

    Attributes:
        step: int64 variable, steps done; steps_done is its value, an int.
        seconds_waiting: for batches, of all calls so far.
    """

    LOGS = NORMS = ()

    def __init__(
        self,
        *,
        seed=0,
        clip_norm=0.0,
        skip_nonfinite=False,
        num_accumulated=1,
        jit_compile=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.seed = seed
        self.clip_norm = clip_norm
        self.skip_nonfinite = skip_nonfinite
        self.num_accumulated = num_accumulated
        self._norm = program(tf.linalg.global_norm, jit_compile)
        self._clip = program(tf.clip_by_global_norm, jit_compile)
        self._joined, self._parted = program(joined, jit_compile), program(parted, jit_compile)
        self.seconds_waiting = 0.0
        self.step = self._counter(0)
        self.skipped = self._counter(0)
        self.diverged_step = self._counter(-1)
        self.diverged_logs = self._variable(tf.zeros(len(self.LOGS), tf.bool))
        if skip_nonfinite and self.distribute_strategy.num_replicas_in_sync > 1:
            raise ValueError(
                "skip_nonfinite works on one device: an update cannot be left out on some replicas."
            )

    def _counter(self, value):
        return self._variable(tf.constant(value, tf.int64))

    def _variable(self, value):
        aggregation = tf.VariableAggregation.ONLY_FIRST_REPLICA
        return tf.Variable(value, trainable=False, aggregation=aggregation)

    @property
    def steps_done(self):
        return int(self.step.numpy())  # int() alone fails under a distribution strategy

    def make_train_function(self, force=False):
        """Makes what Keras' fit calls: takes the iterator, does steps_per_execution steps in one
        call and returns the logs of the last.

        Batches are taken outside the graph and each call waits for its results: time spent on
        taking a batch is then time that the device stands still (`seconds_waiting`). What the next
        call's start costs, a millisecond or two, is shared by the steps of a call.
        """
        if self.train_function is not None and not force:
            return
        strategy, step = self.distribute_strategy, self.train_step
        if self.steps_per_execution > 1 and strategy.num_replicas_in_sync == 1:
            # Traced once for all steps; over replicas, no function within theirs may add gradients.
            step = tf.function(step, autograph=False)

        @tf.function(autograph=False)
        def run_steps(batches):
            for batch in batches:
                logs = strategy.run(step, args=(batch,))
            # The mean over replicas already: each has the same.
            return {name: strategy.experimental_local_results(v)[0] for name, v in logs.items()}

        def train_function(iterator):
            started = time.monotonic()
            with reading_batches():
                batches = [next(iterator) for _ in range(self.steps_per_execution)]
            self.seconds_waiting += time.monotonic() - started
            return {name: value.numpy() for name, value in run_steps(batches).items()}

        self.train_function = train_function

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing: all is built. Keras would take a batch to build on, which fails over hosts."""

    def noise_seed(self):
        """int32 [2] seed of this step on this replica."""
        return step_seed(self.seed, self.step)

    def update_figures(self):
        """Norms of the last updates and the learning rates: {log's name: float}."""
        return figures_of(self.optimizer)

    @property
    def loss_scale(self):
        """What losses are multiplied with: gradients are summed over replicas."""
        return 1.0 / self.distribute_strategy.num_replicas_in_sync

    def finish_step(self, logs, updates):
        """Sums gradients over replicas, watches the logs, applies the updates and counts the step.

        Args:
            logs: {name: scalar}, with the names in LOGS that are not in NORMS.
            updates: (optimizer, gradients, variables) triples, gradients scaled by loss_scale,
                optimizers from `schedules` where there are replicas.

        Returns:
            The logs, the mean over replicas, and the norms of the summed gradients.
        """
        logs, gradients = self._over_replicas(logs, [_dense(*each[1:]) for each in updates])
        updates = [(each[0], sums, each[2]) for each, sums in zip(updates, gradients, strict=True)]
        norms = [self._norm(sums) for sums in gradients]
        logs = logs | dict(zip(self.NORMS, norms))  # noqa: B905
        finite = tf.math.is_finite(tf.stack([logs[name] for name in self.LOGS]))
        if self.skip_nonfinite:
            everything = tf.reduce_all(finite)
            tf.cond(everything, lambda: self._apply(updates, norms), lambda: None)
            self.skipped.assign_add(tf.cast(~everything, tf.int64))
            logs["skipped_updates"] = tf.cast(self.skipped, tf.float32)
        else:
            first = (self.diverged_step < 0) & ~tf.reduce_all(finite)
            self.diverged_step.assign(tf.where(first, self.step, self.diverged_step))
            self.diverged_logs.assign(tf.where(first, ~finite, self.diverged_logs))
            self._apply(updates, norms)
        self.step.assign_add(1)
        return logs

    def check_finite(self, last_good):
        """Raises DivergedError once a step's logs were not finite.

        Args:
            last_good: what to name as the state to return to.
        """
        step = int(self.diverged_step.numpy())
        if step >= 0:
            terms = [name for name, bad in zip(self.LOGS, self.diverged_logs.numpy()) if bad]  # noqa: B905
            raise DivergedError(
                f"Training diverged at step {step}; the last good state is {last_good}. "
                f"Not finite: {', '.join(terms)}. A lower learning rate or skip_nonfinite may help."
            )

    def _over_replicas(self, logs, gradients):
        """The mean of the logs and the sums of each update's gradients over the replicas.

        All travel as one vector: a device stands still from the end of a collective operation until
        the host has sent what follows it.
        """
        context = tf.distribute.get_replica_context()
        count = context.num_replicas_in_sync
        if count == 1:
            return logs, gradients
        whole = ({name: value / count for name, value in logs.items()}, gradients)
        tensors = tf.nest.flatten(whole)
        total = context.all_reduce(tf.distribute.ReduceOp.SUM, self._joined(tensors))
        parts = self._parted(total, tuple(tuple(each.shape) for each in tensors))
        return tf.nest.pack_sequence_as(whole, parts)

    def _apply(self, updates, norms):
        for (optimizer, gradients, variables), norm in zip(updates, norms, strict=True):
            if self.clip_norm:
                gradients, _ = self._clip(gradients, self.clip_norm, norm)
            optimizer.apply(gradients, variables)
