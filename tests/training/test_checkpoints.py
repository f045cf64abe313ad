"""What a training leaves: checkpoints to go on from, the best presets, its config."""

import shutil
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from nwt_tf import presets
from nwt_tf.layers.spatially_connected import SpatialPyramid
from nwt_tf.training.checkpoints import Checkpoints, has_state
from nwt_tf.training.run import check_workdir
from tests.training.toy import Toy, run, state_of


def test_the_best_presets_are_kept_beside_the_latest(tmp_path):
    values = iter([0.3, 0.9, 0.1, 0.5, 0.2])
    states = {}
    toy = Toy()

    def measure():
        states[int(toy.step)] = toy.optimizer._model_variables_moving_average[0].numpy()
        return {"validation/ssim": next(values)}, {}

    run(toy, tmp_path, 10, measure=measure, validate_every=2, keep_best=2)
    entries = presets.best_entries(tmp_path / "best")
    assert [(entry["step"], entry["validation/ssim"]) for entry in entries] == [(4, 0.9), (8, 0.5)]
    names = sorted(path.name for path in (tmp_path / "best").iterdir())
    assert names == ["best.json", "step_000004", "step_000008"]
    for preset, step in ((tmp_path / "best", 4), (tmp_path / "best" / "step_000008", 8)):
        np.testing.assert_array_equal(presets.read_weights(preset, "dvae")["kernel"], states[step])
    np.testing.assert_array_equal(presets.read_weights(tmp_path, "dvae")["kernel"], states[10])


