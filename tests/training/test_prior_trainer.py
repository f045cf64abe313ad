"""The prior's training: the loss and its parts, corrupted histories, learning, resuming."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from configs.prior import get_config
from nwt_tf import losses
from nwt_tf.models.far import FAR
from nwt_tf.training.distribution import split_seed
from nwt_tf.training.prior_trainer import PriorTrainer, corrupt_codes, drop_history
from nwt_tf.training.schedules import adam

SEED = tf.constant([1, 2])
CODES = 5


@pytest.fixture(scope="module")
def trainer():
    keras.utils.set_random_seed(0)
    prior = FAR(
        grid=(2, 2),
        num_heads=2,
        num_codes=CODES,
        num_episodes=2,
        episode_dim=4,
        audio_widths=(4,) * 7,
        audio_pyramid=(4,),
        style_dim=3,
        style_widths=(4,) * 4,
        style_pyramid=(4,),
        embedding_dim=4,
        width=8,
        hidden=8,
        strides=(1,),
        dilations=((1, 1, 2),),
    )
    prior.build()
    trainer = PriorTrainer(prior, style_kl=0.5, history_noise=0.3, seed=3, clip_norm=1.0)
    settings = dataclasses.replace(get_config("tiny").train, ema=0.9)
    trainer.compile(adam(1e-2, settings, (0.9, 0.99)))
    return trainer


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    return {
        "mel": tf.constant(rng.normal(size=(2, 24, 80)) * 4 - 6, tf.float32),
        "codes": tf.constant(rng.integers(0, CODES, (2, 6, 2, 2, 2)), tf.int32),
        "episode": tf.constant([0, -1]),
    }


def test_the_loss_is_nats_a_code_plus_the_style_s_share_of_them(trainer, batch):
    mel, codes, episode = batch["mel"], batch["codes"], batch["episode"]
    loss, logs = trainer.forward_losses(mel, codes, episode, SEED, codes)
    logits, posterior = trainer.prior(mel, codes, episode, split_seed(SEED, 0))
    code = losses.code_cross_entropy(logits, codes)
    kl = losses.style_kl(posterior.mean, posterior.std)
    np.testing.assert_allclose(logs["code"], code, rtol=1e-5)
    np.testing.assert_allclose(logs["bits_per_code"], code / np.log(2), rtol=1e-5)
    np.testing.assert_allclose(loss, code + 0.5 * kl / (6 * 2 * 2 * 2), rtol=1e-5)


def test_validation_shows_the_true_history_and_repeats(trainer, batch):
    first, second = trainer.test_step(batch), trainer.test_step(batch)
    seed = tf.constant([trainer.seed, 0])
    truth = trainer.forward_losses(
        batch["mel"], batch["codes"], batch["episode"], seed, batch["codes"]
    )[1]
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])
        np.testing.assert_allclose(value, truth[name], rtol=1e-6)


def test_corruption_draws_a_rate_a_clip_up_to_the_given_one():
    codes = tf.fill((400, 10, 4, 4, 2), -7)  # no noise is equal to it
    shown = corrupt_codes(codes, 0.4, CODES, SEED).numpy()
    hit = shown != -7
    rates = hit.reshape(400, -1).mean(axis=1)
    assert abs(rates.mean() - 0.2) < 0.02
    assert rates.min() < 0.02 and 0.37 < rates.max() < 0.5
    counts = np.bincount(shown[hit], minlength=CODES) / hit.sum()
    np.testing.assert_allclose(counts, 1 / CODES, atol=0.02)
    np.testing.assert_array_equal(corrupt_codes(codes, 0.0, CODES, SEED), codes)


def test_whole_clips_are_shown_no_history():
    codes = tf.zeros((1000, 3, 2, 2, 2), tf.int32)
    left_out = drop_history(codes, 0.3, SEED).numpy() == -1
    clips = left_out.reshape(1000, -1)
    np.testing.assert_array_equal(clips.any(axis=1), clips.all(axis=1))
    assert abs(clips.mean() - 0.3) < 0.05
    assert not (drop_history(codes, 0.0, SEED).numpy() == -1).any()
    assert (drop_history(codes, 1.0, SEED).numpy() == -1).all()


def test_the_share_without_history_falls_from_one_in_the_warmup(trainer):
    taught = PriorTrainer(trainer.prior, history_dropout=0.2, history_warmup=100)
    shares = {}
    for step in (0, 50, 100, 1000):
        taught.step.assign(step)
        shares[step] = float(taught.history_share)
    assert shares == pytest.approx({0: 1.0, 50: 0.6, 100: 0.2, 1000: 0.2})
    assert float(trainer.history_share) == 0.0


def test_a_step_without_history_learns_from_sound_style_and_episode_alone(trainer, batch):
    """At share 1 the gradients are those of a decoder that is shown -1 everywhere."""
    deaf = PriorTrainer(trainer.prior, history_dropout=1.0)
    given = (batch["mel"], batch["codes"], batch["episode"], SEED)
    logs, _ = deaf.losses_and_gradients(*given, deaf.history_share, 1.0)
    shown = deaf.forward_losses(*given, -tf.ones_like(batch["codes"]))[1]
    np.testing.assert_allclose(logs["code"], shown["code"], rtol=1e-6)
    history = deaf.forward_losses(*given, batch["codes"])[1]
    assert abs(float(history["code"]) - float(shown["code"])) > 1e-6


def test_a_decoder_that_is_not_told_the_sound_learns_from_the_rest(trainer, batch):
    """At share 1 no sound is heard, and the audio encoder learns nothing."""
    mel, codes, episode = batch["mel"], batch["codes"], batch["episode"]
    untold = trainer.forward_losses(
        mel, codes, episode, SEED, codes, untold=tf.constant([True] * 2)
    )
    deaf = PriorTrainer(trainer.prior, sound_dropout=1.0)
    for heard in (mel, mel + 3.0):
        logs, gradients = deaf.losses_and_gradients(heard, codes, episode, SEED, 0.0, 1.0)
        np.testing.assert_allclose(logs["code"], untold[1]["code"], rtol=1e-6)
    for variable, gradient in zip(trainer.prior.trainable_variables, gradients, strict=True):
        if "/audio/" in variable.path:
            assert not np.any(gradient), variable.path
    told = trainer.forward_losses(mel, codes, episode, SEED, codes)[1]
    assert abs(float(told["code"]) - float(untold[1]["code"])) > 1e-6


def test_each_clip_draws_for_itself_whether_the_decoder_is_told_its_sound(trainer, batch):
    half = PriorTrainer(trainer.prior, sound_dropout=0.5)
    mel, codes, episode = batch["mel"], batch["codes"], batch["episode"]
    seen = set()
    for first in range(8):
        seed = tf.constant([first, 2])
        found = half.losses_and_gradients(mel, codes, episode, seed, 0.0, 1.0)[0]["code"]
        cases = [(one, other) for one in (False, True) for other in (False, True)]
        expected = [
            trainer.forward_losses(mel, codes, episode, seed, codes, untold=tf.constant(case))[1]
            for case in cases
        ]
        apart = [abs(float(found) - float(logs["code"])) for logs in expected]
        assert min(apart) < 1e-6
        seen.add(cases[int(np.argmin(apart))])
    assert len(seen) > 2


def test_a_window_s_decoder_is_trained_on_its_codes_and_hears_the_whole_clip(trainer, batch):
    windowed = PriorTrainer(trainer.prior, window_frames=2, seed=3)

    def code(mel, codes, seed):
        given = (mel, codes, batch["episode"], tf.constant([seed, 2]), 0.0, 1.0)
        return float(windowed.losses_and_gradients(*given)[0]["code"])

    mel, codes = batch["mel"], batch["codes"]
    moved = set()
    for frame in range(6):
        changed = (codes + tf.one_hot(frame, 6, dtype=tf.int32)[:, None, None, None]) % CODES
        if code(mel, changed, 1) != code(mel, codes, 1):
            moved.add(frame)
    assert len(moved) == 2 and max(moved) - min(moved) == 1
    # The sound of a frame outside of the window, which the encoder hears there.
    outside = next(frame for frame in (min(moved) - 1, max(moved) + 1) if 0 <= frame < 6)
    louder = mel + 3.0 * tf.one_hot(4 * outside, 24)[:, None]
    assert code(louder, codes, 1) != code(mel, codes, 1)
    assert len({code(mel, codes, seed) for seed in range(8)}) > 2  # another window a step


def test_codes_may_begin_within_the_sound(trainer, batch):
    prior, codes = trainer.prior, batch["codes"]
    found, posterior = prior(
        batch["mel"], codes[:, 2:5], batch["episode"], SEED, start=tf.constant(2)
    )
    heard = prior.condition(batch["mel"], posterior.sample(SEED), batch["episode"])
    expected = prior.logits(codes[:, 2:5], heard._replace(audio=heard.audio[:, 2:5]))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_targets_stay_true_under_a_corrupted_history(trainer, batch):
    """The decoder alone sees the corruption: style posterior and targets are the clip's."""
    mel, codes, episode = batch["mel"], batch["codes"], batch["episode"]
    history = corrupt_codes(codes, 1.0, CODES, SEED)
    logs = trainer.forward_losses(mel, codes, episode, SEED, history)[1]
    logits, posterior = trainer.prior(mel, codes, episode, split_seed(SEED, 0), history)
    np.testing.assert_allclose(logs["code"], losses.code_cross_entropy(logits, codes), rtol=1e-5)
    clean = trainer.forward_losses(mel, codes, episode, SEED, codes)[1]
    np.testing.assert_allclose(logs["style_kl"], clean["style_kl"], rtol=1e-6)


