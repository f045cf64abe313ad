"""A video's pictures on their way into the codec: cut as the preset's footage, in windows."""

import numpy as np

from data_pipeline.clip_settings import ClipSettings
from data_pipeline.media import decode_frames
from data_pipeline.resample import at_constant_rate
from nwt_tf import presets


def footage_settings(preset, path, info):
    """How the preset's training footage was cut: ClipSettings, fitting the video.

    Args:
        preset: name or folder.
        path: of the video.
        info: its MediaInfo.

    Raises:
        ValueError: no such preset, or the video is too small for its crop.
    """
    footage = presets.read_footage(preset)
    try:
        settings = ClipSettings.of_footage(footage)
    except ValueError as error:
        raise ValueError(f"--preset={preset} does not say how footage was cut: {error}") from None
    return settings.fitting(info, path)


class Pictures:
    """A video's frames as the preset's training footage has them; iterate it once.

    Iterating gives uint8 [H, W, 3]. `decoded` is how many of the file's own frames were whole.
    """

    def __init__(self, path, start, total, settings):
        self._path, self._start, self._total, self._settings = path, start, total, settings
        self.decoded = 0

    def __iter__(self):
        settings, frames = self._settings, self._counted()
        scaler, shown, picture = settings.scaler(), None, None
        for frame in at_constant_rate(frames, self._start, self._total, settings.fps):
            if frame is not shown:
                shown, picture = frame, scaler(frame)
            yield picture
        for _ in frames:  # those behind the last chosen one are counted, too
            pass

    def _counted(self):
        for time, frame in decode_frames(self._path):
            self.decoded += time >= self._start - 1e-6 and not frame.is_corrupt
            yield time, frame


def windows(items, size, context):
    """Groups arrays: yields (stacked with up to `context` to each side, how many lead, how many
    count)."""
    held, begin, position = [], 0, 0  # begin: place of held[0]

    def window():
        nonlocal held, begin, position
        count = min(size, begin + len(held) - position)
        stacked = np.stack(held[: position - begin + count + context])
        lead, position = position - begin, position + count
        kept = max(0, position - context - begin)
        held, begin = held[kept:], begin + kept
        return stacked, lead, count

    for item in items:
        held.append(item)
        if len(held) == position - begin + size + context:
            yield window()
    while position < begin + len(held):
        yield window()
