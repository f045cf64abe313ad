"""A training from its workdir's last state on: resuming, signals, averages, what is written."""

import json
import os
import signal
import time
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf import presets
from nwt_tf.training.callbacks import Validation
from nwt_tf.training.run import averaged_weights
from nwt_tf.training.summaries import still
from nwt_tf.training.trainer import DataError, DivergedError
from tests.training.toy import Toy, logged, ones, run, state_of


def test_a_resumed_training_ends_bit_by_bit_where_an_unbroken_one_does(tmp_path, capsys):
    unbroken = Toy()
    assert run(unbroken, tmp_path / "unbroken", 8)["steps"] == 8
    run(Toy(), tmp_path / "broken", 4)
    resumed = Toy()
    figures = run(resumed, tmp_path / "broken", 8)
    assert figures["steps"] == 8
    assert "resumed from" in capsys.readouterr().out
    for found, expected in zip(state_of(resumed), state_of(unbroken), strict=True):
        np.testing.assert_array_equal(found, expected)
    broken, whole = logged(tmp_path / "broken"), logged(tmp_path / "unbroken")
    assert broken == whole and list(whole) == [2, 4, 6, 8]


def test_the_preset_has_the_averages_and_the_model_keeps_its_own_weights(tmp_path):
    toy = Toy()
    run(toy, tmp_path, 6)
    saved = presets.read_weights(tmp_path, "dvae")["kernel"]
    average = toy.optimizer._model_variables_moving_average[0].numpy()
    np.testing.assert_array_equal(saved, average)
    assert np.abs(toy.dense.kernel.numpy() - average).min() > 1e-3


def test_a_resumed_training_takes_its_own_learning_rate(tmp_path):
    run(Toy(), tmp_path, 2)
    resumed = Toy(rate=0.03)
    run(resumed, tmp_path, 4)
    np.testing.assert_allclose(resumed.optimizer.learning_rate, 0.03)
    assert int(resumed.optimizer.iterations) == 4  # all else goes on


def test_validations_come_with_every_multiple_of_their_steps(tmp_path):
    model, seen = SimpleNamespace(steps_done=7), []
    best = SimpleNamespace(keep=0)
    summaries = SimpleNamespace(write=lambda *args: None, last_validated=lambda steps: 0)
    validation = Validation(lambda: (seen.append(model.steps_done) or {}, {}), summaries, 8, best)
    validation.set_model(model)
    validation.on_train_begin()  # resumed behind 7 steps, as often as it may be
    for model.steps_done in (9, 11, 15, 17):
        validation.on_epoch_end(0)
    validation.on_train_end()
    assert seen == [9, 17]


def test_a_finished_training_does_no_more_steps(tmp_path):
    run(Toy(), tmp_path, 4)
    again = Toy()
    figures = run(again, tmp_path, 4)
    assert figures["steps"] == 4 and figures["steps_per_second"] == 0
    assert list(logged(tmp_path)) == [2, 4]
    assert int(again.step) == 4 and again.optimizer.iterations == 4


def test_the_last_checkpoint_does_not_wait_for_the_validation(tmp_path):
    seen = []

    def measure():
        seen.append((signal.getsignal(signal.SIGTERM), (tmp_path / "checkpoints").exists()))
        return {}, {}

    before = signal.getsignal(signal.SIGTERM)
    run(Toy(), tmp_path, 2, measure=measure)
    ((handler, saved),) = seen
    assert saved and handler is not before  # a signal does not end the validation either
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_ends_the_training(tmp_path, number, capsys):
    before = signal.getsignal(number)

    def batches():
        for count in range(10_000):
            if count == 20:
                os.kill(os.getpid(), number)
            yield np.ones((1, 2), np.float32)

    dataset = tf.data.Dataset.from_generator(
        batches, output_signature=tf.TensorSpec((1, 2), tf.float32)
    )
    toy = Toy()
    figures = run(toy, tmp_path, 9_000, lambda start, host: dataset)
    stopped = figures["steps"]
    assert 0 < stopped < 9_000
    assert f"{number.name}: stopping" in capsys.readouterr().out
    assert signal.getsignal(number) == before
    assert (tmp_path / "checkpoints" / f"ckpt-{stopped}.index").exists()
    assert (tmp_path / "dvae.weights.0.npz").exists()
    resumed = Toy()
    assert run(resumed, tmp_path, stopped + 2)["steps"] == stopped + 2