def test_without_latest_checkpoints_a_training_goes_on_from_the_best(tmp_path, capsys):
    measured = {"validation/ssim": 0.5}, {}
    run(Toy(), tmp_path, 4, measure=lambda: measured, keep_best=1)
    shutil.rmtree(tmp_path / "checkpoints")
    resumed, whole = Toy(), Toy()
    run(resumed, tmp_path, 8, measure=lambda: measured, keep_best=1)
    assert "resumed from" in capsys.readouterr().out
    run(whole, tmp_path / "whole", 8)
    for found, expected in zip(state_of(resumed), state_of(whole), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_two_checkpoints_are_kept(tmp_path):
    for steps in (2, 4, 6):
        run(Toy(), tmp_path, steps)
    kept = sorted(path.name for path in (tmp_path / "checkpoints").glob("*.index"))
    assert kept == ["ckpt-4.index", "ckpt-6.index"]


def test_a_damaged_checkpoint_is_passed_over_with_a_warning(tmp_path, capsys):
    run(Toy(), tmp_path, 2)
    run(Toy(), tmp_path, 4)
    newest = tmp_path / "checkpoints" / "ckpt-4.data-00000-of-00001"
    newest.write_bytes(newest.read_bytes()[:-40])
    toy = Toy()
    assert run(toy, tmp_path, 6)["steps"] == 6
    out = capsys.readouterr().out
    assert "ckpt-4 cannot be restored" in out and "resumed from" in out and "ckpt-2" in out
    whole = Toy()
    run(whole, tmp_path / "whole", 6)
    for found, expected in zip(state_of(toy), state_of(whole), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_where_no_checkpoint_is_whole_the_training_says_so(tmp_path):
    run(Toy(), tmp_path, 2)
    (tmp_path / "checkpoints" / "ckpt-2.data-00000-of-00001").write_bytes(b"")
    with pytest.raises(ValueError, match="No checkpoint in .* can be restored"):
        run(Toy(), tmp_path, 4)


def test_a_checkpoint_holds_every_variable_also_of_layers_in_lists(tmp_path):
    pyramid = SpatialPyramid((2, 3))
    pyramid(tf.zeros((1, 2, 4)))
    step = tf.Variable(7, dtype=tf.int64)
    checkpoints = Checkpoints(tmp_path, step, {"pyramid": pyramid}, lambda folder: None)
    written = [np.array(weight) for weight in pyramid.weights]
    path = checkpoints.manager.save()
    assert len(tf.train.list_variables(path)) >= len(written) + 1
    for weight in pyramid.weights:
        weight.assign(tf.ones_like(weight) * 9)
    step.assign(0)
    assert checkpoints.restore() == path
    assert int(step) == 7
    for weight, value in zip(pyramid.weights, written, strict=True):
        np.testing.assert_array_equal(weight, value)


def leave_weights(workdir):
    """What a training that has learnt something leaves at least."""
    presets.write_weights(workdir, "dvae", {"kernel": np.ones(3, "float32")})
    (workdir / "checkpoints").mkdir()
    (workdir / "checkpoints/ckpt-4.index").touch()


def test_a_workdir_of_another_config_is_refused_by_field(tmp_path, capsys):
    config = {"model": {"stem": 8, "stages": [[8, 1]]}, "train": {"steps": 4}}
    check_workdir(tmp_path, "dvae", config, {})
    assert not list(tmp_path.iterdir())  # What is refused later leaves nothing behind.
    presets.write_config(tmp_path, training=config)
    other = {"model": {"stem": 8, "stages": [[8, 2]]}, "train": {"steps": 4}}
    check_workdir(tmp_path, "dvae", other, {})  # what was begun has not learnt anything yet
    leave_weights(tmp_path)
    check_workdir(tmp_path, "dvae", config, {})
    with pytest.raises(ValueError, match=r"config.model.stages was \[\[8, 1\]\] and is now"):
        check_workdir(tmp_path, "dvae", other, {})
    free = {**config, "train": {"steps": 9, "skip_nonfinite": True}}
    check_workdir(tmp_path, "dvae", free, {"train": {"skip_nonfinite": False}})
    told = capsys.readouterr().out
    assert "config.train.skip_nonfinite was False and is now True" in told
    assert "config.train.steps was 4 and is now 9" in told
    check_workdir(tmp_path, "dvae", config, {})
    assert not capsys.readouterr().out
    with pytest.raises(ValueError, match="config.train.seed was None and is now 1"):
        check_workdir(tmp_path, "dvae", {**config, "train": {"steps": 4, "seed": 1}}, {})
    assert presets.read_config(tmp_path)["training"] == config


def test_a_field_that_an_older_workdir_lacks_counts_as_its_default(tmp_path):
    older = {"train": {"steps": 4}}
    newer = {"train": {"steps": 4, "ema": 0.0}, "loss": {"drift": 0.0}}
    defaults = {"train": {"steps": 9, "ema": 0.0}, "loss": {"drift": 0.0}}
    presets.write_config(tmp_path, training=older)
    leave_weights(tmp_path)
    other = {**newer, "train": {"steps": 4, "ema": 0.9}}
    with pytest.raises(ValueError, match="config.train.ema was 0.0 and is now 0.9"):
        check_workdir(tmp_path, "dvae", other, defaults)
    check_workdir(tmp_path, "dvae", newer, defaults)


def test_a_workdir_of_other_data_is_refused_by_field(tmp_path):
    footage = {"fps": 25.0, "episodes": {"a": 0, "b": 1}, "jpeg_quality": 95}
    presets.write_config(tmp_path, training={}, footage=footage)
    leave_weights(tmp_path)
    check_workdir(tmp_path, "dvae", {}, {}, {"fps": 25.0, "episodes": {"a": 0, "b": 1}})
    with pytest.raises(ValueError, match="other data: footage.episodes.b was 1 and is now 2"):
        check_workdir(tmp_path, "dvae", {}, {}, {"episodes": {"a": 0, "b": 2}})


def test_weights_without_a_checkpoint_are_not_trained_over(tmp_path):
    presets.write_config(tmp_path, training={})
    leave_weights(tmp_path)
    check_workdir(tmp_path, "dvae", {}, {})
    (tmp_path / "checkpoints/ckpt-4.index").unlink()
    with pytest.raises(ValueError, match="has weights, and no checkpoint to go on from.*--init_"):
        check_workdir(tmp_path, "dvae", {}, {})


@pytest.mark.parametrize(("part", "sections"), [("prior", {}), ("dvae", {"prior": {}})])
def test_a_workdir_of_the_other_stage_is_refused(tmp_path, part, sections):
    presets.write_config(tmp_path, training={}, **sections)
    leave_weights(tmp_path)
    with pytest.raises(ValueError, match="is of a training of the other stage"):
        check_workdir(tmp_path, part, {}, {})


@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_a_lost_list_of_checkpoints_loses_none(tmp_path, damage):
    step, weight = tf.Variable(0, dtype=tf.int64), keras.Variable(np.zeros(3, "float32"))
    part = types.SimpleNamespace(variables=[weight])
    saved = Checkpoints(tmp_path, step, {"part": part}, lambda folder: None)
    for number in (9, 10):
        step.assign(number)
        weight.assign(np.full(3, number, "float32"))
        saved.manager.save(checkpoint_number=number)
    listed = tmp_path / "checkpoints/checkpoint"
    listed.unlink() if damage == "missing" else listed.write_bytes(b"")
    step.assign(0)
    assert has_state(tmp_path)
    again = Checkpoints(tmp_path, step, {"part": part}, lambda folder: None)
    assert again.newest() == again.restore() == str(tmp_path / "checkpoints/ckpt-10")
    assert int(step) == 10 and np.all(weight.numpy() == 10)


def test_a_dataset_is_no_workdir(tmp_path):
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(ValueError, match="--workdir=.* holds a dataset"):
        check_workdir(tmp_path, "dvae", {}, {})


def test_a_preset_is_no_workdir(tmp_path):
    presets.write_config(tmp_path, dvae={})
    with pytest.raises(ValueError, match="is a preset, not a training workdir"):
        check_workdir(tmp_path, "dvae", {}, {})
