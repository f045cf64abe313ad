"""Appendix A on MNIST: permutations (Figure 2), heads (Figure 3a), retrieval (Figure 4).

Each study trains dVAEs whose latent is a single Memcode, one a seed, and gives figures and
pictures.
`config` is everywhere a configs.mnist.MnistConfig; where a study of it is wanted, a
configs.mnist.Study.
"""

import dataclasses
import itertools

import numpy as np
import tensorflow as tf

from nwt_tf.models.critics import Critic
from nwt_tf.studies import pictures
from nwt_tf.studies.autoencoder import Autoencoder, DigitCritic
from nwt_tf.studies.quantizers import Memcodes
from nwt_tf.studies.retrieval import nearest, occupancy, zero_shot_accuracy
from nwt_tf.studies.runs import each_seed, fingerprint, mean_and_spread, train
from nwt_tf.studies.trainer import ClassifierTrainer, StudyTrainer, accuracy

OBJECTIVES = ("elbo", "critic", "class", "classifier")
HEADS_OF_FIGURE_3 = (4, 8)  # four heads are the paper's; it does not say how many codes
SETTLING = 5000  # pictures that statistics are measured on


def permutations(digits, config, folder, seeds):
    """Two heads of 46 codes: all 46^2 pictures, and which cells the training images take.

    Args:
        digits: mnist.Digits.
        folder: pathlib folder for pictures and runs.
        seeds: ints; the pictures are of the first.

    Returns:
        {"occupancy", ...: {"mean", "spread", "runs"}}, `occupancy` the share of cells that the
        arg max codes of the training images take.
    """

    def run(seed):
        dvae = _dvae(config, 2, 46)
        _train(dvae, digits, config, seed, "elbo")
        codes = _codes(dvae, digits.train_images)
        counts = occupancy(codes, digits.train_labels, 46)
        pictures.write(
            folder / f"figure_2a_seed{seed}.png",
            pictures.mosaic(_all_pictures(dvae, 46), gap=0),
        )
        pictures.draw_occupancy(folder / f"figure_2b_seed{seed}.png", counts)
        used = counts.sum(axis=-1)
        return {
            "occupancy": float(np.mean(used > 0)),
            # Of the images' majority: how far a cell names the digit.
            "cell_purity": float(counts.max(axis=-1).sum() / counts.sum()),
            **_picture_figures(dvae, digits),
        }

    runs = each_seed(folder, "permutations", _plain(config, fingerprint(*digits)), seeds, run)
    return mean_and_spread(runs)


def heads(digits, config, folder, seeds):
    """Four heads: the pictures when one head is given each of its codes (Figure 3a).

    Args and returns: see permutations. 1,000 test images have one head changed to another code;
    `same_digit` is the share in which a classifier sees the digit that it sees in the unchanged
    reconstruction, the mean over heads, `same_digit_best_head` that of the head that changes the
    digit least and `same_digit_worst_head` most.
    """

    def run(seed):
        judge = _classifier(digits, config, seed)
        num_heads, num_codes = HEADS_OF_FIGURE_3
        dvae = _dvae(config, num_heads, num_codes)
        _train(dvae, digits, config, seed, "elbo")
        shown = _codes(dvae, _one_of_each(digits))
        rows = [
            np.stack(
                [_decoded(dvae, _with_head(shown, head, code)) for code in range(num_codes)], 1
            )
            for head in range(num_heads)
        ]  # a head: [10, num_codes, 28, 28, 1]
        pictures.draw_heads(
            folder / f"figure_3a_seed{seed}.png", _one_of_each(digits), _decoded(dvae, shown), rows
        )
        codes = _codes(dvae, digits.test_images[:1000])
        before = judge.digits(_decoded(dvae, codes))
        rng = np.random.default_rng(seed)
        same = []
        for head in range(num_heads):
            other = (codes[:, head] + rng.integers(1, num_codes, len(codes))) % num_codes
            changed = _decoded(dvae, _with_head(codes, head, other))
            same.append(accuracy(judge.digits(changed), before))
        return {
            "same_digit": float(np.mean(same)),
            "same_digit_best_head": max(same),
            "same_digit_worst_head": min(same),
            "same_digit_of_heads": same,
            **_picture_figures(dvae, digits),
        }

    runs = each_seed(folder, "heads", _plain(config, fingerprint(*digits)), seeds, run)
    return mean_and_spread(runs)


