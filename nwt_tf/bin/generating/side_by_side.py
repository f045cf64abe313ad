"""Videos of one sound beside each other, and a sheet of them: what one style variate does."""

import numpy as np

from nwt_tf.bin.generating import contact_sheet

_GAP = 0.04  # of a frame's width, between frames
_MIN_HEIGHT = 128  # pixels; smaller frames are enlarged
_MOMENTS = 4  # rows of the sheet
_PAPER, _INK = 255, (60, 48, 51)


class SideBySide:
    """Joins frames of several videos; iterate it once, then draw the sheet.

    Args:
        videos: iterables of uint8 [H, W, 3], all of `frames` frames.
        captions: one a video.
        frames: T.

    Iterating gives uint8 [caption and frames, all side by side, 3].
    """

    def __init__(self, videos, captions, frames):
        self.videos, self.captions, self.frames = videos, list(captions), frames
        self._moments, self._change = {}, 0.0

    def __iter__(self):
        wanted = {(2 * i + 1) * self.frames // (2 * _MOMENTS) for i in range(_MOMENTS)}
        for t, pictures in enumerate(zip(*self.videos, strict=True)):
            middle = pictures[len(pictures) // 2].astype(np.float32)
            change = [np.abs(picture - middle).mean(axis=-1) for picture in pictures]
            self._change = self._change + np.stack(change) / self.frames  # [K, H, W]
            if t in wanted:
                self._moments[t] = pictures
            yield self._joined(pictures)

    def _joined(self, pictures):
        import cv2

        height, width = pictures[0].shape[:2]
        scale = max(1, -(-_MIN_HEIGHT // height))
        gap, strip = max(2, round(_GAP * width * scale)), 24
        row = np.full(
            (strip + height * scale, (width * scale + gap) * len(pictures) + gap, 3),
            _PAPER,
            np.uint8,
        )
        for index, (picture, caption) in enumerate(zip(pictures, self.captions, strict=True)):
            left = gap + index * (width * scale + gap)
            size = (width * scale, height * scale)
            row[strip:, left : left + size[0]] = cv2.resize(
                picture, size, interpolation=cv2.INTER_CUBIC
            )
            place = (left + 4, strip - 8)
            cv2.putText(row, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
        return row

    def draw(self, path, title, fps):
        """Writes the sheet as PNG, whole or not at all: a column a video, a row a moment, and below
        how much each place differs from the middle column, as a mean over the whole time.

        Args:
            path: file to write.
            title: above all.
            fps: frames a second, for the rows' times.

        Raises:
            OSError: if the file cannot be written.
        """
        from matplotlib.figure import Figure

        rows, columns = [*sorted(self._moments)], len(self.captions)
        height, width = self._change.shape[1:]
        cell = 1.5  # inches
        size = (cell * columns + 0.9, cell * height / width * (len(rows) + 1) + 0.8)
        figure = Figure(figsize=size, facecolor="white", layout="constrained")
        axes = figure.subplots(len(rows) + 1, columns, squeeze=False)
        top = max(float(self._change.max()), 1e-6)
        for column, caption in enumerate(self.captions):
            axes[0, column].set_title(caption, fontsize=10)
            for row, t in enumerate(rows):
                axes[row, column].imshow(self._moments[t][column])
            axes[-1, column].imshow(self._change[column], cmap="magma", vmin=0, vmax=top)
        for row, t in enumerate(rows):
            axes[row, 0].set_ylabel(f"{t / fps:.1f} s", fontsize=9)
        axes[-1, 0].set_ylabel(f"change,\nup to {top:.0f}", fontsize=9)
        for axis in axes.flat:
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        figure.suptitle(title, fontsize=11)
        contact_sheet.save(figure, path)
