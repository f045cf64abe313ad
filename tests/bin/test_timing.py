"""Times of the attention layer: what is measured, in milliseconds."""

import json
import time

import tensorflow as tf

from nwt_tf.bin import nwt
from nwt_tf.bin.benchmarks import timing


def test_every_way_of_the_layer_has_its_time():
    figures = timing.attention(2, 3, num_heads=2, num_codes=4, code_dim=8)
    assert set(figures) >= {"float32", "float32_compiled", "float32_forward"}
    assert all(0 < value < 1000 for value in figures.values())


def test_a_sleep_is_timed():
    def work():
        time.sleep(0.01)
        return tf.zeros(3)

    assert 10 <= timing.milliseconds(work) < 100


def test_the_command_prints_them(capsys, monkeypatch):
    monkeypatch.setattr(timing, "REPEATS", 1)
    nwt.main(["benchmark", "--what=attention", "--batch=1"])
    lines = capsys.readouterr().out.splitlines()
    figures = json.loads(lines[-1])
    assert (figures["batch"], figures["queries"]) == (1, 224)
    assert any(line.startswith("float32_compiled ") and line.endswith(" ms") for line in lines)
