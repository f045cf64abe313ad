"""Algorithm 2: gradients of equations 8 and 9 from one forward pass, and both updates of a step."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from configs.dvae import get_config
from nwt_tf import losses
from nwt_tf.layers.pixels import to_unit_range
from nwt_tf.models.critics import Critics
from nwt_tf.models.dvae import DVAE
from nwt_tf.training.distribution import split_seed, step_seed
from nwt_tf.training.dvae_trainer import DVAETrainer, drop_episodes
from nwt_tf.training.schedules import adam, annealed_beta

CRITICS = (
    ((4, (1, 2, 2), (1, 1, 1), 1), (8, (2, 4, 4), (1, 4, 4), 1)),
    ((4, (2, 2), (1, 1), 1), (8, (4, 4), (2, 2), 2)),
)
WEIGHTS = {"recon": 1.0, "gan": 0.1, "kl": 0.01, "gradient_penalty": 10.0, "score_drift": 0.1}
WEIGHTS |= {"penalty_of_sum": True}
SEED = tf.constant([1, 2])
BETA = tf.constant(0.5)


@pytest.fixture(scope="module")
def trainer():
    keras.utils.set_random_seed(0)
    dvae = DVAE(8, 8, 4, ((4, 1), (8, 1)), (8, 8, 8), 2, 2, 4, 8, num_episodes=2, episode_dim=4)
    dvae.build()
    critics = Critics(CRITICS)
    tf.function(critics)(tf.zeros((1, 2, 8, 8, 3)))
    # Memcodes depend on the clip from the first step on.
    dvae.attention.codebook.assign(2.0 * dvae.attention.codebook)
    trainer = DVAETrainer(dvae, critics, **WEIGHTS, kl_midpoint=20, kl_rate=0.1, seed=3)
    settings = dataclasses.replace(get_config("tiny").train, ema=0.9)
    no_average = dataclasses.replace(settings, ema=0.0)
    trainer.compile(adam(1e-2, settings, (0.9, 0.99)), adam(1e-3, no_average, (0.5, 0.99)))
    return trainer


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 256, (2, 1, 2, 2, 3))
    video = corners.repeat(3, axis=1).repeat(4, axis=2).repeat(4, axis=3).astype(np.uint8)
    return {"video": tf.constant(video), "episode": tf.constant([0, 1])}


@pytest.fixture
def gradients(trainer, batch):
    """What one pass gives: (logs, generator gradients, critic gradients)."""
    video = to_unit_range(batch["video"])
    return trainer._compiled(video, tf.constant([0, -1]), SEED, BETA, tf.constant(1.0))


def dense(gradient):
    return tf.convert_to_tensor(gradient).numpy()  # an embedding's is sparse


def test_gradients_are_finite_and_reach_every_weight(trainer, gradients):
    models = (trainer.dvae, trainer.critics)
    for model, found in zip(models, gradients[1:], strict=True):
        for variable, gradient in zip(model.trainable_variables, found, strict=True):
            largest = np.abs(dense(gradient)).max()
            assert np.isfinite(largest), variable.path
            if variable.path.endswith("attention/key/bias"):
                assert largest < 1e-5  # adds the same to every code's logit: no softmax sees it
            else:
                assert largest > 1e-8, variable.path


def test_critic_gradients_are_those_of_equation_9_on_the_same_fake(trainer, batch, gradients):
    video, members = to_unit_range(batch["video"]), trainer.critics.members

    @tf.function
    def separately():
        fake = trainer.dvae(video, tf.constant([0, -1]), split_seed(SEED, 0), training=True)[0]
        fake = tf.stop_gradient(fake)
        with tf.GradientTape() as tape:
            loss = 0.0
            for i, critic in enumerate(members):
                real_samples, fake_samples = critic.samples(video), critic.samples(fake)
                real_scores, fake_scores = critic(real_samples)[1], critic(fake_samples)[1]
                loss += tf.reduce_mean(fake_scores) - tf.reduce_mean(real_scores)
                loss += 0.1 * tf.reduce_mean(real_scores**2)
                draw = split_seed(SEED, i + 1)
                samples = real_samples, fake_samples
                loss += 10.0 * losses.gradient_penalty(critic, *samples, draw, summed=True)
        return tape.gradient(loss, trainer.critics.trainable_variables)

    for found, expected in zip(gradients[2], separately(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_generator_gradients_are_those_of_equation_8(trainer, batch, gradients):
    video = to_unit_range(batch["video"])

    @tf.function
    def separately():
        real_features = [features for features, _ in trainer.critics(video)]
        with tf.GradientTape() as tape:
            draw = split_seed(SEED, 0)
            fake, quantized = trainer.dvae(video, tf.constant([0, -1]), draw, training=True)
            loss = 0.01 * BETA * losses.kl_to_uniform(quantized.logits)
            for real, (features, scores) in zip(real_features, trainer.critics(fake), strict=True):
                loss -= 0.1 * tf.reduce_mean(scores)
                loss += tf.add_n(
                    [tf.reduce_mean(abs(a - b)) for a, b in zip(real, features, strict=True)]
                )
        return tape.gradient(loss, trainer.dvae.trainable_variables)

    for found, expected in zip(gradients[1], separately(), strict=True):
        np.testing.assert_allclose(dense(found), dense(expected), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [{}, {"jit_compile": True, "rematerialise_critics": True}],
    ids=["graph", "xla_rematerialised"],
)
def test_what_moves_weighs_more_in_the_reconstruction_loss(trainer, batch, options):
    moving = np.array(batch["video"])
    moving[:, 1, :4] = 255 - moving[:, 1, :4]
    video = to_unit_range(tf.constant(moving))
    weighted = DVAETrainer(trainer.dvae, trainer.critics, **WEIGHTS, motion_share=0.7, **options)
    logs, _, _ = weighted._compiled(video, tf.constant([0, -1]), SEED, BETA, tf.constant(1.0))
    fake, _ = trainer.dvae(video, tf.constant([0, -1]), split_seed(SEED, 0), training=True)
    real, other = ([found for found, _ in trainer.critics(each)] for each in (video, fake))
    weights = losses.motion_weights(video, 0.7)
    expected = losses.reconstruction_loss(real, other, weights=weights)
    assert abs(expected / losses.reconstruction_loss(real, other) - 1) > 0.01
    np.testing.assert_allclose(logs["recon"], expected, rtol=1e-3)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_motion_share_is_a_share(trainer, share):
    with pytest.raises(ValueError, match=f"motion_share must be from 0 to 1. Received: {share}"):
        DVAETrainer(trainer.dvae, trainer.critics, motion_share=share)


def test_half_the_scale_halves_the_gradients_and_not_the_logs(trainer, batch, gradients):
    video = to_unit_range(batch["video"])
    half = trainer._compiled(video, tf.constant([0, -1]), SEED, BETA, tf.constant(0.5))
    for name, value in gradients[0].items():
        np.testing.assert_allclose(half[0][name], value, rtol=1e-5)
    for model in (1, 2):
        for found, full in zip(half[model], gradients[model], strict=True):
            np.testing.assert_allclose(2 * dense(found), dense(full), rtol=1e-3, atol=1e-6)


def test_rematerialised_critics_give_the_same_gradients(trainer, batch, gradients):
    again = DVAETrainer(
        trainer.dvae, trainer.critics, **WEIGHTS, seed=3, rematerialise_critics=True
    )
    found = again._compiled(
        to_unit_range(batch["video"]), tf.constant([0, -1]), SEED, BETA, tf.constant(1.0)
    )
    assert_same(found, gradients)


def test_a_batch_in_parts_gives_the_mean_of_its_parts(trainer, batch):
    parted = DVAETrainer(trainer.dvae, trainer.critics, **WEIGHTS, seed=3, num_accumulated=2)
    video, episode = to_unit_range(batch["video"]), tf.constant([0, -1])
    found = parted._compiled(video, episode, SEED, BETA, tf.constant(1.0))
    parts = [
        trainer._compiled(
            video[i : i + 1], episode[i : i + 1], split_seed(SEED, 1000 + i), BETA, tf.constant(1.0)
        )
        for i in range(2)
    ]
    for name in ("recon", "gan", "kl", "critic/gradient_penalty"):
        mean = (parts[0][0][name] + parts[1][0][name]) / 2
        np.testing.assert_allclose(found[0][name], mean, rtol=1e-5)
    for model in (1, 2):
        for gradient, one, two in zip(found[model], parts[0][model], parts[1][model], strict=True):
            expected = (dense(one) + dense(two)) / 2
            np.testing.assert_allclose(dense(gradient), expected, rtol=1e-3, atol=1e-6)


def in_xla(trainer, batch, xla_parts):
    """A trainer of the same models that compiles by XLA, and what it takes."""
    again = DVAETrainer(
        trainer.dvae,
        trainer.critics,
        **WEIGHTS,
        seed=3,
        jit_compile=True,
        xla_parts=xla_parts,
    )
    video = to_unit_range(batch["video"])
    return again._compiled, (video, tf.constant([0, -1]), SEED, BETA, tf.constant(1.0))


def test_parts_are_xla_programs_of_their_own(trainer, batch):
    function, arguments = in_xla(trainer, batch, xla_parts=True)
    whole = function.get_concrete_function(*arguments)
    programs = [
        whole.graph._get_function(call.get_attr("f").name).cached_definition.attr["_XlaMustCompile"]
        for call in whole.graph.get_operations()
        if "PartitionedCall" in call.type
    ]
    # The generator there and back; a comparison and a penalty a critic.
    assert [each.b for each in programs] == [True] * (2 + 2 * len(CRITICS))
    assert not whole.function_def.attr["_XlaMustCompile"].b


def test_one_program_has_no_functions_within(trainer, batch, monkeypatch):
    """XLA would take the inputs of one that gradients go back through for constants, and compile
    again for every batch."""
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])  # as on GPUs
    function, arguments = in_xla(trainer, batch, xla_parts=False)
    graph = function.get_concrete_function(*arguments).graph
    assert not [each for each in graph.get_operations() if "PartitionedCall" in each.type]


@pytest.mark.soak
def test_parts_give_what_one_program_gives(trainer, batch):
    one, parts = (in_xla(trainer, batch, each) for each in (False, True))
    assert_same(parts[0](*parts[1]), one[0](*one[1]))


def assert_same(found, expected):
    for name, value in expected[0].items():
        np.testing.assert_allclose(found[0][name], value, rtol=1e-5, atol=1e-6)
    for model in (1, 2):
        for gradient, wanted in zip(found[model], expected[model], strict=True):
            np.testing.assert_allclose(dense(gradient), dense(wanted), rtol=1e-3, atol=1e-6)


def test_fit_moves_both_models_and_reconstructs_better(trainer, batch):
    dataset = tf.data.Dataset.from_tensors(batch).repeat()
    before = [model.get_weights() for model in (trainer.dvae, trainer.critics)]
    first = int(trainer.step)
    history = trainer.fit(dataset, epochs=20, steps_per_epoch=4, verbose=0, shuffle=False).history
    assert int(trainer.step) == first + 80
    for model, weights in zip((trainer.dvae, trainer.critics), before, strict=True):
        moved = [np.abs(a - b).max() for a, b in zip(model.get_weights(), weights, strict=True)]
        # All but the key bias, which has no gradient beyond rounding.
        assert np.count_nonzero(np.array(moved) > 1e-6) >= len(moved) - 1
    distance = history["pixel_l1"]
    assert np.median(distance[-5:]) < 0.7 * np.median(distance[:3])
    expected = annealed_beta(first + 79, 20, 0.1)
    np.testing.assert_allclose(history["beta"][-1], expected, rtol=1e-6)
    assert {"recon", "gan", "kl", "critic/wasserstein", "critic/gradient_penalty"} < set(history)


def test_a_restored_checkpoint_repeats_the_steps_bit_by_bit(trainer, batch, tmp_path):
    dataset = tf.data.Dataset.from_tensors(batch).repeat()
    checkpoint = tf.train.Checkpoint(
        dvae=trainer.dvae,
        critics=trainer.critics,
        optimizer=trainer.optimizer,
        critic_optimizer=trainer.critic_optimizer,
        step=trainer.step,
    )
    path = checkpoint.write(str(tmp_path / "checkpoint"))
    runs = []
    for _ in range(2):
        checkpoint.read(path).assert_consumed()
        fitted = trainer.fit(dataset, epochs=3, steps_per_epoch=1, verbose=0, shuffle=False)
        averages = [variable.numpy() for variable in trainer.optimizer.variables]
        runs.append((fitted.history, trainer.get_weights(), averages))
    assert runs[0][0] == runs[1][0]
    for first, second in zip(runs[0][1] + runs[0][2], runs[1][1] + runs[1][2], strict=True):
        np.testing.assert_array_equal(first, second)


def test_episodes_are_dropped_at_the_given_rate():
    episode = tf.constant(np.arange(10_000) % 7, tf.int32)
    np.testing.assert_array_equal(drop_episodes(episode, 0.0, SEED), episode)
    assert (drop_episodes(episode, 1.0, SEED).numpy() == -1).all()
    some = drop_episodes(episode, 0.3, SEED).numpy()
    assert abs((some == -1).mean() - 0.3) < 0.02
    np.testing.assert_array_equal(some[some >= 0], episode.numpy()[some >= 0])


def test_seeds_differ_between_steps_runs_and_draws():
    seeds = [step_seed(0, 0), step_seed(0, 1), step_seed(1, 0)]
    seeds += [split_seed(seeds[0], 0), split_seed(seeds[0], 1)]
    assert len({tuple(seed.numpy()) for seed in seeds}) == 5
    np.testing.assert_array_equal(step_seed(0, 1), step_seed(0, tf.constant(1, tf.int64)))