def test_validation_pictures_and_tensorboard_files(tmp_path, capsys):
    picture = np.zeros((4, 5, 3), np.uint8)
    measured = {"validation/ssim": 0.5}, {"validation/clips": still(picture)}
    run(Toy(), tmp_path, 6, measure=lambda: measured)
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["validation_clips_000004.png", "validation_clips_000006.png"]
    decoded = tf.io.decode_png((tmp_path / "pictures" / names[0]).read_bytes())
    np.testing.assert_array_equal(decoded, picture)
    assert list((tmp_path / "logs").glob("events.out.tfevents.*"))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").open()]
    assert [line["step"] for line in lines] == [2, 2, 4, 4, 4, 6, 6, 6]
    assert lines[4]["validation/ssim"] == 0.5
    np.testing.assert_allclose(lines[0]["learning_rate"], 0.1, rtol=1e-6)
    assert 0 <= lines[1]["speed/input_wait"] <= 1 and lines[1]["speed/steps_per_second"] > 0
    printed = capsys.readouterr().out
    assert "step 6/6 distance" in printed and "0:00:00 left" in printed
    assert "% of it waiting for input" in printed
    assert "step 4: validation/ssim 0.5" in printed


def test_several_steps_a_call_are_the_same_steps(tmp_path):
    runs = []
    for steps in (1, 3):
        toy = Toy(steps_per_execution=steps)
        assert run(toy, tmp_path / str(steps), 6, log_every=3)["steps"] == 6
        runs.append((state_of(toy), logged(tmp_path / str(steps))))
    for found, expected in zip(runs[0][0], runs[1][0], strict=True):
        np.testing.assert_array_equal(found, expected)
    assert runs[0][1] == runs[1][1] and list(runs[0][1]) == [3, 6]


def test_a_round_is_whole_calls(tmp_path):
    assert run(Toy(steps_per_execution=4), tmp_path, 6, log_every=3)["steps"] == 8


def test_the_last_round_ends_with_the_last_step(tmp_path):
    run(Toy(), tmp_path / "whole", 7, log_every=3)
    run(Toy(), tmp_path / "parts", 2, log_every=3)  # as stopped within a round
    assert run(Toy(), tmp_path / "parts", 7, log_every=3)["steps"] == 7
    assert list(logged(tmp_path / "whole")) == [3, 6, 7]
    assert list(logged(tmp_path / "parts")) == [2, 5, 7]
    whole, parts = (np.load(tmp_path / name / "dvae.weights.0.npz") for name in ("whole", "parts"))
    np.testing.assert_array_equal(whole[whole.files[0]], parts[parts.files[0]])


def test_time_waiting_for_batches_is_measured(tmp_path):
    def slow(start, host):
        def wait():
            while True:
                time.sleep(0.2)
                yield np.ones((1, 2), np.float32)

        return tf.data.Dataset.from_generator(
            wait, output_signature=tf.TensorSpec((1, 2), tf.float32)
        )

    fast, toy = Toy(), Toy()
    run(fast, tmp_path / "fast", 9, log_every=3)
    run(toy, tmp_path / "slow", 9, slow, log_every=3)
    lines = [json.loads(line) for line in (tmp_path / "slow" / "metrics.jsonl").open()]
    # Not the first round, which traces the step.
    assert [x["speed/input_wait"] for x in lines if "speed/input_wait" in x][-1] > 0.7
    assert toy.seconds_waiting > 1.0 > 2 * fast.seconds_waiting


def test_the_update_norm_is_that_of_the_weights_last_change(tmp_path):
    toy = Toy(ema=0.0)
    run(toy, tmp_path, 3, log_every=3)
    before = [np.array(v.numpy()) for v in toy.dense.trainable_variables]
    toy.fit(ones(0, None), steps_per_epoch=1, verbose=0, shuffle=False)
    change = [b - v.numpy() for b, v in zip(before, toy.dense.trainable_variables, strict=True)]
    norm = np.sqrt(sum(np.sum(np.square(each)) for each in change))
    np.testing.assert_allclose(toy.update_figures()["update_norm"], norm, rtol=1e-3)


