"""A training from its workdir's last state to its last step."""

import contextlib
import textwrap
import time

import keras
import tensorflow as tf

from nwt_tf import presets
from nwt_tf.training.callbacks import (
    Progress,
    Speed,
    StopAtStep,
    StopOnSignal,
    Validation,
    Watch,
)
from nwt_tf.training.checkpoints import BestPresets, Checkpoints, has_state, is_begun
from nwt_tf.training.distribution import batches_of, hosts, is_chief, over_hosts
from nwt_tf.training.summaries import Summaries

# Fields of a config's `train` that may change on the way: those that say how, not what, is trained
# (parts of a batch count as how, though what normalises over a batch does so over each part), and
# what a training is given that has diverged or shall go on for longer.
FREE = frozenset(
    """num_accumulated steps_per_execution rematerialise_generator rematerialise_critics
    rematerialise xla_parts penalty_in_xla grouped_convolutions log_every validate_every
    checkpoint_minutes keep_best samples steps learning_rate critic_rate minimum_rate clip_norm
    skip_nonfinite""".split()
)


def check_workdir(workdir, part, training, defaults, footage=None):
    """Refuses a workdir that another config was trained in, or on other data; prints what of FREE
    has changed. Where a training ended before it left anything, all may be different.

    Args:
        workdir: a folder, or none yet.
        part: 'dvae' or 'prior', what is trained.
        training: the resolved config as plain dicts and lists (JSON).
        defaults: its fields' defaults, likewise: what a field that the workdir's nwt_tf did not
            have yet counts as.
        footage: what of config.json's footage must be the same, as plain data; None asks nothing.

    Raises:
        ValueError: naming the first field that differs.
    """
    if (workdir / "dataset.json").exists():
        raise ValueError(f"--workdir={workdir} holds a dataset: take a folder of its own.")
    if not (workdir / "config.json").exists():
        return
    before = presets.read_config(workdir)
    if before.get("training") is None:
        raise ValueError(f"--workdir={workdir} is a preset, not a training workdir.")
    if any(workdir.glob("*.weights.*.npz")) and (part == "prior") != ("prior" in before):
        raise ValueError(
            f"--workdir={workdir} is of a training of the other stage: take a folder of its own."
        )
    if not is_begun(workdir, part):
        return
    changes = dict(_differences(before["training"], training, defaults, "config"))
    for path, odd in changes.items():
        if path.split(".")[-1] not in FREE:
            raise ValueError(
                f"--workdir={workdir} was trained with another config: {odd}. "
                "Take another workdir or the same config."
            )
    for name, now in (footage or {}).items():
        for _, odd in _differences(before["footage"].get(name), now, {}, f"footage.{name}"):
            raise ValueError(
                f"--workdir={workdir} was trained on other data: {odd}. "
                "Take another workdir or the same --data_dir."
            )
    if not has_state(workdir):
        raise ValueError(
            f"--workdir={workdir} has weights, and no checkpoint to go on from: take another "
            f"workdir, with --init_preset={workdir} to start from them."
        )
    for odd in changes.values():
        print(odd, flush=True)


