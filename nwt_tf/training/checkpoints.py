"""What a training leaves: the latest checkpoints to go on from, and the best presets to use."""

import contextlib
import os
import re
import shutil
import time
from pathlib import Path

import keras
import tensorflow as tf

from nwt_tf import presets
from nwt_tf.training.trainer import reason_of


def has_state(workdir):
    """Whether a workdir has anything that a training can go on from."""
    return bool(_paths_in(Path(workdir) / "checkpoints") or presets.best_folders(workdir))


def _paths_in(folder):
    """Paths of a folder's checkpoints, the newest first, whatever the file `checkpoint` beside them
    says: a power cut may leave it empty. Of a checkpoint the index is what is written last."""
    found = [
        (int(name[1]), str(path.with_suffix("")))
        for path in Path(folder).glob("ckpt-*.index")
        if (name := re.fullmatch(r"ckpt-(\d+)\.index", path.name))
    ]
    return [path for _, path in sorted(found, reverse=True)]


def is_begun(workdir, part):
    """Whether a workdir has anything that a training of a part ('dvae' or 'prior') has learnt."""
    return has_state(workdir) or any(Path(workdir).glob(f"{part}.weights.*.npz"))


class Checkpoints(keras.callbacks.Callback):
    """Resumes from the workdir's newest checkpoint and writes new ones.

    Args:
        workdir: checkpoints go to workdir/checkpoints.
        step: the trainer's step variable.
        tracked: what belongs to a checkpoint: {name: model or optimizer}, all their variables.
        save_preset: takes a folder and makes it a preset; called with the workdir after each
            checkpoint.
        minutes: between checkpoints; there is one at the end too.
    """

    def __init__(self, workdir, step, tracked, save_preset, minutes=5.0):
        super().__init__()
        # Variable by variable: tf.train.Checkpoint does not see Keras layers that lie in lists.
        parts = {
            name: [variable.value for variable in part.variables] for name, part in tracked.items()
        }
        self.workdir = Path(workdir)
        checkpoint = tf.train.Checkpoint(step=step, **parts)
        _ = checkpoint.save_counter  # Made now, it is in every checkpoint.
        folder = self.workdir / "checkpoints"
        try:
            tf.train.get_checkpoint_state(str(folder))
        except ValueError:  # The list of checkpoints is damaged: it begins anew.
            (folder / "checkpoint").unlink(missing_ok=True)
        self.manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2)
        self.save_preset = save_preset
        self.seconds = minutes * 60

    def newest(self):
        """Path of the newest checkpoint, whichever host wrote it, or None."""
        return next(iter(_paths_in(self.manager.directory)), None)

    def found(self):
        """Paths of all checkpoints in the order of trying: the newest first, then the best ones."""
        best = [str(folder / "checkpoint") for folder in presets.best_folders(self.workdir)]
        return [*_paths_in(self.manager.directory), *best]

    def restore(self):
        """Restores the newest checkpoint that is whole, if any, and says so.

        Returns:
            Its path, or None where there is no checkpoint.

        Raises:
            ValueError: where there are checkpoints and none can be restored.
        """
        found = self.found()
        for path in found:
            try:
                self.manager.checkpoint.restore(path).assert_existing_objects_matched()
            except Exception as error:  # what TensorFlow raises depends on where the damage is
                reason = str(error).splitlines()[0]
                print(f"warning: {path} cannot be restored ({reason}); trying the one before")
                continue
            print(f"resumed from {path}", flush=True)
            return path
        if found:
            raise ValueError(
                f"No checkpoint in {self.workdir} can be restored: take another workdir."
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
        with self._written():
            self.manager.save(checkpoint_number=self.model.steps_done)
            self.save_preset(self.workdir)
        self.last = time.monotonic()

    @contextlib.contextmanager
    def _written(self):
        """Errors of a full or broken disk become OSErrors that say where the training stands."""
        try:
            yield
        except (tf.errors.OpError, OSError) as error:
            good = self.newest()
            for rest in Path(self.manager.directory).glob("ckpt-*temp*"):
                rest.unlink() if rest.is_file() else shutil.rmtree(rest)
            ours = isinstance(error, OSError)
            reason = (error.strerror or str(error)) if ours else reason_of(error).split("; ")[-1]
            raise OSError(
                f"A checkpoint cannot be written to {self.workdir}: {reason}. "
                f"{Path(good).name if good else 'None'} is whole: make room, and the same command "
                "goes on."
            ) from error


class BestPresets:
    """Keeps the presets with the best validation, each with the checkpoint to go on from.

    They lie in workdir/best/step_NNNNNN; workdir/best/best.json lists them, the best first.

    Args:
        checkpoints: the Checkpoints.
        keep: how many; 0 for none.
        figure: the name of the validation's scalar.
        lower_is_better: of the figure.
    """

    def __init__(self, checkpoints, keep, figure, lower_is_better):
        self.checkpoints, self.keep = checkpoints, keep
        self.figure, self.sign = figure, 1 if lower_is_better else -1
        self.folder = checkpoints.workdir / "best"

    def offer(self, step, scalars):
        """Keeps the model as it is if its validation is among the best.

        Args:
            step: steps done.
            scalars: of the validation, with the figure.
        """
        value = float(scalars[self.figure])
        kept = [entry for entry in presets.best_entries(self.folder) if entry["step"] != step]
        kept = [*kept, {"step": step, "folder": f"step_{step:06}", self.figure: value}]
        kept.sort(key=lambda entry: (self.sign * entry[self.figure], -entry["step"]))
        kept = kept[: self.keep]
        if any(entry["step"] == step for entry in kept):
            self._write(self.folder / f"step_{step:06}")
        presets.write_best(self.folder, kept)
        for folder in self.folder.glob("step_*"):
            if folder.name not in [entry["folder"] for entry in kept]:
                shutil.rmtree(folder)

    def _write(self, folder):
        partial = folder.with_name("writing")
        shutil.rmtree(partial, ignore_errors=True)
        with self.checkpoints._written():
            self.checkpoints.save_preset(partial)
            self.checkpoints.manager.checkpoint.write(str(partial / "checkpoint"))
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(partial, folder)
