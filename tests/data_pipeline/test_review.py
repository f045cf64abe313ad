"""The review page's content, and what is read back from it."""

import base64
import dataclasses
import json
import re

import cv2
import numpy as np
import pytest

from data_pipeline.mel import log_mel, mel_spectrogram
from data_pipeline.review import fingerprint, preview, read_review, write_review
from data_pipeline.schema import Clip, encode_frame

CLIPS = [("a_0000", 0.0, 3.0), ("a_0001", 3.0, 6.0), ("b_0000", 0.0, 3.0)]


def clip(name="a_0000", frames=30, height=48, width=64):
    """Pictures that brighten; the second half of the sound is loud."""
    levels = np.linspace(20, 230, frames).astype(np.uint8)
    pictures = np.broadcast_to(levels[:, None, None, None], (frames, height, width, 3))
    sound = np.random.default_rng(0).normal(0, 0.1, frames * 800).astype(np.float32)
    sound[: len(sound) // 2] *= 1e-4
    return Clip(
        clip_id=name,
        episode="Äpfel & </script>",
        fps=30.0,
        height=height,
        width=width,
        num_frames=frames,
        frames=tuple(encode_frame(picture, "jpeg") for picture in pictures),
        mel=log_mel(mel_spectrogram(sound)),
    )


def test_a_preview_is_spread_over_the_clip():
    shown = preview(clip(), ["cut: picture jumps at 0.40 s"])
    assert (shown.pictures, shown.height, shown.width) == (12, 112, 149)
    assert shown.seconds == 1.0 and shown.reasons == ("cut: picture jumps at 0.40 s",)
    strip = cv2.imdecode(np.frombuffer(shown.strip, np.uint8), cv2.IMREAD_COLOR)
    assert strip.shape == (112, 12 * 149, 3)
    brightness = strip.reshape(112, 12, 149, 3).mean((0, 2, 3))
    assert (np.diff(brightness) > 10).all()
    assert brightness[0] < 45 and brightness[-1] > 205
    heights = [int(digit, 36) for digit in shown.levels]
    assert len(heights) == 60 and max(heights[:28]) < 5 < 20 < min(heights[32:])


def test_a_preview_of_few_frames_has_each_of_them_once():
    shown = preview(clip(frames=5))
    assert shown.pictures == 5
    assert preview(clip(frames=1)).pictures == 1


def facts(page):
    """What the page's script finds in it."""
    scripts = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page)
    strips = re.findall(r'<script type="text/plain">(.*?)</script>', page)
    dataset, *clips = map(json.loads, scripts)
    return dataset, clips, [base64.b64decode(strip, validate=True) for strip in strips]


def test_the_page_holds_every_clip_and_needs_nothing_else(tmp_path):
    path = tmp_path / "review.html"
    previews = [preview(clip(f"a_{n:04d}"), ["text: </script><script>x"]) for n in range(3)]
    assert write_review(path, iter(previews), "0123", "drop") == 3
    page = path.read_text()
    dataset, clips, strips = facts(page)
    assert dataset == {"fingerprint": "0123", "version": 1, "undecided_flagged": "drop"}
    assert [entry["id"] for entry in clips] == ["a_0000", "a_0001", "a_0002"]
    assert clips[0]["episode"] == "Äpfel & </script>"
    assert clips[0]["reasons"] == ["text: </script><script>x"]
    assert strips == [shown.strip for shown in previews]
    assert not re.search(r"(src|href)\s*=\s*[\"']|@import|https?://", page)
    assert "@" not in re.sub(r"@media", "", page)  # no place of the template is left over
    assert list(tmp_path.iterdir()) == [path]


def test_clip_ids_of_any_bytes(tmp_path):
    strange = "\udcff '\"<!--\u2028"
    path = tmp_path / "review.html"
    write_review(path, [dataclasses.replace(preview(clip()), clip_id=strange)], "0")
    assert facts(path.read_text())[1][0]["id"] == strange


def test_without_clips_there_is_no_page(tmp_path):
    with pytest.raises(ValueError, match="review.html: there are no clips to review"):
        write_review(tmp_path / "review.html", [], "0")

    def breaks():
        yield preview(clip())
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        write_review(tmp_path / "review.html", breaks(), "0")
    assert list(tmp_path.iterdir()) == []


def test_a_fingerprint_tells_clips_apart():
    same = fingerprint(CLIPS)
    assert re.fullmatch("[0-9a-f]{16}", same)
    assert fingerprint(reversed(CLIPS)) == same
    moved = [(name, start + 1e-5, end - 1e-5) for name, start, end in CLIPS]
    assert fingerprint(moved) == same
    others = [CLIPS[:2], CLIPS[1:], [*CLIPS[:2], ("b_0000", 0.0, 2.9)]]
    others.append([*CLIPS[:2], ("b_0000", 0.1, 3.0)])
    others.append([*CLIPS[:2], ("c_0000", 0.0, 3.0)])
    assert len({same, *map(fingerprint, others)}) == 6


def review(**changes):
    content = {"format": "nwt review", "version": 1, "dataset": fingerprint(CLIPS)}
    return content | {"decisions": {"a_0001": "drop", "b_0000": "keep"}} | changes


def read(path, content):
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.write_bytes(text)
    return read_review(path, fingerprint(CLIPS), [name for name, _, _ in CLIPS])


def test_a_review_is_read(tmp_path):
    path = tmp_path / "review.json"
    assert read(path, review()) == {"a_0001": "drop", "b_0000": "keep"}
    assert read(path, review(decisions={})) == {}
    with_mark = b"\xef\xbb\xbf" + json.dumps(review()).encode()  # as some editors save it
    assert read(path, with_mark) == {"a_0001": "drop", "b_0000": "keep"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b'{"format": "nwt rev', "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        ([], "is no review of clips"),
        ({"decisions": {}}, "is no review of clips"),
        (review(version=2), "has version 2, this program reads 1"),
        (review(dataset="0"), "is a review of other clips than these"),
        (review(decisions=None), "holds no decisions"),
        (review(decisions=["a_0000"]), "holds no decisions"),
        (review(decisions={"c": "drop"}), "decides on 'c', which is none of the clips"),
        (review(decisions={"a_0000": "maybe"}), "a_0000 is neither keep nor drop, but 'maybe'"),
        (review(decisions={"a_0000": ["drop"]}), "a_0000 is neither keep nor drop"),
    ],
)
def test_a_review_that_cannot_be_used(tmp_path, content, message):
    path = tmp_path / "review.json"
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        read(path, content)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_a_missing_review(tmp_path):
    with pytest.raises(FileNotFoundError, match="review.json"):
        read_review(tmp_path / "review.json", "0", [])
