"""Equations 4 to 9 against slow NumPy versions, and the gradients that training needs of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nwt_tf import losses
from nwt_tf.models.critics import Critic

SEED = tf.constant([1, 2])


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def slow_softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def test_kl_to_uniform_sums_over_heads_and_averages_over_memcodes():
    logits = normal(2, 3, 4, 2, 6, 5) * 2
    total = 0.0
    for place in np.ndindex(2, 3, 4, 2):
        for head in range(6):
            q = slow_softmax(logits[place][head].astype(np.float64))
            total += sum(p * np.log(p / (1 / 5)) for p in q)
    np.testing.assert_allclose(losses.kl_to_uniform(logits), total / (2 * 3 * 4 * 2), rtol=1e-5)


def test_kl_to_uniform_lies_between_0_and_heads_times_log_codes():
    np.testing.assert_allclose(losses.kl_to_uniform(tf.zeros((4, 8, 8))), 0.0, atol=1e-6)
    certain = tf.one_hot(tf.zeros((4, 8), tf.int32), 8) * 1e4
    np.testing.assert_allclose(losses.kl_to_uniform(certain), 8 * np.log(8), rtol=1e-6)


def test_gan_and_wasserstein_losses_sum_means_over_critics():
    real, fake = [normal(3), normal(12, seed=1)], [normal(3, seed=2), normal(12, seed=3)]
    expected_gan = -(fake[0].sum() / 3 + fake[1].sum() / 12)
    expected = sum(f.sum() / len(f) - r.sum() / len(r) for r, f in zip(real, fake, strict=True))
    np.testing.assert_allclose(losses.gan_loss([tf.constant(f) for f in fake]), expected_gan, 1e-6)
    np.testing.assert_allclose(losses.wasserstein_loss(real, fake), expected, rtol=1e-5)


def feature_maps(seed):
    """Two critics' maps: two layers of the first, one of the second."""
    first, second = normal(2, 4, 4, 3, seed=seed), normal(2, 2, 2, 5, seed=seed + 1)
    return [
        [tf.constant(first), tf.constant(second)],
        [tf.constant(normal(6, 3, seed=seed + 2))],
    ]


@pytest.mark.parametrize("normalize", [False, True])
def test_reconstruction_is_l1_in_every_layer_of_every_critic(normalize):
    real, fake, expected = feature_maps(0), feature_maps(10), 0.0
    for critic in range(2):
        for layer in range(len(real[critic])):
            truth, other = np.float64(real[critic][layer]), np.float64(fake[critic][layer])
            distance = sum(abs(truth - other).ravel()) / truth.size
            expected += distance / (sum(abs(truth).ravel()) / truth.size if normalize else 1)
    found = losses.reconstruction_loss(real, fake, normalize)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("normalize", [False, True])
def test_reconstruction_moves_the_fake_features_only(normalize):
    real, fake = feature_maps(0), feature_maps(10)
    with tf.GradientTape() as tape:
        tape.watch((real, fake))
        loss = losses.reconstruction_loss(real, fake, normalize)
    to_real, to_fake = tape.gradient(loss, (real, fake))
    assert all(slope is None for layers in to_real for slope in layers)
    assert all(np.abs(slope).min() > 0 for layers in to_fake for slope in layers)


def test_motion_weights_of_a_clip_follow_its_spread_over_time():
    video = normal(2, 5, 6, 4, 3)
    weights = losses.motion_weights(tf.constant(video), 0.6).numpy()
    for clip, found in zip(video, weights, strict=True):
        spread = np.float64(clip).std(axis=0).mean(axis=-1)
        np.testing.assert_allclose(found, 0.4 + 0.6 * spread / spread.mean(), rtol=1e-3)


def test_motion_weights_of_a_still_clip_are_one():
    still = tf.repeat(tf.constant(normal(2, 1, 6, 4, 3)), 3, axis=1)
    np.testing.assert_allclose(losses.motion_weights(still, 1.0), 1.0, rtol=1e-2)