def test_fit_learns_a_repeated_batch(trainer, batch):
    dataset = tf.data.Dataset.from_tensors(batch).repeat()
    before = float(trainer.test_step(batch)["code"])
    first = int(trainer.step)
    trainer.fit(dataset, epochs=2, steps_per_epoch=30, verbose=0, shuffle=False)
    assert int(trainer.step) == first + 60
    assert abs(before - np.log(CODES)) < 0.1  # a uniform guess at first
    assert float(trainer.test_step(batch)["code"]) < 0.7 * before


def test_a_restored_checkpoint_repeats_the_steps_bit_by_bit(trainer, batch, tmp_path):
    dataset = tf.data.Dataset.from_tensors(batch).repeat()
    checkpoint = tf.train.Checkpoint(
        prior=trainer.prior, optimizer=trainer.optimizer, step=trainer.step
    )
    path = checkpoint.write(str(tmp_path / "checkpoint"))
    runs = []
    for _ in range(2):
        checkpoint.read(path).assert_consumed()
        fitted = trainer.fit(dataset, epochs=3, steps_per_epoch=1, verbose=0, shuffle=False)
        state = [variable.numpy() for variable in trainer.optimizer.variables]
        runs.append((fitted.history, trainer.get_weights() + state))
    assert runs[0][0] == runs[1][0]
    for first, second in zip(runs[0][1], runs[1][1], strict=True):
        np.testing.assert_array_equal(first, second)
