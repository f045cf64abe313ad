"""A training from its workdir's last state to its last step."""

import contextlib
import time

from nwt_tf import presets
from nwt_tf.training.callbacks import (
    Checkpoints,
    Progress,
    StopOnSignal,
    Summaries,
    Validation,
    Watch,
)


def check_workdir(workdir, training):
    """Refuses a workdir that another config was trained in; writes the config into a new one.

    Args:
        workdir: a folder, made if missing.
        training: the resolved config as plain dicts and lists (JSON).

    Raises:
        ValueError: naming the first field that differs.
    """
    if (workdir / "config.json").exists():
        before = presets.read_config(workdir).get("training")
        if before is None:
            raise ValueError(f"--workdir={workdir} is a preset, not a training workdir.")
        odd = _difference(before, training)
        if odd:
            raise ValueError(
                f"--workdir={workdir} was trained with another config: {odd}. "
                "Take another workdir or the same config."
            )
    presets.write_config(workdir, training=training)


def _difference(before, now, path="config"):
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            odd = _difference(before.get(key), now.get(key), f"{path}.{key}")
            if odd:
                return odd
        return None
    return None if before == now else f"{path} was {before!r} and is now {now!r}"


@contextlib.contextmanager
def averaged_weights(model, optimizer):
    """Within, the model has its weights' moving averages, where the optimizer keeps some; then its
    own again."""
    if not optimizer.use_ema or not int(optimizer.iterations):
        yield
        return
    own = [variable.numpy() for variable in model.trainable_variables]
    optimizer.assign_averages(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, own, strict=True):
            variable.assign(value)


def train(trainer, dataset, *, workdir, steps, tracked, save_preset, measure, show, settings):
    """Runs a compiled trainer until `steps`, from the newest checkpoint on.

    Args:
        trainer: a DVAETrainer or PriorTrainer.
        dataset: takes the number of batches already seen and returns the batches after them,
            endless.
        workdir: folder for checkpoints, logs and the preset.
        steps: of the whole training, earlier parts included; the last round (settings.log_every
            steps) is finished, so that a few more may be done.
        tracked: see Checkpoints.
        save_preset: writes the workdir's weights.
        measure: see Validation.
        show: log names for the progress lines.
        settings: with log_every, validate_every (steps) and checkpoint_minutes.

    Returns:
        {"steps", "seconds", "steps_per_second"} of this run.
    """
    checkpoints = Checkpoints(
        workdir, trainer.step, tracked, save_preset, settings.checkpoint_minutes
    )
    checkpoints.restore()
    first = int(trainer.step)
    summaries = Summaries(workdir)
    started = time.monotonic()
    if first < steps:
        round_steps = min(settings.log_every, steps)
        trainer.fit(
            dataset(first),
            epochs=-(-(steps - first) // round_steps),
            steps_per_epoch=round_steps,
            verbose=0,
            shuffle=False,
            callbacks=[
                StopOnSignal(),
                Watch(checkpoints),
                Progress(steps, show),
                summaries,
                Validation(measure, summaries, settings.validate_every),
                checkpoints,
            ],
        )
    seconds = time.monotonic() - started
    done = int(trainer.step) - first
    return {
        "steps": int(trainer.step),
        "seconds": seconds,
        "steps_per_second": done / max(seconds, 1e-9),
    }
