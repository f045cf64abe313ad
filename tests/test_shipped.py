"""The presets that come with the package: their size, their card, and that they load."""

import numpy as np
import pytest

from nwt_tf import presets
from nwt_tf.generation.audio_to_video import AudioToVideo

NAMES = sorted(path.parent.name for path in presets.SHIPPED.glob("*/config.json"))


def test_there_is_one_of_grid():
    assert "grid-s1" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_files_are_small(name):
    sizes = [path.stat().st_size for path in (presets.SHIPPED / name).iterdir()]
    assert max(sizes) <= 15_000_000 and sum(sizes) <= 25_000_000


def test_the_card_names_the_footage_s_authors_and_licence():
    card = (presets.locate("grid-s1") / "README.md").read_text()
    for word in ("Cooke", "Barker", "Cunningham", "Shao", "2006", "CC BY 4.0", "consent"):
        assert word in card


def test_grid_speaks():
    model = AudioToVideo.from_preset("grid-s1")
    assert model.fps == 25.0 and len(model.episodes) == 19
    waveform = np.random.default_rng(0).normal(0, 0.05, 24000 // 5).astype(np.float32)
    video = model.generate(waveform, seed=1)
    assert video.shape == (5, 128, 112, 3) and video.dtype == np.uint8
    assert 30 < video.mean() < 220 and video.std() > 20
