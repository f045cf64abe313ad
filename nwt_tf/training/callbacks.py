"""What happens beside the steps: progress, TensorBoard, validation, checkpoints, signals.

Steps are grouped into Keras epochs of a few steps ('rounds'); callbacks act at their ends, so that
no step waits for the host.
"""

import json
import signal
import time
from pathlib import Path

import keras
import tensorflow as tf


def _duration(seconds):
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


class Progress(keras.callbacks.Callback):
    """A line at intervals: the step, the losses, the speed, the time left.

    Args:
        steps: of the whole training.
        seconds: between lines.
        show: names of the logs to print.
    """

    def __init__(self, steps, show, seconds=15.0):
        super().__init__()
        self.steps, self.show, self.seconds = steps, show, seconds

    def on_train_begin(self, logs=None):
        self.first_step = self.last_step = int(self.model.step)
        self.started = self.last_time = time.monotonic()
        self.last_line = 0.0

    def on_epoch_end(self, epoch, logs=None):
        step, now = int(self.model.step), time.monotonic()
        speed = (step - self.last_step) / max(now - self.last_time, 1e-9)
        self.last_step, self.last_time = step, now
        if now - self.last_line < self.seconds and step < self.steps:
            return
        self.last_line = now
        parts = " ".join(f"{name} {float(logs[name]):.4g}" for name in self.show if name in logs)
        left = _duration(max(self.steps - step, 0) / max(speed, 1e-9))
        print(f"step {step}/{self.steps} {parts} {speed:.2f} steps/s, {left} left", flush=True)


class Summaries(keras.callbacks.Callback):
    """Writes the logs of each round to TensorBoard and to metrics.jsonl.

    Args:
        workdir: TensorBoard's files go to workdir/logs.
    """

    def __init__(self, workdir):
        super().__init__()
        self.workdir = Path(workdir)
        self.writer = tf.summary.create_file_writer(str(self.workdir / "logs"))

    def write(self, scalars, images=None):
        """Scalars {tag: number} and images {tag: uint8 [H, W, 3]} at the model's step."""
        step = int(self.model.step)
        scalars = {tag: float(value) for tag, value in scalars.items()}
        with self.writer.as_default(step):
            for tag, value in scalars.items():
                tf.summary.scalar(tag, value)
            for tag, image in (images or {}).items():
                tf.summary.image(tag, image[None])
        self.writer.flush()
        with open(self.workdir / "metrics.jsonl", "a") as file:
            file.write(json.dumps({"step": step, **scalars}) + "\n")

    def on_epoch_end(self, epoch, logs=None):
        rate = self.model.optimizer.learning_rate
        self.write({**(logs or {}), "learning_rate": rate})


class Validation(keras.callbacks.Callback):
    """Measures and pictures the model at intervals.

    Args:
        measure: takes nothing and returns (scalars, images), see Summaries.write.
        summaries: the Summaries to write to.
        every: steps between measurements; there is one at the end too.
    """

    def __init__(self, measure, summaries, every):
        super().__init__()
        self.measure, self.summaries, self.every = measure, summaries, every

    def on_train_begin(self, logs=None):
        self.done = int(self.model.step)

    def on_epoch_end(self, epoch, logs=None):
        if int(self.model.step) - self.done >= self.every:
            self._validate()

    def on_train_end(self, logs=None):
        if int(self.model.step) > self.done:
            self._validate()

    def _validate(self):
        self.done = int(self.model.step)
        scalars, images = self.measure()
        self.summaries.write(scalars, images)
        folder = self.summaries.workdir / "pictures"
        folder.mkdir(exist_ok=True)
        for tag, image in images.items():
            picture = tf.io.encode_png(image).numpy()
            (folder / f"{tag.replace('/', '_')}_{self.done:06}.png").write_bytes(picture)
        line = " ".join(f"{tag} {float(value):.4g}" for tag, value in scalars.items())
        print(f"step {self.done}: {line}", flush=True)


class Watch(keras.callbacks.Callback):
    """Ends a training whose losses or gradients are not finite any more, before anything of it is
    saved.

    Args:
        checkpoints: the Checkpoints, to name the last good one.
    """

    def __init__(self, checkpoints):
        super().__init__()
        self.checkpoints = checkpoints

    def on_epoch_end(self, epoch, logs=None):
        newest = self.checkpoints.manager.latest_checkpoint
        self.model.check_finite(newest or "the start: no checkpoint was written yet")


class Checkpoints(keras.callbacks.Callback):
    """Resumes from the workdir's newest checkpoint and writes new ones.

    Args:
        workdir: checkpoints go to workdir/checkpoints.
        step: the trainer's step variable.
        tracked: what belongs to a checkpoint: {name: model or optimizer}, all their variables.
        save_preset: called after each checkpoint, so that the workdir is a preset.
        minutes: between checkpoints; there is one at the end too.
    """

    def __init__(self, workdir, step, tracked, save_preset, minutes=5.0):
        super().__init__()
        # Variable by variable: tf.train.Checkpoint does not see Keras layers that lie in lists.
        parts = {
            name: [variable.value for variable in part.variables] for name, part in tracked.items()
        }
        self.manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(step=step, **parts),
            str(Path(workdir) / "checkpoints"),
            max_to_keep=2,
        )
        self.save_preset = save_preset
        self.seconds = minutes * 60

    def restore(self):
        """Restores the newest checkpoint that is whole, if any, and says so.

        Returns:
            Its path, or None where there is no checkpoint.

        Raises:
            ValueError: where there are checkpoints and none can be restored.
        """
        for path in reversed(self.manager.checkpoints):
            try:
                self.manager.checkpoint.restore(path).assert_existing_objects_matched()
            except Exception as error:  # what TensorFlow raises depends on where the damage is
                reason = str(error).splitlines()[0]
                print(f"warning: {path} cannot be restored ({reason}); trying the one before")
                continue
            print(f"resumed from {path}", flush=True)
            return path
        if self.manager.checkpoints:
            raise ValueError(
                f"No checkpoint in {self.manager.directory} can be restored: take another workdir."
            )
        return None

    def on_train_begin(self, logs=None):
        self.last = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        if time.monotonic() - self.last >= self.seconds:
            self._save()

    def on_train_end(self, logs=None):
        self._save()

    def _save(self):
        self.manager.save(checkpoint_number=int(self.model.step))
        self.save_preset()
        self.last = time.monotonic()


class StopOnSignal(keras.callbacks.Callback):
    """SIGINT and SIGTERM end the training after the step under way; the last checkpoint is written
    and the program goes on to its regular end. A second SIGINT interrupts at once."""

    def on_train_begin(self, logs=None):
        self.stopped_by = None
        self.before = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            self.before[number] = signal.signal(number, self._stop)

    def _stop(self, number, frame):
        self.stopped_by = signal.Signals(number).name
        self.model.stop_training = True
        signal.signal(signal.SIGINT, self.before[signal.SIGINT])
        print(f"{self.stopped_by}: stopping after this round", flush=True)

    def on_train_end(self, logs=None):
        for number, handler in self.before.items():
            signal.signal(number, handler)
