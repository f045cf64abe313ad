"""Footage that models are measured on: its clips, its sound, its mouth."""

import itertools
import json
from pathlib import Path

import numpy as np

from data_pipeline.build import find_videos
from data_pipeline.clip_settings import ClipSettings
from data_pipeline.clips import cut_file, plan_file
from data_pipeline.dataset import read_clips
from data_pipeline.media import read_audio
from data_pipeline.mel import align
from data_pipeline.schema import Clip, decode_frame
from data_pipeline.shards import Manifest
from nwt_tf import presets
from nwt_tf.evaluation import lipsync


class Clips:
    """Clips to measure on, read anew each time they are gone through.

    Args:
        preset: its footage settings say how input_dir is cut, and name its episodes; None: shards
            alone, all of episode -1.
        input_dir: folder of videos; or
        data_dir, split: shards.
        limit: stop after so many.

    Yields:
        Dicts with `video` uint8 [T, H, W, 3], `mel` float32 [4 T, 80], `episode` (the preset's
        index, -1 for an episode that it was not trained on), `clip_id`; and for footage of the
        synthetic subject `opening`, float [T], the mouth's true opening.
    """

    def __init__(self, preset, input_dir=None, data_dir=None, split="test", limit=None):
        if preset is not None:
            self.footage = presets.read_footage(preset)
        elif data_dir is not None:
            self.footage = {**Manifest.load(data_dir).config, "episodes": {}}
        else:
            raise ValueError("--input_dir takes a --preset, whose settings say how it is cut.")
        self.fps = self.footage["fps"]
        self._input_dir, self._data_dir, self._split = input_dir, data_dir, split
        self._limit = limit

    def __iter__(self):
        found = self._cut() if self._input_dir else read_clips(self._data_dir, self._split)
        for clip in itertools.islice(found, self._limit):
            if "video" not in clip:
                raise ValueError(f"{self._data_dir}: holds codes, no frames: name the footage's.")
            clip["episode"] = self.footage["episodes"].get(clip["record"].episode, -1)
            yield clip

    def sound(self, length):
        """Sound of the videos, one after another, and again from the first until it is enough.

        Args:
            length: in samples at 24 kHz.

        Returns:
            (float32 [length] in [-1, 1], name of the first video's episode).

        Raises:
            ValueError: shards, which keep no sound.
        """
        if self._input_dir is None:
            raise ValueError("Long video takes sound, which shards do not keep: give --input_dir.")
        videos, pieces, missing = find_videos(self._input_dir), [], length
        while missing > 0:
            for path, _, _ in videos:
                pieces.append(read_audio(path)[:missing])
                missing -= len(pieces[-1])
                if missing <= 0:
                    break
        return np.concatenate(pieces), videos[0].episode

    def _cut(self):
        """Footage to clips as when the preset's dataset was built, but with lossless frames."""
        settings = ClipSettings.of_footage(self.footage | {"frame_encoding": "png"})
        openings = _true_openings(self._input_dir)
        for path, name, episode in find_videos(self._input_dir):
            plan = plan_file(path, name, episode, settings)
            starts = {window.clip_id: window.start for window in plan.windows}
            for clip in cut_file(plan, settings):
                if not isinstance(clip, Clip):
                    continue
                frames = [decode_frame(frame).numpy() for frame in clip.frames]
                cut = {
                    "record": clip,
                    "clip_id": clip.clip_id,
                    "video": np.stack(frames),
                    "mel": align(clip.mel, clip.num_frames, clip.fps),
                }
                if name in openings:
                    times = starts[clip.clip_id] + np.arange(clip.num_frames) / clip.fps
                    cut["opening"] = np.interp(times, *openings[name])
                yield cut


def _true_openings(input_dir):
    """{video's name: (times, openings)} of the synthetic subject's truth.json, {} without one."""
    path = Path(input_dir) / "truth.json"
    if not path.is_file():
        return {}
    truth = json.loads(path.read_text())
    openings = {
        episode["name"]: np.concatenate([clip["opening"] for clip in episode["clips"]])
        for episode in truth["episodes"]
    }
    return {
        name: (np.arange(len(opening)) / truth["fps"], opening)
        for name, opening in openings.items()
    }


class MouthFinder:
    """The mouth's box in footage: given, or learnt from all clips that are added.

    Args:
        fps: frames a second.
        given: top, bottom, left and right as shares of the picture, or None.

    Raises:
        ValueError: the given box is no box.
    """

    def __init__(self, fps, given=None):
        self._map, self._given = lipsync.MouthMap(fps), None
        if given:
            try:
                top, bottom, left, right = self._given = tuple(map(float, given))
                fits = 0 <= top < bottom <= 1 and 0 <= left < right <= 1
            except ValueError:
                fits = False
            if not fits:
                raise ValueError(
                    f"--mouth={','.join(map(str, given))} must be top,bottom,left,right as shares "
                    "of the picture, such as 0.6,0.9,0.3,0.7."
                )

    def add(self, clip):
        """Takes a clip of Clips."""
        if self._given is None:
            self._map.add(lipsync.grey(clip["video"]), clip["mel"])

    def find(self):
        """(box, correlation at its peak or None where it was given): see lipsync.MouthMap."""
        if self._given:
            return self._given, None
        try:
            return self._map.find()
        except ValueError as error:
            raise ValueError(f"{error} (--mouth=top,bottom,left,right).") from None
