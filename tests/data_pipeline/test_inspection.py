import shutil
from pathlib import Path

import cv2
import pytest

from data_pipeline.build import build_dataset
from data_pipeline.inspection import contact_sheet, figures, table
from data_pipeline.shards import Manifest, Shard, Skip
from tests.data_pipeline import footage


def test_table():
    shards = [Shard("a", 3_000_000, {"x_0": 75, "x_1": 50}), Shard("b", 500_000, {"y": 25})]
    manifest = Manifest(
        config={"fps": 25.0, "height": 24, "width": 32},
        versions={},
        episodes=["x", "y"],
        splits={"train": shards, "validation": [], "test": []},
        skipped_files=[Skip("z.mp4", "is empty (0 bytes)")],
        skipped_clips=[
            Skip("x_2", "0.50 s is shorter than 1 s"),
            Skip("x_3", "0.72 s is shorter than 1 s"),
            Skip("y_1", "dropped in review"),
        ],
    )
    assert table(manifest).splitlines() == [
        "split       clips  minutes  shortest s  longest s  shards   MB",
        "train           3      0.1        1.00       3.00       2  3.5",
        "validation      0      0.0           -          -       0  0.0",
        "test            0      0.0           -          -       0  0.0",
        "2 episodes; pictures of 24 x 32 (height x width) at 25 frames a second",
        "1 files left out",
        "  1 x is empty (0 bytes) (z.mp4)",
        "3 clips left out",
        "  2 x 0.50 s is shorter than 1 s (x_2, ...)",
        "  1 x dropped in review (y_1)",
    ]
    numbers = figures(manifest)
    assert numbers["clips"] == 3 and numbers["minutes"] == pytest.approx(0.1)
    assert numbers["bytes"] == 3_500_000 and numbers["skipped_clips"] == 3


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Three clips of a scene each."""
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "in").mkdir()
    pictures = footage.scenes([30, 30, 30])
    sound = footage.clicks([0.1, 1.5, 3.0], 3.6)
    times = [n / 25 for n in range(90)]
    footage.write(folder / "in" / "ä.mp4", pictures, times, sound, keys=(0, 30, 60))
    build_dataset(
        *(folder / "in", folder / "out"),
        **{"height": 24, "width": 32, "fps": 25.0, "segment_seconds": 1.2, "trim_seconds": 0.0},
        **{"validation_fraction": 0.0, "test_fraction": 0.0, "num_workers": 1},
    )
    return folder / "out"


def test_contact_sheet_shows_every_clip(dataset):
    path = contact_sheet(dataset)
    sheet = cv2.imread(path)
    assert path == str(dataset / "contact_sheet.png")
    assert sheet.shape == (96 + 16 + 4, 3 * 132, 3)
    levels = [sheet[50, 66 + 132 * n].mean() for n in range(3)]
    assert levels == pytest.approx([40, 70, 100], abs=4)


def flip(shard):
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)


def cut(shard):
    shard.write_bytes(shard.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (flip, ValueError, "cannot be read .corrupted record.; copy it or build again"),
        (cut, ValueError, "has .* bytes, though dataset.json says"),
        (Path.unlink, FileNotFoundError, "is missing, though dataset.json lists it"),
    ],
)
def test_a_damaged_shard_is_named(dataset, tmp_path, damage, error, message):
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    damage(copy / "train-00000.tfrecord")
    with pytest.raises(error, match=f"train-00000.tfrecord: {message}"):
        contact_sheet(copy)
