"""What a dataset holds: a table, and a contact sheet of its clips."""

import collections
import os
import re

import numpy as np

from data_pipeline import files
from data_pipeline.schema import deserialize
from data_pipeline.shards import SHEET, Manifest

_CELL = 128  # pixels, of a clip's picture on the sheet, its longer side
_COLUMNS, _ROWS = 10, 12


def figures(manifest: Manifest) -> dict:
    """Clips, minutes, episodes, bytes, and what was left out, as numbers."""
    frames = [n for split in manifest.splits for n in manifest.clip_frames(split).values()]
    return {
        "clips": len(frames),
        "minutes": sum(frames) / manifest.config["fps"] / 60,
        "episodes": len(manifest.episodes),
        "shards": sum(map(len, manifest.splits.values())),
        "bytes": sum(shard.bytes for shards in manifest.splits.values() for shard in shards),
        "skipped_files": len(manifest.skipped_files),
        "skipped_clips": len(manifest.skipped_clips),
        "suggestions": len(manifest.suggestions),
    }


def table(manifest: Manifest) -> str:
    """Lines of text: what each split holds, then what was left out and why."""
    fps = manifest.config["fps"]
    rows = [("split", "clips", "minutes", "shortest s", "longest s", "shards", "MB")]
    for split, shards in manifest.splits.items():
        frames = list(manifest.clip_frames(split).values())
        lengths = [n / fps for n in frames]
        rows.append(
            (
                *(split, str(len(frames)), f"{sum(lengths) / 60:.1f}"),
                *((f"{min(lengths):.2f}", f"{max(lengths):.2f}") if frames else ("-", "-")),
                *(str(len(shards)), f"{sum(shard.bytes for shard in shards) / 1e6:.1f}"),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(f"{cell:<{w}}" if n == 0 else f"{cell:>{w}}" for n, (cell, w) in cells)
        for cells in (enumerate(zip(row, widths, strict=True)) for row in rows)
    ]
    config = manifest.config
    lines.append(
        f"{len(manifest.episodes)} episodes; pictures of {config['height']} x {config['width']} "
        f"(height x width) at {fps:g} frames a second"
    )
    lines += _left_out("files left out", manifest.skipped_files)
    lines += _left_out("clips left out", manifest.skipped_clips)
    if manifest.suggestions:
        lines.append(f"{len(manifest.suggestions)} clips with suggestions for a review")
    return "\n".join(lines)


def _left_out(title: str, skips: list) -> list[str]:
    """A line for each kind of reason, whatever its numbers."""
    kinds = collections.defaultdict(list)
    for skip in skips:
        kinds[re.sub(r"\d+(\.\d+)?", "N", skip.reason)].append(skip)
    if not kinds:
        return [f"no {title}"]
    lines = [f"{len(skips)} {title}"]
    for same in sorted(kinds.values(), key=len, reverse=True):
        name = same[0].name + ", ..." * (len(same) > 1)
        lines.append(f"  {len(same)} x {same[0].reason} ({name})")
    return lines


def contact_sheet(data_dir: str | os.PathLike) -> str | None:
    """Reads every record, and draws the middle picture of up to 120 clips, evenly drawn from all,
    as DATA_DIR's SHEET.

    Returns:
        Its path; None of codes alone, which have no pictures.

    Raises:
        FileNotFoundError, ValueError: No such dataset, or a shard that is missing or damaged.
    """
    import cv2

    from data_pipeline.dataset import read_records  # loads TensorFlow, which the table needs not

    manifest = Manifest.load(data_dir)
    total = figures(manifest)["clips"]
    chosen = set(np.linspace(0, total - 1, min(total, _COLUMNS * _ROWS)).astype(int).tolist())
    height, width = manifest.config["height"], manifest.config["width"]
    scale = _CELL / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    cells, number = [], 0
    for split in manifest.splits:
        for record in read_records(data_dir, manifest, split):
            if number in chosen and (clip := deserialize(record)).frames:
                cells.append(_cell(clip, split, size))
            number += 1
    if not cells:
        return None
    columns = min(_COLUMNS, len(cells))
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    rows = [np.concatenate(cells[n : n + columns], 1) for n in range(0, len(cells), columns)]
    path = files.join(data_dir, SHEET)
    with files.writing(path) as file:
        file.write(cv2.imencode(".png", np.concatenate(rows))[1].tobytes())
    return path


def _cell(clip, split: str, size: tuple[int, int]) -> np.ndarray:
    """A clip's middle picture with its id below, BGR."""
    import cv2

    data = np.frombuffer(clip.frames[len(clip.frames) // 2], np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{clip.clip_id}: its middle picture cannot be decoded; build again")
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    label = np.full((16, size[0], 3), 255, np.uint8)
    colour = {"train": (60, 60, 60), "validation": (180, 90, 0), "test": (40, 40, 200)}[split]
    text = clip.clip_id.encode("ascii", "replace").decode()  # OpenCV's font has no more
    text = text if len(text) <= 18 else "..." + text[-15:]
    cv2.putText(label, text, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.33, colour, 1, cv2.LINE_AA)
    cell = np.concatenate([picture, label])
    return np.pad(cell, ((2, 2), (2, 2), (0, 0)), constant_values=255)
