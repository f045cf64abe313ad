"""What is written for TensorBoard is what TensorBoard reads, pictures that move included."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.image import metadata
from tensorboard.util import img_mime_type_detector

from nwt_tf.training.summaries import Summaries, moving, still


@pytest.fixture
def video():
    """A grey bar that wanders over a colour wedge: uint8 [7, 12, 16, 3]."""
    frames = np.zeros((7, 12, 16, 3), np.uint8)
    frames[..., 0] = 16 * np.arange(16)
    for t, frame in enumerate(frames):
        frame[:, 2 * t : 2 * t + 2] = 200
    return frames


@pytest.mark.parametrize("fps", [25.0, 30.0, 12.5])
def test_a_clip_plays_all_its_frames_at_its_rate(video, fps):
    with Image.open(io.BytesIO(moving(video, fps).encoded)) as gif:
        assert gif.info["loop"] == 0  # for ever
        seconds = 0.0
        for t, frame in enumerate(video):
            gif.seek(t)
            assert np.abs(np.int32(gif.convert("RGB")) - frame).max() <= 8  # 256 colours
            seconds += gif.info["duration"] / 1000
        assert gif.n_frames == len(video)
    assert abs(seconds - len(video) / fps) <= 0.005 + 1e-9


def test_tensorboard_reads_pictures_and_clips(video, tmp_path):
    summaries = Summaries(tmp_path, SimpleNamespace(figures={}))
    summaries.set_model(SimpleNamespace(steps_done=30))
    summaries.write(
        {"validation/ssim": 0.5},
        {"validation/clips": still(video[0]), "validation/clip": moving(video, 25.0)},
    )
    events = event_accumulator.EventAccumulator(str(tmp_path / "logs")).Reload()
    for tag, kind in (("validation/clips", "image/png"), ("validation/clip", "image/gif")):
        about = events.SummaryMetadata(tag)
        assert about.plugin_data.plugin_name == metadata.PLUGIN_NAME
        (event,) = events.Tensors(tag)
        width, height, encoded = event.tensor_proto.string_val
        assert (event.step, width, height) == (30, b"16", b"12")
        assert img_mime_type_detector.from_bytes(encoded) == kind
    assert (tmp_path / "pictures" / "validation_clip_000030.gif").read_bytes() == encoded
    with Image.open(tmp_path / "pictures" / "validation_clips_000030.png") as picture:
        np.testing.assert_array_equal(picture, video[0])
