import cv2
import numpy as np
import pytest

from data_pipeline.overlays import mask_overlays
from tests.data_pipeline.test_wild_footage import SETTINGS, built, footage


def painted(*rectangles, size=(712, 623), level=220):
    """Which (x, y, width, height) rectangles come out white."""
    picture = np.full((*size, 3), 60, np.uint8)
    for x, y, w, h in rectangles:
        picture[y : y + h, x : x + w] = level
        picture[y + 10 : y + h - 10, x + 10 : x + w - 10] = level - 10  # not white yet
    mask_overlays(picture)
    return [bool((picture[y : y + h, x : x + w] == 255).all()) for x, y, w, h in rectangles]


@pytest.mark.parametrize(
    "rectangle, is_overlay",
    [
        ((20, 100, 100, 81), True),  # within 20 pixels from the left
        ((21, 100, 100, 81), False),
        ((300, 551, 100, 81), True),  # more than 550 pixels from the top
        ((300, 550, 100, 81), False),
        ((0, 100, 100, 80), False),  # not higher than 80
        ((0, 100, 40, 100), False),  # area 4000 is not greater
        ((0, 100, 41, 100), True),
        ((0, 100, 250, 400), False),  # area 100000 is not smaller
        ((0, 100, 250, 399), True),
    ],
)
def test_the_rectangle_rule(rectangle, is_overlay):
    assert painted(rectangle) == [is_overlay]


def test_threshold():
    for gray, is_overlay in ((185, False), (186, True)):
        picture = np.full((200, 300, 3), 20, np.uint8)
        picture[50:150, 5:105] = gray
        assert bool((mask_overlays(picture)[50:150, 5:105] == 255).all()) is is_overlay


def test_the_bounding_rectangle_is_painted_and_nothing_else():
    picture = np.full((712, 623, 3), 60, np.uint8)
    cv2.circle(picture, (70, 300), 60, (240, 230, 200), cv2.FILLED)
    before = picture.copy()
    mask_overlays(picture)
    white = (picture == 255).all(-1)
    assert white[240:361, 10:131].all() and white.sum() == 121 * 121
    np.testing.assert_array_equal(picture[~white], before[~white])


def test_contours_within_others_count_too():
    """RETR_TREE: a bright box in a dark one in a bright field that is too large itself."""
    picture = np.full((712, 623, 3), 230, np.uint8)
    picture[100:400, 0:300] = 20
    picture[150:300, 10:150] = 230
    mask_overlays(picture)
    assert (picture[150:300, 10:150] == 255).all()
    assert (picture[0:90] == 230).all()


def test_masks_come_after_the_crop_and_before_the_scaling(tmp_path):
    pictures = np.full((40, 200, 240, 3), 60, np.uint8)
    pictures[:, 60:160, 50:130] = 200  # 10 columns from the crop's left edge
    (tmp_path / "in").mkdir()
    sound = footage.clicks([0.5], 1.6)
    footage.write(tmp_path / "in" / "a.mp4", pictures, np.arange(40) / 25, sound)
    changes = {"crop": (0, 0, 40, 0), "segment_seconds": 9.0, "height": 100, "width": 100}
    _, (plain,) = built(tmp_path / "in", **changes)
    _, (masked,) = built(tmp_path / "in", **changes, mask_overlays=True, overwrite=True)
    box = (slice(None), slice(32, 78), slice(7, 43))
    assert SETTINGS["frame_encoding"] == "png"
    assert np.abs(plain["video"][box].astype(int) - 200).max() < 8
    assert masked["video"][box].min() > 250
    assert np.abs(masked["video"][:, :28].astype(int) - 60).max() < 8
    _, (none,) = built(
        tmp_path / "in", **changes, mask_overlays=True, overlays={"left": 5}, overwrite=True
    )
    np.testing.assert_allclose(none["video"], plain["video"], atol=3)
