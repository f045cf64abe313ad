"""What happens beside the steps: speed, progress, validation, finiteness, signals.

Steps are grouped into Keras epochs of a few steps ('rounds'); callbacks act at their ends, so that
no step waits for the host.
"""

import signal
import time

import keras

from nwt_tf.training.distribution import over_hosts, peak_device_bytes


def _duration(seconds):
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


class Speed(keras.callbacks.Callback):
    """Measures each round, validation and checkpoints apart, for the callbacks behind it.

    Attributes:
        figures: steps_per_second; input_wait, the share of the time that steps waited for batches;
            device_gigabytes, the peak of the GPU's memory so far (of the fullest one), where there
            is one.
    """

    def __init__(self):
        super().__init__()
        self.figures = {}

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.monotonic()
        self.first_step, self.waited = self.model.steps_done, self.model.seconds_waiting

    def on_epoch_end(self, epoch, logs=None):
        seconds = max(time.monotonic() - self.began, 1e-9)
        self.figures = {
            "steps_per_second": (self.model.steps_done - self.first_step) / seconds,
            "input_wait": (self.model.seconds_waiting - self.waited) / seconds,
        }
        if peak := peak_device_bytes():
            self.figures["device_gigabytes"] = peak / 1e9


class Progress(keras.callbacks.Callback):
    """A line at intervals: the step, the losses, the speed, the time left.

    Args:
        steps: of the whole training.
        show: names of the logs to print.
        speed: the Speed.
        seconds: between lines.
    """

    def __init__(self, steps, show, speed, seconds=15.0):
        super().__init__()
        self.steps, self.show, self.speed, self.seconds = steps, show, speed, seconds

    def on_train_begin(self, logs=None):
        self.last_line = 0.0

    def on_epoch_end(self, epoch, logs=None):
        step, now = self.model.steps_done, time.monotonic()
        if now - self.last_line < self.seconds and step < self.steps:
            return
        self.last_line = now
        figures = self.speed.figures
        parts = " ".join(f"{name} {float(logs[name]):.4g}" for name in self.show if name in logs)
        left = _duration(max(self.steps - step, 0) / max(figures["steps_per_second"], 1e-9))
        print(
            f"step {step}/{self.steps} {parts} {figures['steps_per_second']:.2f} steps/s, "
            f"{figures['input_wait']:.1%} of it waiting for input, {left} left",
            flush=True,
        )


class Validation(keras.callbacks.Callback):
    """Measures and pictures the model at intervals.

    Args:
        measure: takes nothing and returns (scalars, pictures), see Summaries.write.
        summaries: the Summaries to write to.
        every: a measurement comes with every multiple of so many steps, also where a training is
            resumed more often; and there is one at the end. One that a kill interrupted is made
            up for when the training goes on.
        best: the BestPresets.
    """

    def __init__(self, measure, summaries, every, best):
        super().__init__()
        self.measure, self.summaries, self.every, self.best = measure, summaries, every, best

    def on_train_begin(self, logs=None):
        self.done = self.summaries.last_validated(self.model.steps_done)

    def on_epoch_end(self, epoch, logs=None):
        if self.model.steps_done // self.every > self.done // self.every:
            self._validate()

    def on_train_end(self, logs=None):
        if self.model.steps_done > self.done:
            self._validate()

    def _validate(self):
        self.done = self.model.steps_done
        scalars, pictures = self.measure()
        self.summaries.write(scalars, pictures)
        line = " ".join(
            f"{tag} {float(value):.4g}" for tag, value in scalars.items() if "head" not in tag
        )
        print(f"step {self.done}: {line}", flush=True)
        if self.best.keep:
            self.best.offer(self.done, scalars)


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
        newest = self.checkpoints.newest()
        self.model.check_finite(newest or "the start: no checkpoint was written yet")


class StopAtStep(keras.callbacks.Callback):
    """Ends the training behind the call that reaches its last step, also within a round: one that
    was stopped within a round ends where an unbroken one does.

    Args:
        steps: of the whole training.
    """

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_begin(self, logs=None):
        # Counted here: asking the trainer would wait for each of its steps.
        self.left = self.steps - self.model.steps_done

    def on_train_batch_end(self, batch, logs=None):
        self.left -= self.model.steps_per_execution
        if self.left <= 0:
            self.model.stop_training = True


class StopOnSignal(keras.callbacks.Callback):
    """SIGINT and SIGTERM end the training after the call under way, where there are several hosts
    after the round under way at all of them; the last checkpoint is written and the program goes on
    to its regular end. A second SIGINT interrupts at once.

    Args:
        hosts: how many train together.
    """

    def __init__(self, hosts=1):
        super().__init__()
        self.hosts = hosts

    def on_train_begin(self, logs=None):
        self.stopped_by = None
        self.before = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            self.before[number] = signal.signal(number, self._stop)

    def _stop(self, number, frame):
        self.stopped_by = signal.Signals(number).name
        # A host that stopped alone would leave the others waiting for its gradients.
        if self.hosts < 2:
            self.model.stop_training = True
        signal.signal(signal.SIGINT, self.before[signal.SIGINT])
        what = "call" if self.hosts < 2 else "round"
        print(f"{self.stopped_by}: stopping after this {what}", flush=True)

    def on_epoch_end(self, epoch, logs=None):
        if self.hosts > 1 and any(over_hosts(self.stopped_by is not None)):
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        for number, handler in self.before.items():
            signal.signal(number, handler)