@pytest.mark.parametrize("shape", [(2, 3, 2, 1, 5), (6, 3, 2, 5)], ids=["clips", "frames"])
def test_reconstruction_weighs_features_by_the_pixels_that_they_stand_for(shape):
    real, fake, expected = normal(*shape), normal(*shape, seed=1), 0.0
    weights = np.random.default_rng(2).uniform(size=(2, shape[-3] * 2, shape[-2] * 3))
    for place in np.ndindex(*shape[:-1]):
        clip = place[0] if len(shape) == 5 else place[0] // 3
        row, column = place[-2:]
        area = weights[clip, 2 * row : 2 * row + 2, 3 * column : 3 * column + 3]
        expected += area.mean() * abs(real[place] - fake[place]).sum() / real.size
    found = losses.reconstruction_loss([[real]], [[fake]], weights=np.float32(weights))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_areas_that_do_not_divide_share_the_pixels_between_them():
    real, fake = normal(1, 1, 2, 1, 1), normal(1, 1, 2, 1, 1, seed=1)
    weights = tf.constant([[[3.0], [6.0], [0.0]]])  # of 1.5 pixels each: 4 and 2
    error = abs(real - fake).ravel()
    found = losses.reconstruction_loss([[real]], [[fake]], weights=weights)
    np.testing.assert_allclose(found, (4 * error[0] + 2 * error[1]) / 2, rtol=1e-5)


def test_reconstruction_refuses_unequal_numbers_of_layers():
    with pytest.raises(ValueError, match="zip"):
        losses.reconstruction_loss(feature_maps(0), feature_maps(10)[:1])


def test_score_drift_sums_mean_squares():
    scores = [normal(3), normal(5, seed=1)]
    expected = (scores[0] ** 2).sum() / 3 + (scores[1] ** 2).sum() / 5
    np.testing.assert_allclose(losses.score_drift(scores), expected, rtol=1e-6)


def test_code_cross_entropy_in_nats_a_code():
    logits = normal(2, 3, 2, 2, 4, 5)
    codes = np.random.default_rng(1).integers(0, 5, logits.shape[:-1])
    total = 0.0
    for place in np.ndindex(*codes.shape):
        total -= np.log(slow_softmax(logits[place].astype(np.float64))[codes[place]])
    found = losses.code_cross_entropy(tf.constant(logits), tf.constant(codes))
    np.testing.assert_allclose(found, total / codes.size, rtol=1e-5)


def test_style_kl_against_its_closed_form_and_a_monte_carlo_estimate():
    mean, std = normal(3, 4), np.exp(normal(3, 4, seed=1) * 0.5)
    found = float(losses.style_kl(mean, std))
    closed = 0.5 * (std**2 + mean**2 - 1 - np.log(std**2)).sum(axis=1).mean()
    np.testing.assert_allclose(found, closed, rtol=1e-5)
    noise = np.random.default_rng(2).normal(size=(20_000, 3, 4))
    drawn = mean + std * noise
    log_ratio = -0.5 * noise**2 - np.log(std) + 0.5 * drawn**2  # log q - log p
    estimates = log_ratio.sum(axis=2).mean(axis=1)
    assert abs(found - estimates.mean()) < 5 * estimates.std() / np.sqrt(len(estimates))


def test_style_kl_of_the_prior_itself_is_zero():
    np.testing.assert_allclose(losses.style_kl(tf.zeros((2, 5)), tf.ones((2, 5))), 0.0, atol=1e-7)


# The gradient penalty.


def test_penalty_of_a_linear_critic():
    weights = normal(4, 3, 2)

    def critic(samples):
        return [], tf.reduce_sum(samples * weights, axis=(1, 2, 3))

    slope = np.sqrt((weights.astype(np.float64) ** 2).sum())
    found = losses.gradient_penalty(critic, normal(5, 4, 3, 2), normal(5, 4, 3, 2, seed=1), SEED)
    np.testing.assert_allclose(found, (slope - 1) ** 2, rtol=1e-5)


def test_penalty_takes_one_u_and_one_norm_a_sample():
    """The slope of |x|^2 / 2 is x itself, so that the penalty shows where it was taken."""
    real, fake = normal(6, 2, 3, 2), normal(6, 2, 3, 2, seed=1)
    seen = []

    def critic(samples):
        seen.append(samples.numpy())
        return [], 0.5 * tf.reduce_sum(tf.square(samples), axis=(1, 2, 3))

    found = losses.gradient_penalty(critic, real, fake, SEED)
    u = (seen[0] - fake) / (real - fake)  # x^ = u x + (1 - u) x~
    per_sample = np.median(u.reshape(6, -1), axis=1)
    assert np.abs(u - per_sample[:, None, None, None]).max() < 1e-3
    assert (per_sample > 0).all() and (per_sample < 1).all() and np.ptp(per_sample) > 0.2
    norms = np.array([np.sqrt(sum(x.ravel() ** 2)) for x in seen[0].astype(np.float64)])
    np.testing.assert_allclose(found, ((norms - 1) ** 2).mean(), rtol=1e-5)


