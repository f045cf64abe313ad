"""What `nwt benchmark --what=sizes` ends with, at the paper's widths."""

import pytest

from tests.integration.commands import run

TABLE_3 = {"far": (383.484e6, 1e-3), "mar": (216.327e6, 2e-3)}
PARAMETERS = {
    "far": 383_411_808,
    "mar": 216_607_776,
    "har": 217_349_864,
    "dvae_mem16": 41_403_555,
    "dvae_mem8": 49_794_211,
    "critics": 10_780_451,
}
GFLOP = {  # a frame, as docs/results.md has them
    "far": 25.3,
    "mar": 25.1,
    "har": 27.1,
    "dvae_mem16": 248.0,
    "dvae_mem8": 247.1,
    "critics": 6.1,
}


@pytest.mark.soak
def test_the_paper_s_sizes():
    figures, printed = run("benchmark", "--what=sizes")
    assert {name: each["parameters"] for name, each in figures.items()} == PARAMETERS
    for name, expected in GFLOP.items():
        assert figures[name]["gflop_per_frame"] == pytest.approx(expected, abs=0.05)
    for name, (theirs, tolerance) in TABLE_3.items():
        assert figures[name]["parameters"] == pytest.approx(theirs, rel=tolerance)
    assert "encoder                 20,858,720" in printed  # each part of a model, too
