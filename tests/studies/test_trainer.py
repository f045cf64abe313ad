"""The studies' autoencoder and its trainings: what learns, what stays, what is measured."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from configs.mnist import get_config
from nwt_tf.layers.pixels import to_unit_range
from nwt_tf.studies.autoencoder import Autoencoder, DigitCritic
from nwt_tf.studies.quantizers import Memcodes
from nwt_tf.studies.runs import Curve, train
from nwt_tf.studies.trainer import ClassifierTrainer, StudyTrainer, accuracy
from tests.studies.idx_files import bars

CONFIG = get_config("tiny").retrieval.dvae_class
IMAGES, LABELS = bars(64)
IMAGES, LABELS = IMAGES[..., None], LABELS.astype(np.int32)


def autoencoder(**arguments):
    keras.utils.set_random_seed(0)
    arguments = {"stages": (4, 8), "hidden": 16, "depth": 1, **arguments}
    model = Autoencoder(Memcodes(2, 4, 8), **arguments)
    model.build()
    return model


def critic():
    keras.utils.set_random_seed(1)
    made = DigitCritic(CONFIG.critic)
    made.build((None, 28, 28, 1))
    return made


def settings(steps):
    return dataclasses.replace(CONFIG.train, steps=steps, batch_size=16, learning_rate=5e-3)


def arrays(model):
    return [variable.numpy() for variable in model.trainable_variables]


@pytest.mark.parametrize("stages", [(4, 8), ()])
def test_codes_and_pictures_of_one_memcode(stages):
    model = autoencoder(stages=stages)
    codes = model.encode(IMAGES, batch=10)
    assert (codes.shape, codes.dtype) == ((64, 1, 1, 2), np.int32)
    pictures = model.decode(codes, batch=10)
    assert (pictures.shape, pictures.dtype) == ((64, 28, 28, 1), np.uint8)
    expected = model(to_unit_range(IMAGES))[0]
    expected = np.clip((expected.numpy() + 1) * 127.5, 0, 255)
    assert np.abs(pictures - expected).max() <= 0.51


def test_a_grid_of_memcodes_and_odd_sides():
    model = autoencoder(height=12, width=8, channels=3, single=False)
    frames = np.random.default_rng(0).integers(0, 256, (5, 12, 8, 3)).astype(np.uint8)
    codes = model.encode(frames)
    assert codes.shape == (5, 3, 2, 2)
    assert model.decode(codes).shape == frames.shape
    with pytest.raises(ValueError, match="multiples of 4.*30x28"):
        autoencoder(height=30)
    with pytest.raises(ValueError, match="needs stages"):
        autoencoder(stages=(), single=False)
    with pytest.raises(ValueError, match="dense decoder"):
        autoencoder(dense_decoder=True, single=False)


def test_a_dense_decoder_after_convolutions():
    model, dense = autoencoder(dense_decoder=True), autoencoder(stages=())
    assert len(model.downs) == 2 and not model.ups
    values = tf.random.stateless_normal((3, 1, 1, 8), (0, 1))
    for layer, other in zip(model.after, dense.after, strict=True):
        other.set_weights(layer.get_weights())
    dense.from_values.set_weights(model.from_values.get_weights())
    np.testing.assert_array_equal(model.render(values), dense.render(values))


@pytest.mark.parametrize("normalize", [False, True])
def test_the_elbo_is_learnt_and_its_curve_falls(normalize):
    model = autoencoder(normalize=normalize)
    trainer = StudyTrainer(model, quantizer=(1e-3, 1e-3))
    curve = Curve(IMAGES, IMAGES)
    train(trainer, IMAGES, LABELS, settings(60), callbacks=[curve])
    before = np.abs(autoencoder().decode(autoencoder().encode(IMAGES)) - np.float32(IMAGES)).mean()
    after = np.abs(model.decode(model.encode(IMAGES)) - np.float32(IMAGES)).mean()
    assert after < 0.5 * before
    assert curve.steps == [60] and curve.step_ms > 0
    np.testing.assert_allclose(curve.l1[0], after / 127.5, atol=0.01)


@pytest.mark.parametrize("penultimate", [False, True])
def test_both_networks_learn_unless_the_critic_is_kept(penultimate):
    for train_critic in (True, False):
        model, judge = autoencoder(), critic()
        before = arrays(model), arrays(judge)
        trainer = StudyTrainer(
            model,
            judge,
            classification=1.0,
            penultimate=penultimate,
            train_critic=train_critic,
        )
        train(trainer, IMAGES, LABELS, settings(2), critic_rate=1e-3)
        assert any((a != b).any() for a, b in zip(before[0], arrays(model), strict=True))
        moved = [(a != b).any() for a, b in zip(before[1], arrays(judge), strict=True)]
        assert all(moved) if train_critic else not any(moved)


def test_a_head_start_is_on_the_pixels():
    """Until then the autoencoder learns as without a critic, which learns from the first step."""
    found = []
    for judge, head_start in ((None, 0), (critic(), 4), (critic(), 2)):
        model = autoencoder()
        start = arrays(judge) if judge else []
        trainer = StudyTrainer(model, judge, head_start=head_start, classification=1.0)
        train(trainer, IMAGES, LABELS, settings(4), critic_rate=1e-3 if judge else None)
        end = arrays(judge) if judge else []
        assert all((a != b).any() for a, b in zip(start, end, strict=True))
        found.append(np.concatenate([array.ravel() for array in arrays(model)]))
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    assert np.abs(found[0] - found[2]).max() > 1e-3


def test_the_penultimate_loss_is_of_the_last_features_alone():
    real, fake = ([tf.fill((2, 3), a), tf.fill((2, 3), b)] for a, b in ((1.0, 4.0), (2.0, 5.0)))
    for penultimate, expected in ((True, 1.0 / 4.0), (False, 1.0 + 1.0 / 4.0)):
        trainer = StudyTrainer(autoencoder(), penultimate=penultimate)
        np.testing.assert_allclose(trainer._recon(real, fake), expected, rtol=1e-4)


def test_the_weights_move_from_first_to_last():
    trainer = StudyTrainer(
        autoencoder(), quantizer=(2.0, 0.5), midpoint=100, rate=0.1, temperatures=(1.0, 0.1, 200)
    )
    found = []
    for step in (0, 100, 200, 400):
        trainer.step.assign(step)
        found.append((float(trainer.quantizer_weight()), float(trainer.temperature())))
    weights, temperatures = zip(*found, strict=True)
    np.testing.assert_allclose(weights, [2.0, 1.25, 0.5, 0.5], atol=1e-3)
    np.testing.assert_allclose(temperatures, [1.0, 0.1**0.5, 0.1, 0.1], rtol=1e-5)


def test_the_weight_cools_in_a_straight_line():
    trainer = StudyTrainer(autoencoder(), quantizer=(0.5, 0.5), cooling=(0.1, 100, 200))
    found = []
    for step in (0, 100, 150, 200, 900):
        trainer.step.assign(step)
        found.append(float(trainer.quantizer_weight()))
    np.testing.assert_allclose(found, [0.5, 0.5, 0.3, 0.1, 0.1], rtol=1e-5)


def test_a_classifier_learns_the_digits_and_leaves_the_score_alone():
    judge = critic()
    score = judge.output_layer.kernel.numpy()
    train(ClassifierTrainer(judge), IMAGES, LABELS, settings(60))
    assert accuracy(judge.digits(IMAGES), LABELS) > 0.9
    np.testing.assert_array_equal(judge.output_layer.kernel, score)


def test_the_last_activation_is_of_the_last_features_alone():
    critics = [DigitCritic(CONFIG.critic, last_activation=name) for name in ("leaky_relu", "tanh")]
    found = []
    for judge in critics:
        judge.build((None, 28, 28, 1))
        judge.set_weights(critics[0].get_weights())
        found.append(judge(to_unit_range(IMAGES))[0])
    np.testing.assert_array_equal(found[0][0], found[1][0])
    slopes = np.where(found[0][1] > 0, 1.0, 0.2)
    np.testing.assert_allclose(found[1][1], np.tanh(found[0][1] / slopes), atol=1e-6)
    copy = DigitCritic.from_config(critics[1].get_config())
    assert copy.hidden[-1].activation is critics[1].hidden[-1].activation


def test_an_untrained_decoder_starts_from_the_median_pixel():
    model = autoencoder(height=12, width=8, channels=3, single=False)
    frames = np.zeros((4, 12, 8, 3), np.uint8) + np.uint8([10, 128, 250])
    model.start_from(frames)
    assert np.abs(drawn_alone(model, model.ups[-1], frames) - frames).max() <= 8
    dense = autoencoder(stages=())
    dense.start_from(IMAGES)
    median = np.median(IMAGES, axis=0)
    assert np.abs(drawn_alone(dense, dense.from_values, IMAGES) - median).max() <= 14


def drawn_alone(model, last, pictures):
    """What the last layer's bias draws; not quite to the ends, where a tanh is flat."""
    last.kernel.assign(tf.zeros_like(last.kernel))
    return model.decode(model.encode(pictures)).astype(int)


