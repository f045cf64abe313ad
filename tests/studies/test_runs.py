"""Runs are kept, read again, and refused when they are of other settings."""

import json

import numpy as np
import pytest

from nwt_tf.studies.runs import each_seed, fingerprint, mean_and_spread


def test_finished_runs_are_not_run_again(tmp_path):
    ran = []

    def run(seed):
        if seed == 2 and len(ran) < 2:
            raise KeyboardInterrupt
        ran.append(seed)
        return {"figure": seed + 0.5}

    settings = {"sizes": (1, 2)}
    with pytest.raises(KeyboardInterrupt):
        each_seed(tmp_path, "a", settings, [0, 2], run)
    found = each_seed(tmp_path, "a", settings, [0, 1, 2], run)
    assert ran == [0, 1, 2]
    assert [each["figure"] for each in found] == [0.5, 1.5, 2.5]
    assert all(each["run_seconds"] >= 0 for each in found)
    assert each_seed(tmp_path, "a", settings, [2, 0], run) == [found[2], found[0]]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        f"a_seed{seed}.json" for seed in range(3)
    ]


def test_runs_of_other_settings_and_damaged_ones_are_refused(tmp_path):
    each_seed(tmp_path, "a", {"steps": 1}, [0], lambda seed: {"figure": 1.0})
    with pytest.raises(ValueError, match="a_seed0.json is of other settings"):
        each_seed(tmp_path, "a", {"steps": 2}, [0], lambda seed: {"figure": 1.0})
    for content in ("{", "[]", json.dumps({"settings": {}})):
        (tmp_path / "runs" / "a_seed0.json").write_text(content)
        with pytest.raises(ValueError, match="a_seed0.json is damaged"):
            each_seed(tmp_path, "a", {"steps": 1}, [0], lambda seed: {"figure": 1.0})


def test_runs_of_other_data_are_refused(tmp_path):
    def run(data):
        return each_seed(tmp_path, "a", {"steps": 1, **data}, [0], lambda seed: {"figure": 1.0})

    run({"data": "0a"})
    with pytest.raises(ValueError, match="a_seed0.json is of other data"):
        run({"data": "0b"})
    (tmp_path / "runs" / "a_seed0.json").unlink()
    run({})  # as they were kept before data counted
    with pytest.raises(ValueError, match="a_seed0.json is of other data"):
        run({"data": "0a"})


def test_a_fingerprint_is_of_values_types_and_shapes():
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    others = [array + 1, array.astype(np.int8), array.reshape(4, 3), array[:2], array.T]
    prints = {fingerprint(each) for each in (array, *others)}
    assert len(prints) == 6 and fingerprint(array.copy()) == fingerprint(array)
    assert fingerprint(array, array[:0]) != fingerprint(array[:0], array)
    strided = np.repeat(array, 2, axis=0)[::2]
    assert fingerprint(strided) == fingerprint(array)


def test_mean_and_spread_of_what_is_a_number():
    runs = [{"a": 1.0, "b": True, "list": [1]}, {"a": 3.0, "b": False, "list": [2]}]
    summary = mean_and_spread(runs)
    assert summary["a"] == {"mean": 2.0, "spread": pytest.approx(2**0.5), "runs": 2}
    assert "list" not in summary
    assert mean_and_spread(runs[:1])["a"] == {"mean": 1.0, "spread": None, "runs": 1}