def retrieval(digits, config, folder, seeds, objectives=OBJECTIVES):
    """Eleven heads of two codes: Hamming neighbours and their digits (Figure 4), per objective.

    `elbo` is equation 4, `critic` equation 8, `class` dVAE-Class, and `classifier` its variant with
    a pre-trained classifier in the critic's place; each has settings of its own in
    `config.retrieval`.

    Returns:
        {objective: {"random_ties", "majority_vote", "cells", ...: {"mean", "spread", "runs"}}}:
        accuracies on the test images, neighbours from the training images; `critic_accuracy` is the
        classifying critic's own.
    """
    found, data = {}, fingerprint(*digits)
    for objective in objectives:
        study = getattr(config.retrieval, "dvae_class" if objective == "class" else objective)

        def run(seed, objective=objective, study=study):
            dvae = _dvae(study, 11, 2)
            critic = _train(dvae, digits, study, seed, objective)
            train_codes = _codes(dvae, digits.train_images)
            codes = _codes(dvae, digits.test_images)
            figures = zero_shot_accuracy(
                train_codes, digits.train_labels, codes, digits.test_labels
            )
            queries = _one_of_each(digits, of_test=True)
            neighbours, distances = nearest(_codes(dvae, queries), train_codes, 10, seed)
            pictures.draw_neighbours(
                folder / f"figure_4_{objective}_seed{seed}.png",
                queries,
                digits.train_images[neighbours],
                distances,
            )
            if objective in ("class", "classifier"):
                seen = critic.digits(digits.test_images)
                figures["critic_accuracy"] = accuracy(seen, digits.test_labels)
            figures["cells"] = len(np.unique(train_codes, axis=0))
            return {**figures, **_picture_figures(dvae, digits)}

        runs = each_seed(folder, f"retrieval_{objective}", _plain(study, data), seeds, run)
        found[objective] = mean_and_spread(runs)
    return found


def _dvae(config, num_heads, num_codes):
    quantizer = Memcodes(num_heads, num_codes, num_heads * config.model.head_dim)
    dvae = Autoencoder(
        quantizer,
        stages=config.model.stages,
        hidden=config.model.hidden,
        depth=config.model.depth,
        dense_decoder=config.model.dense_decoder,
        normalize=config.model.normalize,
    )
    dvae.build()
    return dvae


def _train(dvae, digits, config, seed, objective):
    """Trains the dVAE with an objective, and gives its critic, None for the ELBO."""
    loss = config.loss
    critic, arguments = None, {}
    if objective == "critic":
        critic = Critic(config.critic)
        critic(tf.zeros((1, *dvae.picture_shape)))
    elif objective == "class":
        critic = _critic(config)
        arguments = {"classification": loss.classification}
    elif objective == "classifier":
        critic, arguments = _classifier(digits, config, seed), {"train_critic": False}
    if objective in ("class", "classifier"):
        arguments["penultimate"] = True
    dvae.start_from(digits.train_images[:1000])
    trainer = StudyTrainer(
        dvae,
        critic,
        gan=loss.gan,
        quantizer=loss.kl,
        normalize_features=loss.normalize_features,
        score_drift=loss.score_drift,
        head_start=loss.head_start,
        midpoint=loss.kl_midpoint,
        rate=loss.kl_rate,
        cooling=loss.kl_cooling,
        seed=seed,
        **arguments,
    )
    train(trainer, digits.train_images, digits.train_labels, config.train, config.train.critic_rate)
    _check_finite(trainer, "the autoencoder", "learning_rate")
    dvae.settle(digits.train_images[:SETTLING])
    return critic


def _critic(config):
    critic = DigitCritic(config.critic, last_activation=config.critic_activation)
    critic.build((None, 28, 28, 1))
    return critic


def _classifier(digits, config, seed):
    """A critic trained to classify alone."""
    critic = _critic(config)
    settings = dataclasses.replace(
        config.train,
        steps=config.train.classifier_steps,
        batch_size=config.train.classifier_batch,
        learning_rate=config.train.classifier_rate,
    )
    trainer = ClassifierTrainer(critic, seed=seed)
    train(trainer, digits.train_images, digits.train_labels, settings)
    _check_finite(trainer, "the classifier", "classifier_rate")
    return critic


def _check_finite(trainer, network, rate):
    """Refuses a training whose figures would be those of weights that are no numbers.

    Raises:
        ValueError: a loss or a gradient was not finite.
    """
    step = trainer.diverged_step.numpy()
    if step >= 0:
        raise ValueError(
            f"The training of {network} diverged: lower its train.{rate} (--config). "
            f"Received: seed {trainer.seed}, not finite from step {step} on."
        )


def _codes(dvae, images):
    """int32 [N, heads]: the single Memcode of each image, by arg max."""
    return dvae.encode(images)[:, 0, 0]


def _decoded(dvae, codes):
    return dvae.decode(codes[:, None, None])


def _all_pictures(dvae, num_codes):
    """uint8 [num_codes, num_codes, 28, 28, 1], head 2 along the rows, head 1 along the columns."""
    codes = np.array([(one, two) for two, one in itertools.product(range(num_codes), repeat=2)])
    return _decoded(dvae, codes).reshape(num_codes, num_codes, *dvae.picture_shape)


def _with_head(codes, head, code):
    changed = codes.copy()
    changed[:, head] = code
    return changed


def _one_of_each(digits, of_test=False):
    """The first image of each digit."""
    images, labels = digits[2:] if of_test else digits[:2]
    return np.stack([images[np.argmax(labels == digit)] for digit in range(10)])


def _picture_figures(dvae, digits):
    pixels = dvae.decode(dvae.encode(digits.test_images)).astype(np.float32)
    return {"pixel_l1": float(np.abs(pixels - digits.test_images).mean() / 127.5)}


def _plain(config, data):
    """What makes two runs the same: the settings, and the data by their fingerprint."""
    settings = dataclasses.asdict(config) | {"data": data}
    parts = ("model", "critic", "critic_activation", "loss", "train", "data")
    return {name: settings[name] for name in parts}
