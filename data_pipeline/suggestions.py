"""Reasons to look at a clip before it is trained on: suggestions for the manual review.

Step 5 of the paper's Appendix D is a person who looks at every clip. These measures tell that
person where to look first; they drop nothing themselves. They would rather miss a fault than cry
wolf: a flagged clip should have what its reason says.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from data_pipeline.captions import find_caption
from data_pipeline.faces import find_faces
from data_pipeline.suggestions_sound import SoundThresholds, sound_faults

_HEIGHT = 128  # pixels, of the grey pictures that faces and text are looked for in
_CELLS = 32  # rows of the coarse pictures that motion is measured in
_SAMPLE_SECONDS = 0.25  # between the grey pictures that are kept
_NEAR = 6  # pictures before and after a jump that tell what motion is usual there
_FLASH = 2  # a jump back after so many pictures is a flash


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why a clip should be looked at."""

    kind: str  # one of KINDS
    detail: str  # one line for people, with where or how much

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


KINDS = (
    *("cut", "blank", "frozen", "still", "no face", "several faces", "text"),
    *("silence", "clipping", "music"),
)


@dataclasses.dataclass(frozen=True)
class PictureThresholds:
    """From where on a measure of the picture becomes a reason; levels are of 0 to 255."""

    # A jump changes the coarse picture by so many levels in the mean, and by so many times more
    # than any other pair of pictures nearby.
    cut_levels: float = 3.0
    cut_ratio: float = 3.5
    black_level: float = 30.0  # no cell is brighter
    uniform_levels: float = 3.0  # no two cells differ by more
    blank_seconds: float = 0.07  # two frames, at any usual rate
    frozen_levels: float = 1.0  # no cell changes by more ...
    frozen_seconds: float = 0.6  # ... for this long
    still_levels: float = 4.0  # no cell changes by more within a fifth of a second ...
    still_share: float = 0.7  # ... for this share of the clip
    smallest_face: float = 1 / 6  # of the height
    text_levels: float = 14.0  # contrast of a stroke, kept for a second
    text_strokes: float = 6.0  # strokes in a row, within 30 % of the width


def suggest(
    pictures: Iterable[np.ndarray],
    sound: np.ndarray,
    fps: float,
    picture_thresholds: PictureThresholds = PictureThresholds(),  # noqa: B008  (frozen)
    sound_thresholds: SoundThresholds = SoundThresholds(),  # noqa: B008
) -> tuple[Reason, ...]:
    """Reasons to look at a clip.

    Args:
        pictures: uint8 [H, W, 3] RGB each, as they are stored (after crop and scaling): an array
            [T, H, W, 3] or any iterable, which is consumed one picture at a time.
        sound: float32 [samples] in [-1, 1] at 24 kHz, of the clip.
        fps: Pictures a second.
        picture_thresholds, sound_thresholds: When a measure becomes a reason.

    Returns:
        Reasons in the order of KINDS; none for a clip without suspicion.
    """
    watcher = PictureWatcher(fps, picture_thresholds)
    for picture in pictures:
        watcher.add(picture)
    return (*watcher.reasons(), *sound_reasons(sound, sound_thresholds))


def sound_reasons(
    sound: np.ndarray,
    thresholds: SoundThresholds = SoundThresholds(),  # noqa: B008
) -> tuple[Reason, ...]:
    """The sound's part of `suggest`: silence, clipping, music."""
    return tuple(Reason(*fault) for fault in sound_faults(sound, thresholds))


