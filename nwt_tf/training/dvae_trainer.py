"""Training of dVAE-Adv: Algorithm 2 as a Keras train_step."""

import functools

import tensorflow as tf

from nwt_tf import losses
from nwt_tf.layers.pixels import to_unit_range
from nwt_tf.training.distribution import split_seed
from nwt_tf.training.schedules import annealed_beta
from nwt_tf.training.trainer import Trainer, figures_of, mean_over_parts, program


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
        penalty_of_sum: of a critic's patches, not of their mean, see losses.gradient_penalty.
        kl_midpoint, kl_rate: of the logistic annealing.
        normalize_features, score_drift: stabilisers outside the paper, see losses.py.
        motion_share: of equation 7's weights that goes by motion, see losses.motion_weights; 0 is
            the paper's.
        episode_dropout: share of clips trained with episode 'none'.
        rematerialise_critics: keep none of the critics' activations, except of the penalty, for
            the way back, but compute them again.
        mixed_critics: the critics are in bfloat16, except in the penalty.
        jit_compile: XLA for losses and gradients, summed over replicas outside its programs; the
            optimizers' updates are others (schedules.Adam).
        penalty_in_xla: the penalty's gradients too; else they are TensorFlow's own ops.
        xla_parts: not one XLA program but several: the generator's way there and back, and each
            critic's comparison and penalty. Together they compile in a fraction of the time that
            one takes where models and frames are large.
        Others: see Trainer.
    """

    NORMS = ("critic/gradient_norm", "gradient_norm")
    LOGS = (
        "recon",
        "gan",
        "kl",
        "critic/wasserstein",
        "critic/gradient_penalty",
        "critic/real_score",
        "critic/fake_score",
        "critic/score_drift",
        "pixel_l1",
        *NORMS,
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
        penalty_of_sum=False,
        normalize_features=False,
        score_drift=0.0,
        motion_share=0.0,
        episode_dropout=0.0,
        rematerialise_critics=False,
        mixed_critics=False,
        jit_compile=False,
        penalty_in_xla=True,
        xla_parts=False,
        **kwargs,
    ):
        super().__init__(jit_compile=jit_compile, **kwargs)
        self.dvae, self.critics = dvae, critics
        self.weights_of = {
            "recon": recon,
            "gan": gan,
            "kl": kl,
            "gradient_penalty": gradient_penalty,
            "score_drift": score_drift,
        }
        self.kl_midpoint, self.kl_rate = kl_midpoint, kl_rate
        self.penalty_of_sum = penalty_of_sum
        self.normalize_features = normalize_features
        if not 0.0 <= motion_share <= 1.0:
            raise ValueError(f"motion_share must be from 0 to 1. Received: {motion_share}")
        self.motion_share = motion_share
        self.episode_dropout = episode_dropout
        self.rematerialise_critics = rematerialise_critics
        self.critic_dtype = "bfloat16" if mixed_critics else "float32"
        whole = jit_compile and penalty_in_xla and not xla_parts
        parts = jit_compile and not whole
        members = self.critics.members
        self._reconstruct = program(self._reconstruction, parts)
        self._comparisons = [
            program(functools.partial(self._comparison, critic), parts) for critic in members
        ]
        self._penalties = [
            program(functools.partial(self._penalty, critic), parts and penalty_in_xla)
            for critic in members
        ]
        self._compiled = tf.function(self.losses_and_gradients, jit_compile=whole)
        self.built = True

    def compile(self, generator_optimizer, critic_optimizer, steps_per_execution=1):
        super().compile(
            generator_optimizer, jit_compile=False, steps_per_execution=steps_per_execution
        )
        self.critic_optimizer = critic_optimizer
        self.optimizer.build(self.dvae.trainable_variables)
        self.critic_optimizer.build(self.critics.trainable_variables)

    def update_figures(self):
        critic = figures_of(self.critic_optimizer, "critic/")
        return {**super().update_figures(), **critic}

    def losses_and_gradients(self, video, episode, seed, beta, scale):
        """Algorithm 2 up to the updates.

        Args:
            video: float [B, T, H, W, 3] in [-1, 1].
            episode: int32 [B].
            seed: int32 [2].
            beta: the annealed KL weight.
            scale: what both losses are multiplied with: 1 / replicas, over which gradients are
                summed.

        Returns:
            (losses, a dict of scalars; generator gradients; critic gradients).
        """
        names = self.LOGS[: -len(self.NORMS)]
        variables = (self.dvae.trainable_variables, self.critics.trainable_variables)
        zeros = (
            {name: 0.0 for name in names},
            *([tf.zeros_like(variable) for variable in part] for part in variables),
        )

        def part(video, episode, number):
            draw = seed if self.num_accumulated == 1 else split_seed(seed, 1000 + number)
            return self._gradients(video, episode, draw, beta, scale)

        return mean_over_parts(part, (video, episode), self.num_accumulated, zeros)

    def _gradients(self, video, episode, seed, beta, scale):
        """As losses_and_gradients, of a part of the batch.

        The generator's gradients go through the reconstruction alone: each critic gives its loss'
        slopes there, so that every network's pass stands by itself.
        """
        weights = self.weights_of
        with tf.GradientTape() as tape:
            fake, kl = self._reconstruct(video, episode, split_seed(seed, 0))
        terms, slopes, critics = [], [], []
        numbered = zip(self._comparisons, self._penalties, strict=True)
        for number, (compare, penalize) in enumerate(numbered, start=1):
            compared, slope, own = compare(video, fake)
            penalty, steepness = penalize(video, fake, split_seed(seed, number))
            terms.append(compared | {"critic/gradient_penalty": penalty})
            slopes.append(slope * scale)
            critics += [
                scale * (one if two is None else one + weights["gradient_penalty"] * two)
                for one, two in zip(own, steepness, strict=True)
            ]
        generator = tape.gradient(
            [fake, kl],
            self.dvae.trainable_variables,
            output_gradients=[tf.add_n(slopes), scale * weights["kl"] * beta],
        )
        total = {name: tf.add_n([each[name] for each in terms]) for name in terms[0]}
        logs = total | {"kl": kl, "pixel_l1": tf.reduce_mean(tf.abs(video - fake))}
        return logs, generator, critics

    def _reconstruction(self, video, episode, seed):
        """(reconstruction, equation 8's KL)."""
        fake, quantized = self.dvae(tf.stop_gradient(video), episode, seed=seed, training=True)
        return fake, losses.kl_to_uniform(quantized.logits)

    def _comparison(self, critic, video, fake):
        """One critic's part of equations 6 to 9, but for the penalty.

        Returns:
            (logs; slopes of the generator's loss in the reconstruction; gradients of the critic's
            loss in its weights).
        """
        weights = self.weights_of
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(fake)
            recon, real_scores, fake_scores = self._compare(critic, video, fake)
            gan = losses.gan_loss([fake_scores])
            wasserstein = losses.wasserstein_loss([real_scores], [fake_scores])
            generator_loss = weights["recon"] * recon + weights["gan"] * gan
            drift = losses.score_drift([real_scores])
            critic_loss = wasserstein + weights["score_drift"] * drift
        logs = {
            "recon": recon,
            "gan": gan,
            "critic/wasserstein": wasserstein,
            "critic/real_score": tf.reduce_mean(real_scores),
            "critic/fake_score": -gan,
            "critic/score_drift": drift,
        }
        slopes = tape.gradient(generator_loss, fake)
        return logs, slopes, tape.gradient(critic_loss, critic.trainable_variables)

    def _compare(self, critic, video, fake):
        """One critic's (equation 7, scores of the truth, scores of the reconstruction)."""

        share = self.motion_share
        weights = losses.motion_weights(video, share) if share else None

        def compare(video, fake):
            real_features, real_scores = critic(critic.samples(video), dtype=self.critic_dtype)
            fake_features, fake_scores = critic(critic.samples(fake), dtype=self.critic_dtype)
            recon = losses.reconstruction_loss(
                [real_features], [fake_features], self.normalize_features, weights
            )
            return recon, real_scores, fake_scores

        return (tf.recompute_grad(compare) if self.rematerialise_critics else compare)(video, fake)

    def _penalty(self, critic, video, fake, seed):
        """(equation 9's last term without lambda, its gradients in the critic's weights, None where
        there is none), in float32."""
        exact = functools.partial(critic, dtype="float32")
        real, other = critic.samples(video), critic.samples(fake)
        with tf.GradientTape() as tape:
            penalty = losses.gradient_penalty(exact, real, other, seed, self.penalty_of_sum)
        return penalty, tape.gradient(penalty, critic.trainable_variables)

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
