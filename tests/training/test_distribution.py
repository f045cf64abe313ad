"""Devices: the default strategy without GPUs, and a clear word where too many are asked for."""

import pytest
import tensorflow as tf

from nwt_tf.training.distribution import batches_of, strategy


def test_without_gpus_the_default_strategy_is_taken(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])
    for num_gpus in (None, 0):
        assert strategy(num_gpus).num_replicas_in_sync == 1


def test_more_gpus_than_are_visible_are_refused(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])
    with pytest.raises(ValueError, match="--num_gpus=2, but 0 GPUs are visible"):
        strategy(2)


def test_no_autotuner_holds_the_end_of_a_training_back():
    batches = batches_of(lambda host: tf.data.Dataset.range(4).batch(2), 2)
    assert batches.options().autotune.enabled is False
