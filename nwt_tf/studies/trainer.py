"""Training of the studies' autoencoders: equation 4, equation 8, or dVAE-Class."""

import numpy as np
import tensorflow as tf

from nwt_tf import losses
from nwt_tf.layers.pixels import to_unit_range
from nwt_tf.training.distribution import split_seed, untuned
from nwt_tf.training.schedules import annealed_beta
from nwt_tf.training.trainer import Trainer

PENALTY = 10.0  # lambda of equation 9


def batches(pictures, labels, batch_size, seed):
    """Endless shuffled batches out of memory: {"pictures": uint8 [B, ...], "labels": int32 [B]}."""
    pictures, labels = tf.constant(pictures), tf.constant(labels)
    order = tf.data.Dataset.range(len(pictures)).shuffle(len(pictures), seed=seed).repeat()
    found = order.batch(batch_size, drop_remainder=True).map(
        lambda rows: {"pictures": tf.gather(pictures, rows), "labels": tf.gather(labels, rows)}
    )
    return found.with_options(untuned())


class OneDeviceTrainer(Trainer):
    """A trainer whose losses are of whole batches, on one device.

    Args:
        Others: see Trainer.

    Raises:
        ValueError: a batch in several parts, or several devices: its gradients would be other ones.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        if self.num_accumulated != 1:
            raise ValueError(
                "A study computes its batches in one part: num_accumulated must be 1. "
                f"Received: {self.num_accumulated}"
            )
        devices = self.distribute_strategy.num_replicas_in_sync
        if devices != 1:
            raise ValueError(f"A study trains on one device. Received: a strategy of {devices}")


class StudyTrainer(OneDeviceTrainer):
    """One update of the autoencoder, and one of the critic where there is one, a step.

    Without a critic the reconstruction loss is the Laplace likelihood of the pixels (equation 4),
    with one it is equation 7's. The keyword arguments that weight a loss have the loss's name.

    Args:
        autoencoder: an Autoencoder.
        critic: a Critic, a DigitCritic, or None.
        gan: weight.
        quantizer: (first, last) weight of the quantiser's own loss, for Memcodes the KL of
            equations 4 and 8. It moves from one to the other like the annealed beta. (0, w) is the
            paper's annealing; a strong start keeps codes from settling on one value for all
            pictures while the decoder still learns their mean.
        classification: weight of the digits' cross entropy in the critic's loss (dVAE-Class).
        penultimate: reconstruction loss on the critic's last feature map alone (dVAE-Class).
        train_critic: False keeps a critic as it came: a pre-trained classifier.
        normalize_features, score_drift: see DVAETrainer.
        head_start: steps in which the autoencoder learns the pixels (equation 4) while the critic
            learns already. In the features of a critic that knows nothing yet, a blank picture is
            the best, and its tanh has no gradient left.
        midpoint, rate: of that logistic annealing: a step, and the growth a step.
        cooling: (weight, step, step): from the one step to the other the quantiser's weight moves
            on to this one, in a straight line; () for never. Noise makes codes that correct each
            other's errors, and what is measured are codes without noise. Not in the paper.
        temperatures: (first, last, steps) of the exponential annealing of GumbelSoftmax.
        Others: see OneDeviceTrainer.
    """

    LOGS = ("recon", "quantizer", "pixel_l1", "gradient_norm", "critic/loss")
    NORMS = ("gradient_norm",)

    def __init__(
        self,
        autoencoder,
        critic=None,
        *,
        gan=5e-3,
        quantizer=(1.0, 1.0),
        classification=0.0,
        penultimate=False,
        train_critic=True,
        normalize_features=True,
        score_drift=1e-3,
        head_start=0,
        midpoint=300.0,
        rate=2e-2,
        cooling=(),
        temperatures=(1.0, 1.0, 1),
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.autoencoder, self.critic = autoencoder, critic
        self.weights_of = {
            "gan": gan,
            "classification": classification,
            "score_drift": score_drift,
        }
        self.penultimate = penultimate
        self.train_critic = critic is not None and train_critic
        self.normalize_features = normalize_features
        self.quantizer_weights = quantizer
        self.head_start = head_start
        self.midpoint, self.rate = midpoint, rate
        self.cooling = cooling
        self.temperatures = temperatures
        self.built = True

    def compile(self, optimizer, critic_optimizer=None, **kwargs):
        super().compile(optimizer=optimizer, jit_compile=False, **kwargs)
        self.optimizer.build(self.autoencoder.trainable_variables)
        self.critic_optimizer = critic_optimizer
        if self.train_critic:
            self.critic_optimizer.build(self.critic.trainable_variables)

    def quantizer_weight(self):
        """Of the quantiser's loss at this step."""
        first, last = self.quantizer_weights
        weight = first + (last - first) * annealed_beta(self.step, self.midpoint, self.rate)
        if not self.cooling:
            return weight
        final, begin, end = self.cooling
        done = (tf.cast(self.step, tf.float32) - begin) / (end - begin)
        return weight + (final - weight) * tf.clip_by_value(done, 0.0, 1.0)

    def temperature(self):
        """GumbelSoftmax's temperature at this step."""
        first, last, steps = self.temperatures
        done = tf.minimum(tf.cast(self.step, tf.float32) / steps, 1.0)
        return first * (last / first) ** done

    def train_step(self, batch):
        seed = self.noise_seed()
        weights = self.weights_of
        real = to_unit_range(batch["pictures"])
        with tf.GradientTape(persistent=self.train_critic) as tape:
            fake, quantized = self.autoencoder(
                real, seed=split_seed(seed, 0), temperature=self.temperature(), training=True
            )
            pixel_l1 = losses.reconstruction_loss([[real]], [[fake]])
            if self.critic is None:
                recon, gan = pixel_l1, 0.0
            else:
                real_features, real_scores = self.critic(real)
                fake_features, fake_scores = self.critic(fake)
                recon, gan = self._recon(real_features, fake_features), 0.0
            critic_loss = tf.constant(0.0)
            if self.train_critic:
                gan = losses.gan_loss([fake_scores])
                critic_loss = self._critic_loss(
                    real, fake, real_scores, fake_scores, real_features[-1], batch["labels"], seed
                )
            if self.critic is not None and self.head_start:
                led = tf.cast(self.step >= self.head_start, tf.float32)
                recon, gan = led * recon + (1.0 - led) * pixel_l1, led * gan
            loss = recon + weights["gan"] * gan + self.quantizer_weight() * quantized.loss
        variables = self.autoencoder.trainable_variables
        gradients = tape.gradient(loss, variables)
        updates = [(self.optimizer, gradients, variables)]
        if self.train_critic:
            theirs = self.critic.trainable_variables
            updates.append((self.critic_optimizer, tape.gradient(critic_loss, theirs), theirs))
        logs = {
            "recon": recon,
            "quantizer": quantized.loss,
            "pixel_l1": pixel_l1,
            "critic/loss": critic_loss,
        }
        return self.finish_step(logs, updates)

    def _recon(self, real, fake):
        layers = slice(-1, None) if self.penultimate else slice(None)
        return losses.reconstruction_loss([real[layers]], [fake[layers]], self.normalize_features)

    def _critic_loss(self, real, fake, real_scores, fake_scores, features, labels, seed):
        """Equation 9, and dVAE-Class's cross entropy."""
        weights = self.weights_of
        penalty = losses.gradient_penalty(
            self.critic, real, tf.stop_gradient(fake), split_seed(seed, 1)
        )
        total = (
            losses.wasserstein_loss([real_scores], [fake_scores])
            + PENALTY * penalty
            + weights["score_drift"] * losses.score_drift([real_scores])
        )
        if weights["classification"]:
            total += weights["classification"] * cross_entropy(
                self.critic.classify(features), labels
            )
        return total


def cross_entropy(logits, labels):
    """Mean over the batch: logits float32 [N, classes], labels int32 [N]."""
    targets = tf.one_hot(labels, logits.shape[-1])
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))


class ClassifierTrainer(OneDeviceTrainer):
    """Trains a DigitCritic to classify alone, before it serves as a fixed measure (A.2)."""

    LOGS = ("cross_entropy",)

    def __init__(self, critic, **kwargs):
        super().__init__(**kwargs)
        self.critic = critic
        self.built = True

    def train_step(self, batch):
        with tf.GradientTape() as tape:
            features, _ = self.critic(to_unit_range(batch["pictures"]))
            logits = self.critic.classify(features[-1])
            loss = cross_entropy(logits, batch["labels"])
        variables = [*_variables(self.critic.hidden), *self.critic.class_layer.trainable_variables]
        updates = [(self.optimizer, tape.gradient(loss, variables), variables)]
        return self.finish_step({"cross_entropy": loss}, updates)


def _variables(layers):
    return [variable for layer in layers for variable in layer.trainable_variables]


def accuracy(found, labels):
    """Share of right answers."""
    return float(np.mean(np.asarray(found) == labels))