def test_averages_are_lent_and_taken_back():
    toy = Toy()
    toy.fit(tf.data.Dataset.from_tensors(tf.ones((1, 2))).repeat(5), verbose=0, shuffle=False)
    own, average = toy.dense.get_weights(), toy.optimizer._model_variables_moving_average
    with averaged_weights(toy, toy.optimizer):
        for found, expected in zip(toy.dense.get_weights(), average, strict=True):
            np.testing.assert_array_equal(found, expected)
    with pytest.raises(RuntimeError), averaged_weights(toy, toy.optimizer):
        raise RuntimeError
    for found, expected in zip(toy.dense.get_weights(), own, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_without_averages_or_steps_the_weights_are_their_own(ema):
    toy = Toy(ema)
    own = toy.dense.get_weights()
    with averaged_weights(toy, toy.optimizer):
        np.testing.assert_array_equal(toy.dense.get_weights()[0], own[0])


def test_training_goes_on_with_the_batches_that_come_next(tmp_path):
    starts = []

    def dataset(start, host):
        starts.append((start, host))
        return ones(start, host)

    run(Toy(), tmp_path, 4, dataset)
    run(Toy(), tmp_path, 6, dataset)
    assert starts == [(0, (0, 1)), (4, (0, 1))]


def test_a_loss_that_is_not_finite_stops_and_nothing_of_it_is_saved(tmp_path):
    run(Toy(), tmp_path, 2)
    before = presets_bytes(tmp_path)
    with pytest.raises(DivergedError, match="at step 3; .* is .*ckpt-2. Not finite: distance"):
        run(Toy(bad_step=3), tmp_path, 8)
    assert presets_bytes(tmp_path) == before
    assert run(Toy(), tmp_path, 8)["steps"] == 8


def presets_bytes(workdir):
    return (workdir / "dvae.weights.0.npz").read_bytes()


def test_an_update_that_is_not_finite_is_left_out_and_counted(tmp_path):
    toy = Toy(bad_step=3, skip_nonfinite=True)
    run(toy, tmp_path, 8)
    assert int(toy.skipped) == 1 and int(toy.step) == 8 and int(toy.optimizer.iterations) == 7
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").open()]
    assert [x["skipped_updates"] for x in lines if "skipped_updates" in x] == [0, 1, 1, 1]
    assert all(np.isfinite(value).all() for value in state_of(toy))
    assert "NaN" not in (tmp_path / "metrics.jsonl").read_text()  # which JSON has not


def test_before_its_first_update_nothing_was_updated():
    assert Toy().update_figures()["update_norm"] == 0.0


def test_a_batch_that_cannot_be_read_ends_the_training_with_what_is_wrong(tmp_path):
    path = tmp_path / "shard.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for _ in range(4):
            writer.write(np.ones((1, 2), np.float32).tobytes())
    content = bytearray(path.read_bytes())
    content[-8] ^= 1
    path.write_bytes(content)

    def shard(start, host):
        records = tf.data.TFRecordDataset(str(path))
        return records.map(lambda r: tf.reshape(tf.io.decode_raw(r, tf.float32), (1, 2)))

    with pytest.raises(DataError, match="A training batch cannot be read: corrupted record"):
        run(Toy(), tmp_path / "work", 8, shard)


def test_what_a_batch_s_reader_asserts_is_said_alone(tmp_path):
    def odd(start, host):
        def check(batch):
            with tf.control_dependencies([tf.debugging.assert_less(batch, 1.0, "Odd clips.")]):
                return tf.identity(batch)

        return ones(start, host).map(check)

    with pytest.raises(DataError, match=r"^A training batch cannot be read: Odd clips; nwt "):
        run(Toy(), tmp_path, 8, odd)


def test_what_a_kill_behind_the_last_checkpoint_left_undone_is_made_up_for(tmp_path):
    def killed():
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        run(Toy(), tmp_path, 4, measure=killed)
    for path in tmp_path.glob("*.npz"):
        path.unlink()
    toy, validated = Toy(), []

    def measure():
        validated.append(toy.steps_done)
        return {"validation/ssim": 0.5}, {}

    assert run(toy, tmp_path, 4, measure=measure, keep_best=1)["steps"] == 4
    assert validated == [4] and len(presets.best_folders(tmp_path)) == 1
    assert list(tmp_path.glob("dvae.weights.*.npz"))
    run(Toy(), tmp_path, 4, measure=measure, keep_best=1)
    assert validated == [4]


def test_logs_that_cannot_be_written_stop_no_training(tmp_path, capsys):
    (tmp_path / "metrics.jsonl").mkdir()
    assert run(Toy(), tmp_path, 6)["steps"] == 6
    assert capsys.readouterr().out.count("cannot be written: [Errno 21] Is a directory") == 1
    assert presets.read_weights(tmp_path, "dvae")