class PictureWatcher:
    """The picture's part of `suggest`, for pictures that come one at a time.

    Holds 4 kB a frame and a grey picture for every quarter of a second.

    Args:
        fps: Pictures a second.
        thresholds: When a measure becomes a reason.
    """

    def __init__(
        self,
        fps: float,
        thresholds: PictureThresholds = PictureThresholds(),  # noqa: B008
    ):
        self.fps, self.thresholds = fps, thresholds
        self._coarse: list[np.ndarray] = []  # float32 [32, columns] each
        self._greys: list[tuple[float, np.ndarray]] = []  # (time, uint8 [128, columns])
        self._last = None

    def add(self, picture: np.ndarray) -> None:
        """Takes the next picture, uint8 [H, W, 3] RGB or grey [H, W]; the same object again costs
        nothing."""
        import cv2

        time = len(self._coarse) / self.fps
        wanted = not self._greys or time >= self._greys[-1][0] + _SAMPLE_SECONDS - 1e-6
        if picture is self._last and not wanted:
            self._coarse.append(self._coarse[-1])
            return
        self._last = picture
        grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        height, width = grey.shape
        if height != _HEIGHT:
            way = cv2.INTER_AREA if height > _HEIGHT else cv2.INTER_LINEAR
            size = (max(1, round(width * _HEIGHT / height)), _HEIGHT)
            grey = cv2.resize(grey, size, interpolation=way)
        if wanted:
            self._greys.append((time, grey))
        size = (max(1, round(width * _CELLS / height)), _CELLS)
        self._coarse.append(cv2.resize(grey.astype(np.float32), size, interpolation=cv2.INTER_AREA))

    def reasons(self) -> tuple[Reason, ...]:
        """Reasons of the pictures so far, in the order of KINDS."""
        if not self._coarse:
            return ()
        coarse = np.stack(self._coarse)
        blank, blank_reasons = self._blank(coarse)
        found = [*self._cuts(coarse), *blank_reasons, *self._motion(coarse, blank)]
        faces = [find_faces(grey, self.thresholds.smallest_face) for _, grey in self._picked()]
        found += self._face_count(faces)
        boxes = [box for in_picture in faces for box in in_picture]
        strokes, right, down = find_caption(
            [grey for _, grey in self._greys], boxes, self.thresholds.text_levels, _SAMPLE_SECONDS
        )
        if strokes >= self.thresholds.text_strokes:
            side = ("left", "middle", "right")[int(3 * right)]
            where = f"{side}, {down:.0%} from the top"
            found.append(Reason("text", f"{strokes:.0f} strokes side by side, {where}"))
        return tuple(found)

    def _spans(self, marks: np.ndarray, at_least: float) -> list[tuple[float, float]]:
        """(start, end) in seconds of the runs of true frames that last long enough."""
        edges = np.flatnonzero(np.diff(np.r_[False, marks, False])).reshape(-1, 2) / self.fps
        return [(start, end) for start, end in edges if end - start >= at_least - 1e-6]

    def _cuts(self, coarse: np.ndarray) -> list[Reason]:
        """Jumps: the pictures around one differ much more than any neighbours nearby do.

        A hand in motion makes its neighbours differ as well, a flash is followed by what was there
        before; both are no cuts. Repeated pictures (25 frames/s shown at 30) are passed over.
        """
        steps = np.abs(np.diff(coarse, axis=0)).mean((1, 2))
        new = np.r_[0, np.flatnonzero(steps > 1e-3) + 1]
        steps, last = steps[new[1:] - 1], len(new) - 1
        jumps = []
        for index in np.flatnonzero(steps >= self.thresholds.cut_levels):  # new[index] is before it
            before = coarse[new[[index, max(0, index - _FLASH)]]]
            after = coarse[new[[index + 1, min(last, index + 1 + _FLASH)]]]
            across = np.abs(before[:, None] - after[None]).mean((2, 3)).min()
            near = [*steps[max(0, index - _NEAR) : index], *steps[index + 1 : index + 1 + _NEAR]]
            if across >= max(
                self.thresholds.cut_levels, self.thresholds.cut_ratio * max(near, default=0.0)
            ):
                jumps.append(f"{new[index + 1] / self.fps:.2f}")
        return [Reason("cut", f"picture jumps at {_listed(jumps)} s")] if jumps else []

    def _blank(self, coarse: np.ndarray) -> tuple[np.ndarray, list[Reason]]:
        """Which frames are black or of one colour, bool [T], and the reasons."""
        low, high = coarse.min((1, 2)), coarse.max((1, 2))
        black = high < self.thresholds.black_level
        plain = (high - low < self.thresholds.uniform_levels) & ~black
        reasons = [
            Reason("blank", f"picture is {name} from {start:.2f} to {end:.2f} s")
            for name, marks in (("black", black), ("of one colour", plain))
            for start, end in self._spans(marks, self.thresholds.blank_seconds)
        ]
        return black | plain, reasons

    def _motion(self, coarse: np.ndarray, blank: np.ndarray) -> list[Reason]:
        """Stretches in which the picture stands still, else a clip that hardly moves."""
        starts = [0]  # of runs of pictures that are all like the run's first
        for index in range(1, len(coarse)):
            change = np.abs(coarse[index] - coarse[starts[-1]]).max()
            if change >= self.thresholds.frozen_levels:
                starts.append(index)
        runs = np.stack([starts, [*starts[1:], len(coarse)]], axis=1)[~blank[starts]] / self.fps
        frozen = [
            Reason("frozen", f"picture stands still from {start:.2f} to {end:.2f} s")
            for start, end in runs
            if end - start >= self.thresholds.frozen_seconds - 1e-6
        ]
        lag = max(1, round(0.2 * self.fps))
        if frozen or len(coarse) <= lag:
            return frozen
        still = np.abs(coarse[lag:] - coarse[:-lag]).max((1, 2)) < self.thresholds.still_levels
        share = np.mean(still & ~blank[lag:])
        if share < self.thresholds.still_share:
            return []
        return [Reason("still", f"{share:.0%} of it shows no motion")]

    def _picked(self) -> list[tuple[float, np.ndarray]]:
        """Three (time, grey picture), spread over the clip."""
        count = len(self._greys)
        return [self._greys[index] for index in sorted({count // 6, count // 2, count * 5 // 6})]

    def _face_count(self, faces: list[list]) -> list[Reason]:
        """One picture without a face is a blink or a turn, one with two is a chance pattern."""
        times = [f"{time:.2f}" for time, _ in self._picked()]
        without = [time for time, boxes in zip(times, faces, strict=True) if not boxes]
        several = [time for time, boxes in zip(times, faces, strict=True) if len(boxes) > 1]
        if len(without) == len(times):
            return [Reason("no face", "none is found in it")]
        if len(without) > 1:
            return [Reason("no face", f"none is found at {_listed(without)} s")]
        if len(several) > min(1, len(times) - 1):
            most = max(map(len, faces))
            return [Reason("several faces", f"{most} at {_listed(several)} s")]
        return []


def _listed(times: list[str]) -> str:
    if len(times) > 3:
        return f"{times[0]}, {times[1]} and {len(times) - 2} more"
    return ", ".join(times)
