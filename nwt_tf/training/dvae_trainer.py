"""Training of dVAE-Adv: Algorithm 2 as a Keras train_step."""

import tensorflow as tf

from nwt_tf import losses
from nwt_tf.layers.pixels import to_unit_range
from nwt_tf.training.distribution import split_seed
from nwt_tf.training.schedules import annealed_beta
from nwt_tf.training.trainer import Trainer


def drop_episodes(episode, rate, seed):
    """Episode -1 ('none') for a share `rate`, so that the row for unseen footage is trained."""
    dropped = tf.random.stateless_uniform(tf.shape(episode), seed) < rate
    return tf.where(dropped, -1, episode)


class DVAETrainer(Trainer):
    """One critic update and one generator update a step, both from the same forward pass.

    The keyword arguments that weight a loss have the loss's name; so have the logs.

    Args:
        dvae: a DVAE.
        critics: a Critics.
        recon, gan, kl: weights in equation 8; `gan` is gamma, `kl` multiplies the annealed beta.
        gradient_penalty: lambda of equation 9.
        kl_midpoint, kl_rate: of the logistic annealing.
        normalize_features, score_drift: stabilisers outside the paper, see losses.py.
        episode_dropout: share of clips trained with episode 'none'.
        jit_compile: XLA for the computation of losses and gradients. The optimizers stay outside,
            which is what works under MirroredStrategy.
        Others: see Trainer.
    """

    LOGS = (
        "recon",
        "gan",
        "kl",
        "critic/wasserstein",
        "critic/gradient_penalty",
        "critic/real_score",
        "critic/fake_score",
        "pixel_l1",
        "gradient_norm",
        "critic/gradient_norm",
    )

    def __init__(
        self,
        dvae,
        critics,
        *,
        recon=1.0,
        gan=5e-3,
        kl=1.0,
        kl_midpoint=5000,
        kl_rate=1e-3,
        gradient_penalty=10.0,
        normalize_features=False,
        score_drift=0.0,
        episode_dropout=0.1,
        jit_compile=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.dvae, self.critics = dvae, critics
        self.weights_of = {
            "recon": recon,
            "gan": gan,
            "kl": kl,
            "gradient_penalty": gradient_penalty,
            "score_drift": score_drift,
        }
        self.kl_midpoint, self.kl_rate = kl_midpoint, kl_rate
        self.normalize_features = normalize_features
        self.episode_dropout = episode_dropout
        self._compiled = tf.function(self.losses_and_gradients, jit_compile=jit_compile)
        self.built = True

    def compile(self, generator_optimizer, critic_optimizer, steps_per_execution=1):
        super().compile(
            generator_optimizer, jit_compile=False, steps_per_execution=steps_per_execution
        )
        self.critic_optimizer = critic_optimizer
        self.optimizer.build(self.dvae.trainable_variables)
        self.critic_optimizer.build(self.critics.trainable_variables)

    def losses_and_gradients(self, video, episode, seed, beta, scale):
        """Algorithm 2 up to the updates.

        Args:
            video: float [B, T, H, W, 3] in [-1, 1].
            episode: int32 [B].
            seed: int32 [2].
            beta: the annealed KL weight.
            scale: what both losses are multiplied with: 1 / replicas, since Keras optimizers sum
                gradients over replicas.

        Returns:
            (losses, a dict of scalars; generator gradients; critic gradients).
        """
        weights = self.weights_of
        with tf.GradientTape(persistent=True) as tape:
            fake, quantized = self.dvae(video, episode, seed=split_seed(seed, 0), training=True)
            real_features, real_scores = zip(*self.critics(video), strict=True)
            fake_features, fake_scores = zip(*self.critics(fake), strict=True)
            recon = losses.reconstruction_loss(
                real_features, fake_features, self.normalize_features
            )
            gan = losses.gan_loss(fake_scores)
            kl = losses.kl_to_uniform(quantized.logits)
            generator_loss = (
                weights["recon"] * recon + weights["gan"] * gan + weights["kl"] * beta * kl
            )
            frozen = tf.stop_gradient(fake)
            penalty = tf.add_n(
                [
                    losses.gradient_penalty(
                        critic, critic.samples(video), critic.samples(frozen), split_seed(seed, i)
                    )
                    for i, critic in enumerate(self.critics.members, start=1)
                ]
            )
            wasserstein = losses.wasserstein_loss(real_scores, fake_scores)
            drift = losses.score_drift(real_scores)
            critic_loss = (
                wasserstein + weights["gradient_penalty"] * penalty + weights["score_drift"] * drift
            )
            generator_loss, critic_loss = generator_loss * scale, critic_loss * scale
        generator_gradients = tape.gradient(generator_loss, self.dvae.trainable_variables)
        critic_gradients = tape.gradient(critic_loss, self.critics.trainable_variables)
        logs = {
            "recon": recon,
            "gan": gan,
            "kl": kl,
            "critic/wasserstein": wasserstein,
            "critic/gradient_penalty": penalty,
            "critic/real_score": tf.add_n([tf.reduce_mean(scores) for scores in real_scores]),
            "critic/fake_score": -gan,
            "pixel_l1": tf.reduce_mean(tf.abs(video - fake)),
            "gradient_norm": tf.linalg.global_norm(generator_gradients) / scale,
            "critic/gradient_norm": tf.linalg.global_norm(critic_gradients) / scale,
        }
        return logs, generator_gradients, critic_gradients

    def train_step(self, batch):
        seed = self.noise_seed()
        beta = annealed_beta(self.step, self.kl_midpoint, self.kl_rate)
        episode = drop_episodes(batch["episode"], self.episode_dropout, split_seed(seed, 100))
        logs, generator_gradients, critic_gradients = self._compiled(
            to_unit_range(batch["video"]), episode, seed, beta, self.loss_scale
        )
        updates = [
            (self.critic_optimizer, critic_gradients, self.critics.trainable_variables),
            (self.optimizer, generator_gradients, self.dvae.trainable_variables),
        ]
        return {**self.finish_step(logs, updates), "beta": beta}
