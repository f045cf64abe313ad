import functools

import av
import cv2
import numpy as np
import pytest

from data_pipeline.crop import crop_box
from data_pipeline.resample import PictureScaler, at_constant_rate, num_output_frames
from data_pipeline.schema import encode_frame


def choose(times, start, num_frames, fps):
    return list(
        at_constant_rate(zip(times, range(len(times)), strict=True), start, num_frames, fps)
    )


@pytest.mark.parametrize("rate", [12.5, 22.13, 23.976, 25, 29.97, 30, 50, 60])
@pytest.mark.parametrize("fps", [25, 30])
def test_constant_rates_show_what_is_on_the_screen(rate, fps):
    times = 0.5 + np.arange(200) / rate
    count = num_output_frames(0.5, 0.5 + 200 / rate, fps)
    assert abs(count / fps - 200 / rate) <= 0.5 / fps  # the duration is kept
    chosen = choose(times, 0.5, count, fps)
    middles = 0.5 + (np.arange(count) + 0.5) / fps
    for k, source in enumerate(chosen):
        shown = max(n for n in range(200) if times[n] < middles[k] - 1e-6 or n == 0)
        assert source == shown
    if rate == fps:
        assert chosen == list(range(200))
    if rate == 2 * fps:
        assert chosen == list(range(0, 200, 2))


def test_variable_rate_goes_by_timestamps():
    assert choose([0, 0.04, 0.5, 0.54, 0.9], 0, 25, 25) == [0] + [1] * 12 + [2] + [3] * 9 + [4] * 2
    assert choose([0.0, 0.04], 0.0, 4, 25) == [0, 1, 1, 1]
    assert choose([0.4], 0.0, 3, 25) == [0, 0, 0]  # the first frame stands for what is before
    assert choose([], 0.0, 3, 25) == []


def test_frame_count_rounds_halves_up():
    assert [num_output_frames(0, n / 50, 25) for n in range(4)] == [0, 1, 1, 2]


def picture(array):
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="rgb24")


@pytest.mark.parametrize("top, left", [(2, 4), (3, 4), (2, 5), (3, 5)])
def test_crop_is_exact_to_the_pixel_at_odd_edges_too(top, left):
    array = np.full((60, 80, 3), 30, np.uint8)
    array[top : top + 24, left : left + 32] = 200
    crop = (top, top + 24, left, left + 32)
    frame = picture(array).reformat(format="yuv420p")
    inside = PictureScaler(24, 32, crop)(frame)
    assert inside.shape == (24, 32, 3) and inside.dtype == np.uint8
    assert np.abs(inside[1:-1, 1:-1].astype(int) - 200).max() <= 4
    assert np.abs(inside.mean(-1) - 200).max() <= 20  # chroma at the very edge may mix
    wider = PictureScaler(26, 34, (top - 1, top + 25, left - 1, left + 33))(frame).mean(-1)
    assert np.abs(wider[[0, -1]] - 30).max() <= 20 and np.abs(wider[:, [0, -1]] - 30).max() <= 20


def test_scaling_averages_areas_in_true_colours():
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (6, 7, 3)).astype(np.uint8)
    noise = rng.integers(-20, 21, (6, 8, 7, 8, 1))
    array = np.clip(blocks[:, None, :, None] + noise, 0, 255).astype(np.uint8)  # [6, 8, 7, 8, 3]
    scaled = PictureScaler(6, 7)(picture(array.reshape(48, 56, 3)))
    assert np.abs(scaled - array.mean(axis=(1, 3))).max() <= 2
    flat = picture(np.broadcast_to(np.uint8([200, 30, 40]), (48, 56, 3)))
    for space, tag in (("itu709", 1), ("itu601", 5)):
        frame = flat.reformat(format="yuv420p", dst_colorspace=space)
        frame.colorspace = tag
        assert np.abs(PictureScaler(12, 14)(frame).astype(int) - [200, 30, 40]).max() <= 2


def as_rgb(planes):
    return cv2.cvtColor(cv2.merge([planes.y, planes.cr, planes.cb]), cv2.COLOR_YCrCb2RGB)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("space, tag", [("itu601", 5), ("itu601", 2), ("itu709", 1)])
@pytest.mark.parametrize("kind", ["yuv420p", "yuvj420p", "yuv444p", "yuv422p", "gbrp", "nv12"])
def test_planes_are_the_picture_as_jpeg_holds_it(kind, space, tag, masked):
    rng = np.random.default_rng(0)
    # No saturated colours: where chroma mixes, RGB cuts off what planes hold.
    blocks = rng.integers(70, 186, (6, 7, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    blocks = np.pad(blocks, ((5, 0), (3, 0), (0, 0)), "edge")
    frame = picture(blocks).reformat(format=kind, dst_colorspace=space)
    frame.colorspace = tag
    mask = functools.partial(np.minimum, np.uint8(130)) if masked else None
    shape = (12, 14, (5, 53, 3, 59), mask)
    planes = PictureScaler(*shape, planes=True)(frame)
    assert [plane.shape for plane in planes] == [(12, 14)] * 3
    rgb = PictureScaler(*shape)(frame)
    assert np.abs(as_rgb(planes).astype(int) - rgb).max() <= 5
    assert np.abs(planes.y.astype(int) - cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)).max() <= 2
    decoded = cv2.imdecode(np.frombuffer(encode_frame(planes, "jpeg", 100), np.uint8), 1)[..., ::-1]
    assert np.abs(decoded.astype(int) - as_rgb(planes)).max() <= 8


def test_scaler_takes_a_change_of_size_and_format_within_a_file():
    scaler = PictureScaler(10, 12)
    for shape, kind in (((48, 56), "yuv420p"), ((30, 41), "yuv444p"), ((48, 56), "yuv420p10le")):
        frame = picture(np.full((*shape, 3), 120, np.uint8)).reformat(format=kind)
        assert np.abs(scaler(frame).astype(int) - 120).max() <= 2


def test_crop_box():
    assert crop_box((2, 0, 5, 0), 30, 40) == (2, 30, 5, 40)
    assert crop_box((2, 28, 5, 35), 30, 40) == (2, 28, 5, 35)
    for crop in [(0, 31, 0, 0), (0, 0, 0, 41), (9, 9, 0, 0), (-1, 0, 0, 0), (0, 0, 40, 0)]:
        with pytest.raises(ValueError, match="does not fit in a picture of 30 rows and 40"):
            crop_box(crop, 30, 40)
    with pytest.raises(ValueError, match="crop must be"):
        crop_box((1, 2), 30, 40)