def test_normalised_queries_are_those_of_the_settled_pictures():
    model = Autoencoder(Memcodes(2, 4, 8), stages=(4,), hidden=16, depth=0, normalize=True)
    model.build()
    pictures = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), np.uint8)
    batch = to_unit_range(pictures)
    in_training = model.queries(batch, training=True).numpy()
    np.testing.assert_allclose(in_training.mean((0, 1, 2)), 0.0, atol=1e-4)
    assert np.abs(model.queries(batch).numpy() - in_training).max() > 0.1  # not measured yet
    model.settle(pictures)
    np.testing.assert_allclose(model.queries(batch[:3]), in_training[:3], atol=1e-3)


@pytest.mark.parametrize(
    ("trainer", "network"), [(StudyTrainer, autoencoder), (ClassifierTrainer, critic)]
)
def test_batches_in_parts_are_refused(trainer, network):
    with pytest.raises(ValueError, match="num_accumulated must be 1. Received: 2"):
        trainer(network(), num_accumulated=2)


def test_the_gradient_norm_is_found_once(monkeypatch):
    norms, global_norm = [], tf.linalg.global_norm

    def counted(gradients):
        norms.append(global_norm(gradients))
        return norms[-1]

    monkeypatch.setattr(tf.linalg, "global_norm", counted)
    for judge, updates in ((None, 1), (critic(), 2)):
        trainer = StudyTrainer(autoencoder(), judge, classification=1.0)
        trainer.compile(keras.optimizers.Adam(), keras.optimizers.Adam() if judge else None)
        logs = trainer.train_step({"pictures": IMAGES[:4], "labels": LABELS[:4]})
        assert len(norms) == updates and float(logs["gradient_norm"]) == float(norms[0]) > 0
        assert set(logs) == set(StudyTrainer.LOGS)
        norms.clear()
