"""Videos beside each other and their sheet."""

import numpy as np
import pytest
from PIL import Image

from nwt_tf.bin.generating.side_by_side import SideBySide


def videos(levels, frames=8, height=32, width=28):
    """One grey level a video, but for a square of 255 that all have."""
    for level in levels:
        video = np.full((frames, height, width, 3), level, np.uint8)
        video[:, :8, :8] = 255
        yield iter(video)


def test_frames_stand_beside_each_other_in_order_under_their_captions():
    joined = list(SideBySide(list(videos((40, 120, 200))), ("-2", "0", "2"), 8))
    assert len(joined) == 8 and joined[0].dtype == np.uint8
    height, width = joined[0].shape[:2]
    assert height == 24 + 32 * 4  # enlarged to 128 pixels
    columns = [joined[0][-10, int((i + 0.5) * width / 3), 0] for i in range(3)]
    assert columns == [40, 120, 200]
    assert all(
        (joined[0][:24, i * width // 3 : (i + 1) * width // 3] < 128).any() for i in (0, 1, 2)
    )


def test_large_frames_are_left_as_they_are():
    (first, *_) = SideBySide(list(videos((10, 20), height=256, width=224)), "ab", 8)
    assert first.shape[0] == 24 + 256 and 448 < first.shape[1] < 480


def test_videos_of_different_lengths_are_no_pair():
    first, second = videos((10, 20))
    next(first)
    with pytest.raises(ValueError):
        list(SideBySide([first, second], "ab", 8))


def test_the_sheet_shows_moments_and_where_videos_differ(tmp_path):
    sheet = SideBySide(list(videos((40, 120, 200))), ("-2", "0", "2"), 8)
    list(sheet)
    sheet.draw(tmp_path / "a.png", "a title", 25)
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("L"))
    assert list(tmp_path.iterdir()) == [tmp_path / "a.png"]
    for level in (40, 120, 200):
        found = np.argwhere(picture == level)
        assert len(found) > 4 * 3000  # a quarter of each of the four rows at least
    change = sheet._change
    assert (change[:, :8, :8] == 0).all()
    np.testing.assert_allclose(change[:, 20, 20], [80, 0, 80], atol=1e-3)


def test_a_sheet_that_cannot_be_written_leaves_nothing(tmp_path):
    sheet = SideBySide(list(videos((40, 120))), "ab", 8)
    list(sheet)
    with pytest.raises(OSError):
        sheet.draw(tmp_path / "nowhere" / "a.png", "t", 25)
    assert list(tmp_path.iterdir()) == []