def test_penalty_against_finite_differences_of_a_curved_critic():
    hidden, out = normal(6, 4) * 0.7, normal(4, seed=1)
    real, fake = normal(3, 6, seed=2), normal(3, 6, seed=3)
    seen = []

    def critic(samples):
        seen.append(np.float64(samples))
        return [], tf.linalg.matvec(tf.tanh(samples @ hidden), out)

    found = losses.gradient_penalty(critic, real, fake, SEED)

    def score(sample):
        return np.tanh(sample @ hidden) @ out

    total = 0.0
    for sample in seen[0]:
        slopes = [(score(sample + step) - score(sample - step)) / 2e-5 for step in 1e-5 * np.eye(6)]
        total += (np.sqrt(np.sum(np.square(slopes))) - 1) ** 2
    np.testing.assert_allclose(found, total / 3, rtol=1e-4)


def test_penalty_of_the_sum_has_the_slopes_of_all_patches():
    """A linear critic of 3 x 2 patches: its sum is six times as steep as its mean."""
    weights = normal(4, 3, 2) / 10
    slope = np.sqrt((weights.astype(np.float64) ** 2).sum())

    def critic(samples):
        features = tf.zeros((tf.shape(samples)[0], 3, 2, 7))
        return [features], tf.reduce_sum(samples * weights, axis=(1, 2, 3))

    videos = normal(5, 4, 3, 2), normal(5, 4, 3, 2, seed=1)
    for summed, steepness in ((False, slope), (True, 6 * slope)):
        found = losses.gradient_penalty(critic, *videos, SEED, summed)
        np.testing.assert_allclose(found, (steepness - 1) ** 2, rtol=1e-5)


def test_penalty_of_a_flat_critic_is_1_with_finite_gradients():
    weights = tf.Variable(tf.zeros((4, 3)))

    def critic(samples):
        return [], tf.reduce_sum(samples * weights, axis=(1, 2))

    with tf.GradientTape() as tape:
        penalty = losses.gradient_penalty(critic, normal(2, 4, 3), normal(2, 4, 3, seed=1), SEED)
    np.testing.assert_allclose(penalty, 1.0, rtol=1e-5)
    assert np.isfinite(tape.gradient(penalty, weights)).all()


CRITICS = {
    "2d": [(4, (3, 3), (1, 1), 1), (6, (2, 2), (1, 1), 1)],
    "2d strided and grouped": [(4, (4, 4), (2, 2), 1), (8, (4, 4), (2, 2), 4)],
    "3d": [(4, (1, 2, 2), (1, 1, 1), 1), (6, (2, 2, 2), (1, 1, 1), 1)],
    "3d strided": [(4, (2, 4, 4), (1, 4, 4), 1), (6, (2, 2, 2), (1, 1, 1), 1)],
}


@pytest.mark.parametrize("layers", CRITICS.values(), ids=CRITICS)
def test_second_order_gradient_reaches_every_kernel(layers):
    kernels, penalty_and_gradients = penalty_of(Critic(layers))
    gradients = penalty_and_gradients()[1]
    assert len(kernels) == len(layers) + 1
    assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in gradients)


@pytest.mark.parametrize("layers", CRITICS.values(), ids=CRITICS)
def test_second_order_gradient_equals_a_central_difference(layers):
    """Along a random direction; with tanh, since leaky ReLU's slopes jump between the two sides."""
    critic = Critic(layers)
    for layer in critic.hidden:
        layer.activation = keras.activations.tanh
    kernels, penalty_and_gradients = penalty_of(critic)
    gradients = penalty_and_gradients()[1]
    start = [kernel.numpy() for kernel in kernels]
    directions = [normal(*kernel.shape, seed=i) for i, kernel in enumerate(kernels)]
    sides = []
    for step in (3e-3, -3e-3):
        for kernel, at, direction in zip(kernels, start, directions, strict=True):
            kernel.assign(at + step * direction)
        sides.append(float(penalty_and_gradients()[0]))
    slope = sum(np.sum(g * d) for g, d in zip(gradients, directions, strict=True))
    np.testing.assert_allclose(slope, (sides[0] - sides[1]) / 6e-3, rtol=0.02, atol=2e-3)


def penalty_of(critic):
    """The critic's kernels, and a function that gives the penalty and its gradients to them."""
    shape = (2, 2, 8, 8, 3) if critic.rank == 3 else (3, 8, 8, 3)
    real, fake = tf.constant(normal(*shape)), tf.constant(normal(*shape, seed=1))
    keras.utils.set_random_seed(0)
    critic(real)
    kernels = [variable for variable in critic.trainable_variables if "kernel" in variable.path]

    @tf.function
    def penalty_and_gradients():
        with tf.GradientTape() as tape:
            penalty = losses.gradient_penalty(critic, real, fake, SEED)
        return penalty, tape.gradient(penalty, [kernel.value for kernel in kernels])

    return kernels, penalty_and_gradients
