"""Critics: samples, feature maps, windows."""

import numpy as np
import pytest
import tensorflow as tf

from configs.critics import narrow_critics
from nwt_tf.evaluation.sizes import matrix_flops
from nwt_tf.losses import gradient_penalty
from nwt_tf.models.critics import Critics, leaky_relu


@pytest.fixture(scope="module")
def critics():
    critics = Critics(narrow_critics(4))
    critics(tf.zeros((1, 4, 32, 32, 3)))
    return critics


@pytest.fixture
def video():
    return tf.random.stateless_uniform((2, 3, 32, 32, 3), (0, 1), -1.0, 1.0)


def test_one_score_a_clip_or_frame_and_every_hidden_feature_map(critics, video):
    results = critics(video)
    assert [scores.shape for _, scores in results] == [(2,), (6,), (6,)]
    assert [len(features) for features, _ in results] == [4, 5, 5]
    shapes = [features[-1].shape for features, _ in results]
    assert shapes == [(2, 3, 2, 2, 32), (6, 4, 4, 32), (6, 2, 2, 32)]
    assert all(scores.dtype == tf.float32 for _, scores in results)


def test_2d_critics_judge_frames_alone(critics, video):
    scores = critics(video)[1][1].numpy().reshape(2, 3)
    alone = [critics(video[:, t : t + 1])[1][1].numpy() for t in range(3)]
    np.testing.assert_allclose(scores, np.stack(alone, axis=1), atol=1e-5)


def test_the_3d_critic_judges_the_order_of_frames(critics, video):
    forward, backward = critics(video)[0][1], critics(video[:, ::-1])[0][1]
    assert np.abs(forward - backward).min() > 1e-6


def test_the_score_is_the_mean_over_patches(critics, video):
    critic = critics.members[2]
    features, scores = critic(critic.samples(video))
    patches = critic.output_layer(features[-1]).numpy()
    np.testing.assert_allclose(scores, patches.reshape(6, -1).mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("member", [0, 1])
def test_the_penalty_of_the_sum_is_of_all_patches_added(critics, video, member):
    critic = critics.members[member]
    samples, seed = critic.samples(video), tf.constant([1, 2])
    seen = []

    def watched(between):
        seen.append(between)
        return critic(between)

    found = gradient_penalty(watched, samples, -samples, seed, summed=True)
    with tf.GradientTape() as tape:
        tape.watch(seen[0])
        added = tf.reduce_sum(critic.output_layer(critic(seen[0])[0][-1]))
    slopes = tape.gradient(added, seen[0]).numpy().reshape(len(samples), -1)
    expected = np.mean((np.linalg.norm(slopes, axis=1) - 1) ** 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_slopes_that_are_constants_save_the_penalty_arithmetic(critics, video):
    """The same penalty and gradients as with TensorFlow's leaky ReLU, for fewer convolutions."""
    critic = critics.members[1]
    samples = critic.samples(video)
    zeros, seed = tf.zeros_like(samples), tf.constant([1, 2])

    def penalize(samples):
        with tf.GradientTape() as tape:
            penalty = gradient_penalty(critic, samples, zeros, seed)
        return penalty, tape.gradient(penalty, [layer.kernel.value for layer in critic.hidden])

    ours, arithmetic = penalize(samples), matrix_flops(penalize, samples)
    for layer in critic.hidden:
        layer.activation = lambda inputs: tf.nn.leaky_relu(inputs, 0.2)
    try:
        theirs, more = penalize(samples), matrix_flops(penalize, samples)
    finally:
        for layer in critic.hidden:
            layer.activation = leaky_relu
    for found, wanted in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-6)
    assert arithmetic < 0.8 * more


@pytest.mark.parametrize("critics", [(), ((),), (8,), (((8, 4, 2, 1),),)])
def test_critics_of_no_layers_are_refused(critics):
    with pytest.raises(ValueError, match="must be .*one or more.*Received: critics"):
        Critics(critics)
