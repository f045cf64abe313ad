"""The manual review (Appendix D, step 5): a page to look at every clip, and what was decided on it.

`write_review` makes one HTML file that needs no network; a person opens it, keeps or drops clips,
and saves `review.json`, which `read_review` reads.
"""

import base64
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from importlib import resources

import numpy as np

from data_pipeline import files
from data_pipeline.schema import Clip

PAGE = "review.html"
VERSION = 1  # of review.json
DECISIONS = ("keep", "drop")
_PICTURES = 12  # of a clip, on the page
_HEIGHT = 112  # pixels, of each
_QUALITY = 45  # WebP's: with these, 13 kB a clip
_LEVELS = 60  # of a clip's sound
_DECIBELS = (-25.0, 25.0)  # of the mel bands' summed power: a quiet room, loud speech


@dataclasses.dataclass(frozen=True)
class Preview:
    """What the page shows of a clip."""

    clip_id: str
    episode: str
    seconds: float
    strip: bytes  # WebP, `pictures` of them side by side, spread evenly over the clip
    pictures: int
    width: int  # of one picture
    height: int
    levels: str  # of the sound, one digit (base 36) for each equal stretch of time
    reasons: tuple[str, ...]  # suggestions, "kind: detail" each


def preview(clip: Clip, reasons: Sequence[str] = ()) -> Preview:
    """Makes a clip's preview from its stored frames and mel spectrogram.

    Args:
        clip: With frames.
        reasons: Its suggestions, each the text of a suggestions.Reason.
    """
    import cv2

    count = min(_PICTURES, clip.num_frames)
    width = max(1, round(_HEIGHT * clip.width / clip.height))
    pictures = []
    for place in ((np.arange(count) + 0.5) * clip.num_frames / count).astype(int):
        picture = cv2.imdecode(np.frombuffer(clip.frames[place], np.uint8), cv2.IMREAD_COLOR)
        pictures.append(cv2.resize(picture, (width, _HEIGHT), interpolation=cv2.INTER_AREA))
    options = [cv2.IMWRITE_WEBP_QUALITY, _QUALITY]
    strip = cv2.imencode(".webp", np.hstack(pictures), options)[1].tobytes()
    power = np.exp(clip.mel).sum(axis=1)
    stretches = np.array_split(power, min(_LEVELS, len(power)))
    loudness = 10 * np.log10([stretch.mean() for stretch in stretches])
    share = np.clip((loudness - _DECIBELS[0]) / (_DECIBELS[1] - _DECIBELS[0]), 0.0, 1.0)
    return Preview(
        clip_id=clip.clip_id,
        episode=clip.episode,
        seconds=clip.num_frames / clip.fps,
        strip=strip,
        pictures=count,
        width=width,
        height=_HEIGHT,
        levels="".join(np.base_repr(round(35 * level), 36) for level in share),
        reasons=tuple(reasons),
    )


def fingerprint(clips: Iterable[tuple[str, float, float]]) -> str:
    """Names a set of clips, so that a review of others is not mistaken for one of these.

    It depends on where clips lie in their files, not on the size of their pictures: a review that
    was made with small ones holds for large ones.

    Args:
        clips: (clip id, start, end) each, in seconds of its file, in any order.

    Returns:
        16 hexadecimal digits.
    """
    lines = sorted(json.dumps([name, round(a * 1000), round(b * 1000)]) for name, a, b in clips)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _in_html(value: object) -> str:
    """JSON for a <script> element, which only `<` could end; ASCII, whatever names files have."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def write_review(
    path: str | os.PathLike,
    previews: Iterable[Preview],
    dataset: str,
    undecided_flagged: str = "keep",
) -> int:
    """Writes the page; one clip at a time is in memory.

    Args:
        path: HTML file to write; it appears when it is complete.
        previews: The clips, in the order in which they are shown.
        dataset: Their `fingerprint`.
        undecided_flagged: What the build will do with flagged clips that nobody decided on, "keep"
            or "drop"; the page tells it.

    Returns:
        How many clips the page shows.

    Raises:
        ValueError: No clips.
        OSError: The file cannot be written.
    """
    folder = resources.files("data_pipeline") / "review_page"
    page, style, script = (
        (folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")
    )
    start, end = page.replace("@STYLE@", style).split("@CLIPS@\n")
    header = {"fingerprint": dataset, "version": VERSION, "undecided_flagged": undecided_flagged}
    count = 0
    with files.writing(path) as file:

        def write(text):
            file.write(text.encode())

        write(start)
        write(f'<script type="application/json" id="dataset">{_in_html(header)}</script>\n')
        for clip in previews:
            facts = dataclasses.asdict(clip) | {"id": clip.clip_id}
            del facts["strip"], facts["clip_id"]
            strip = base64.b64encode(clip.strip).decode()
            write(f'<script type="application/json" class="clip">{_in_html(facts)}</script>')
            write(f'<script type="text/plain">{strip}</script>\n')
            count += 1
        if not count:
            raise ValueError(f"{path}: there are no clips to review")
        write(end.replace("@SCRIPT@", script))
    return count


def read_review(path: str | os.PathLike, dataset: str, clip_ids: Iterable[str]) -> dict[str, str]:
    """Reads what was decided.

    Args:
        path: review.json, as the page saves it.
        dataset: `fingerprint` of the clips it should be about.
        clip_ids: Their ids.

    Returns:
        Clip id -> "keep" or "drop"; clips without a decision are not in it.

    Raises:
        FileNotFoundError: No such file.
        ValueError: No review, a damaged one, one of other clips or with unknown clips.
    """
    advice = "save it again from the review page"
    try:
        with files.reading(path) as file:
            review = json.loads(file.read().decode("utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path}: is not JSON ({error}); {advice}") from error
    if not isinstance(review, dict) or review.get("format") != "nwt review":
        raise ValueError(f"{path}: is no review of clips; {advice}")
    if review.get("version") != VERSION:
        raise ValueError(
            f"{path}: has version {review.get('version')}, this program reads {VERSION}; {advice}"
        )
    if review.get("dataset") != dataset:
        raise ValueError(
            f"{path}: is a review of other clips than these (other footage, or cut otherwise); "
            "make a new page with --review"
        )
    decisions = review.get("decisions")
    if not isinstance(decisions, dict):
        raise ValueError(f"{path}: holds no decisions; {advice}")
    known = set(clip_ids)
    for clip_id, decision in decisions.items():
        if clip_id not in known:
            raise ValueError(f"{path}: decides on {clip_id!r}, which is none of the clips")
        if decision not in DECISIONS:
            raise ValueError(f"{path}: {clip_id} is neither keep nor drop, but {decision!r}")
    return decisions
