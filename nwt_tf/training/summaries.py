"""What TensorBoard shows: scalars, pictures and short clips, readable off line."""

import io
import json
import math
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.image import metadata

from nwt_tf.training.trainer import reason_of


class Picture(NamedTuple):
    """An encoded picture, PNG or animated GIF: bytes, suffix of its files, (height, width)."""

    encoded: bytes
    suffix: str
    size: tuple


def still(image):
    """A Picture of uint8 [H, W, 3], lossless."""
    return Picture(tf.io.encode_png(image).numpy(), ".png", image.shape[:2])


def moving(video, fps):
    """A Picture of uint8 [T, H, W, 3] that plays over and over at `fps` frames a second.

    It is a GIF: of the formats that move, the one that TensorBoard hands to the browser as it is.
    Its frames last whole hundredths of a second and have 256 colours each.
    """
    from PIL import Image

    shown = np.round(np.arange(len(video) + 1) * 100 / fps)  # hundredths, without drift
    frames = [Image.fromarray(frame).quantize(256) for frame in video]
    file = io.BytesIO()
    frames[0].save(
        file,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[int(10 * each) for each in np.diff(shown)],
        loop=0,
    )
    return Picture(file.getvalue(), ".gif", video.shape[1:3])


class Summaries(keras.callbacks.Callback):
    """Writes the logs of each round to TensorBoard and to metrics.jsonl.

    Args:
        workdir: TensorBoard's files go to workdir/logs, pictures also to workdir/pictures.
        speed: the Speed; its figures are on lines of their own, since they alone differ between
            a training and its repetition.
    """

    def __init__(self, workdir, speed):
        super().__init__()
        self.workdir, self.speed = Path(workdir), speed
        self._warned = False
        self.writer = tf.summary.create_file_writer(str(self.workdir / "logs"))

    def write(self, scalars, pictures=None):
        """Scalars {tag: number} and pictures {tag: Picture} at the model's step.

        Where they cannot be written, on a full disk say, a warning says so once: a training is
        worth more than its logs.
        """
        try:
            self._write(scalars, pictures)
        except (tf.errors.OpError, OSError) as error:
            if not self._warned:
                reason = reason_of(error) if isinstance(error, tf.errors.OpError) else error
                print(f"warning: logs of {self.workdir} cannot be written: {reason}", flush=True)
            self._warned = True

    def last_validated(self, steps_done):
        """The last step of metrics.jsonl with a validation, of those up to `steps_done`; 0 where
        there is none."""
        path, last = self.workdir / "metrics.jsonl", 0
        if path.is_file():
            for line in path.read_text().splitlines():
                if '"validation/' in line and line.endswith("}"):
                    step = json.loads(line)["step"]
                    last = max(last, step if step <= steps_done else 0)
        return last

    def _write(self, scalars, pictures):
        step = self.model.steps_done
        scalars = {tag: float(value) for tag, value in scalars.items()}
        with self.writer.as_default(step):
            for tag, value in scalars.items():
                tf.summary.scalar(tag, value)
            for tag, picture in (pictures or {}).items():
                self._write_picture(tag, picture)
        self.writer.flush()
        # JSON has no NaN: null, where a loss that skip_nonfinite left out was not finite.
        figures = {tag: value if math.isfinite(value) else None for tag, value in scalars.items()}
        with open(self.workdir / "metrics.jsonl", "a") as file:
            file.write(json.dumps({"step": step, **figures}) + "\n")

    def _write_picture(self, tag, picture):
        folder = self.workdir / "pictures"
        folder.mkdir(exist_ok=True)
        name = f"{tag.replace('/', '_')}_{self.model.steps_done:06}{picture.suffix}"
        (folder / name).write_bytes(picture.encoded)
        # As tf.summary.image, which knows no clips, writes it.
        height, width = picture.size
        values = tf.constant([str(width).encode(), str(height).encode(), picture.encoded])
        about = metadata.create_summary_metadata(display_name=None, description=None)
        tf.summary.write(tag, values, metadata=about.SerializeToString())

    def on_epoch_end(self, epoch, logs=None):
        self.write({**(logs or {}), **self.model.update_figures()})
        self.write({f"speed/{name}": value for name, value in self.speed.figures.items()})