def _differences(before, now, defaults, path):
    """Yields (path, what was and what is there) of leaves that differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        defaults = defaults or {}
        for key in sorted(before.keys() | now.keys()):
            default = defaults.get(key)
            old = before.get(key, default)
            yield from _differences(old, now.get(key), default, f"{path}.{key}")
    elif before != now:
        yield path, f"{path} was {_short(before)} and is now {_short(now)}"


def _short(value):
    """For a line: critics, say, are nested lists of a screen."""
    return textwrap.shorten(repr(value), 60, placeholder=" ...")


@contextlib.contextmanager
def averaged_weights(model, optimizer):
    """Within, the model has its weights' moving averages, where the optimizer keeps some; then its
    own again."""
    if not optimizer.use_ema or not int(optimizer.iterations.numpy()):
        yield
        return
    own = [variable.numpy() for variable in model.trainable_variables]
    optimizer.assign_averages(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, own, strict=True):
            variable.assign(value)


def train(trainer, dataset, *, workdir, tracked, save_preset, measure, show, best, settings):
    """Runs a compiled trainer until settings.steps, from the newest checkpoint on.

    Of several hosts all restore and train, and the chief writes.

    Args:
        trainer: a DVAETrainer or PriorTrainer.
        dataset: takes start=, the number of batches already seen, and host=(index, count), and
            returns the batches after them, endless: that host's part of each.
        workdir: folder for checkpoints, logs and the preset; of several hosts the same.
        tracked: see Checkpoints.
        save_preset: makes a folder a preset of the model as it is.
        measure: see Validation.
        show: log names for the progress lines.
        best: (figure, lower_is_better) of BestPresets.
        settings: with steps of the whole training, earlier parts included (the last call of
            steps_per_execution is finished, so that a few more may be done); log_every and
            validate_every (steps), checkpoint_minutes, keep_best and batch_size.

    Returns:
        {"steps", "seconds", "steps_per_second"} of this run.

    Raises:
        ValueError: where hosts resumed from different steps.
        DivergedError, DataError: see Trainer.
        ConnectionError: where another host died.
        OSError: where a checkpoint cannot be written.
    """
    checkpoints = Checkpoints(
        workdir, trainer.step, tracked, save_preset, settings.checkpoint_minutes
    )
    with _own_rates(tracked.values()):
        checkpoints.restore()
    first = trainer.steps_done
    started = time.monotonic()
    with _other_hosts_alive(checkpoints):
        steps = over_hosts(first)
        if min(steps) != max(steps):
            raise ValueError(
                f"The hosts resumed from different steps ({', '.join(f'{s:.0f}' for s in steps)}): "
                f"--workdir={workdir} must be one folder that all of them see."
            )
        if first < settings.steps:
            round_steps = min(settings.log_every, settings.steps)
            round_steps += -round_steps % trainer.steps_per_execution
            with trainer.distribute_strategy.scope():
                batches = batches_of(
                    lambda host: dataset(start=first, host=host), settings.batch_size
                )
            trainer.fit(
                batches,
                epochs=-(-(settings.steps - first) // round_steps),
                steps_per_epoch=round_steps,
                verbose=0,
                shuffle=False,
                callbacks=_callbacks(checkpoints, measure, show, best, settings),
            )
            over_hosts(trainer.steps_done)  # The others stay until the chief has written all.
        elif is_chief():  # What a kill behind the last checkpoint left undone.
            save_preset(checkpoints.workdir)
            for each in _callbacks(checkpoints, measure, show, best, settings):
                if isinstance(each, Summaries | Validation):
                    each.set_model(trainer)
                    each.on_train_begin()
                    each.on_train_end()
    seconds = time.monotonic() - started
    done = trainer.steps_done - first
    return {
        "steps": trainer.steps_done,
        "seconds": seconds,
        "steps_per_second": done / max(seconds, 1e-9),
    }


def _callbacks(checkpoints, measure, show, best, settings):
    watch = Watch(checkpoints)
    stops = [StopAtStep(settings.steps), StopOnSignal(len(hosts()))]
    if not is_chief():
        return [watch, *stops]
    speed = Speed()
    summaries = Summaries(checkpoints.workdir, speed)
    kept = BestPresets(checkpoints, settings.keep_best, *best)
    # At the end of a training that is told to stop the checkpoint comes first, while signals are
    # still ours: who sent SIGTERM may not wait for the validation.
    return [
        watch,
        speed,
        Progress(settings.steps, show, speed),
        summaries,
        checkpoints,
        Validation(measure, summaries, settings.validate_every, kept),
        *stops,
    ]


@contextlib.contextmanager
def _own_rates(parts):
    """Keeps constant learning rates as configured: Keras has them among an optimizer's variables,
    which a checkpoint sets."""
    rates = [part.learning_rate for part in parts if isinstance(part, keras.optimizers.Optimizer)]
    constant = [(rate, rate.numpy()) for rate in rates if isinstance(rate, keras.Variable)]
    yield
    for rate, value in constant:
        rate.assign(value)


@contextlib.contextmanager
def _other_hosts_alive(checkpoints):
    """Turns what TensorFlow raises after the death of another host into one line."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        if len(hosts()) < 2:
            raise
        raise ConnectionError(
            "Another host of the training stopped or cannot be reached any more. The last "
            f"checkpoint is {checkpoints.newest() or 'not written yet'}: start the same command "
            "on every host, and they go on from there."
        ) from error
