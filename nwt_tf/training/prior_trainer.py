"""Training of a prior on sampled codes (section 2.2.1, C.2.2) as a Keras train_step."""

import tensorflow as tf

from nwt_tf import losses
from nwt_tf.training.distribution import split_seed
from nwt_tf.training.dvae_trainer import drop_episodes
from nwt_tf.training.trainer import Trainer, mean_over_parts


def corrupt_codes(codes, rate, num_codes, seed):
    """The history that the decoder is shown, with part of it replaced, so that it can recover from
    its own samples; the paper does without.

    Each clip draws its own rate from [0, rate]; that share of codes becomes uniform noise.

    Args:
        codes: int32 [B, T, h, w, heads].
        rate: float in [0, 1].
        num_codes: int.
        seed: int32 [2].
    """
    batch = tf.shape(codes)[0]
    rates = rate * tf.random.stateless_uniform((batch, 1, 1, 1, 1), split_seed(seed, 0))
    hit = tf.random.stateless_uniform(tf.shape(codes), split_seed(seed, 1)) < rates
    noise = tf.random.stateless_uniform(
        tf.shape(codes), split_seed(seed, 2), maxval=num_codes, dtype=tf.int32
    )
    return tf.where(hit, noise, codes)


def drop_history(codes, share, seed):
    """The history that the decoder is shown, with whole clips' left out (-1, no code); the paper
    does without.

    The frame before tells so much of the next one that a short training never gets to listen;
    without it, the sound is all there is to go by.

    Args:
        codes: int32 [B, T, h, w, heads].
        share: of the clips, float in [0, 1].
        seed: int32 [2].
    """
    left_out = tf.random.stateless_uniform((tf.shape(codes)[0], 1, 1, 1, 1), seed) < share
    return tf.where(left_out, -1, codes)


class PriorTrainer(Trainer):
    """Cross entropy in nats a code plus beta_l times the KL of the style posterior.

    The KL, too, is counted in nats a code (a clip's KL divided by the codes it has), so that
    style_kl = 1 (beta_l of C.2.2) is the evidence lower bound of a clip, scaled by a constant; per
    clip it would outweigh all that a style could ever tell the decoder.

    Args:
        prior: a Prior.
        style_kl: beta_l.
        history_noise: see corrupt_codes; 0 in the paper.
        history_dropout: see drop_history; 0 in the paper.
        history_warmup: steps in which the share of clips without history falls from 1 to
            history_dropout, linearly.
        sound_dropout: share of clips whose sound the decoder is not told, see Conditioning.untold;
            0 in the paper. Sampling with guidance is meant for a prior that has learnt this case.
        window_frames: of a clip, those that style encoder and decoder are trained on, another
            window a step; the audio encoder hears the whole clip. 0 is all of them, as in the
            paper. A crop's sound is cut off on both sides, and short crops teach the encoder more
            of that than of the sound.
        episode_dropout: share of clips trained with episode 'none'.
        jit_compile: XLA for losses and gradients.
        Others: see Trainer.
    """

    NORMS = ("gradient_norm",)
    LOGS = ("code", "style_kl", "bits_per_code", *NORMS)

    def __init__(
        self,
        prior,
        *,
        style_kl=1.0,
        history_noise=0.0,
        history_dropout=0.0,
        history_warmup=0,
        sound_dropout=0.0,
        window_frames=0,
        episode_dropout=0.0,
        jit_compile=False,
        **kwargs,
    ):
        super().__init__(jit_compile=jit_compile, **kwargs)
        self.prior = prior
        self.style_kl = style_kl
        self.history_noise = history_noise
        self.history_dropout = history_dropout
        self.history_warmup = history_warmup
        self.sound_dropout = sound_dropout
        self.window_frames = window_frames
        self.episode_dropout = episode_dropout
        self._compiled = tf.function(self.losses_and_gradients, jit_compile=jit_compile)
        self.built = True

    def compile(self, optimizer, steps_per_execution=1):
        super().compile(optimizer, jit_compile=False, steps_per_execution=steps_per_execution)
        self.optimizer.build(self.prior.trainable_variables)

    def forward_losses(
        self, mel, codes, episode, seed, history, training=False, start=None, untold=None
    ):
        """The loss and its parts; mel, codes, episode, start, untold as the prior takes them."""
        logits, posterior = self.prior(
            mel,
            codes,
            episode,
            split_seed(seed, 0),
            history=history,
            training=training,
            start=start,
            untold=untold,
        )
        code = losses.code_cross_entropy(logits, codes)
        kl = losses.style_kl(posterior.mean, posterior.std)
        codes_a_clip = tf.cast(tf.reduce_prod(tf.shape(codes)[1:]), tf.float32)
        logs = {"code": code, "style_kl": kl, "bits_per_code": code / tf.math.log(2.0)}
        return code + self.style_kl * kl / codes_a_clip, logs

    @property
    def history_share(self):
        """Share of the clips that are shown no history at this step."""
        if not self.history_warmup:
            return tf.constant(float(self.history_dropout))
        passed = tf.cast(self.step, tf.float32) / self.history_warmup
        return 1.0 + (self.history_dropout - 1.0) * tf.minimum(1.0, passed)

    def losses_and_gradients(self, mel, codes, episode, seed, history_share, scale):
        """(losses, a dict of scalars; gradients); arguments as DVAETrainer's, and the share of
        clips that are shown no history."""
        variables = self.prior.trainable_variables
        names = self.LOGS[: -len(self.NORMS)]
        zeros = {name: 0.0 for name in names}, [tf.zeros_like(each) for each in variables]

        def part(mel, codes, episode, number):
            draw = seed if self.num_accumulated == 1 else split_seed(seed, 1000 + number)
            return self._gradients(mel, codes, episode, draw, history_share, scale)

        return mean_over_parts(part, (mel, codes, episode), self.num_accumulated, zeros)

    def _gradients(self, mel, codes, episode, seed, history_share, scale):
        """As losses_and_gradients, of a part of the batch."""
        start = None
        if self.window_frames:
            spare = tf.shape(codes)[1] - self.window_frames
            start = tf.random.stateless_uniform((), split_seed(seed, 3), 0, spare + 1, tf.int32)
            codes = tf.gather(codes, start + tf.range(self.window_frames), axis=1)
        history = codes
        if self.history_noise:
            noise = split_seed(seed, 1)
            history = corrupt_codes(history, self.history_noise, self.prior.num_codes, noise)
        if self.history_dropout or self.history_warmup:
            history = drop_history(history, history_share, split_seed(seed, 2))
        untold = None
        if self.sound_dropout:
            drawn = tf.random.stateless_uniform(tf.shape(codes)[:1], split_seed(seed, 4))
            untold = drawn < self.sound_dropout
        with tf.GradientTape() as tape:
            loss, logs = self.forward_losses(
                mel, codes, episode, seed, history, training=True, start=start, untold=untold
            )
            loss = loss * scale
        return logs, tape.gradient(loss, self.prior.trainable_variables)

    def train_step(self, batch):
        seed = self.noise_seed()
        episode = drop_episodes(batch["episode"], self.episode_dropout, split_seed(seed, 100))
        logs, gradients = self._compiled(
            batch["mel"], batch["codes"], episode, seed, self.history_share, self.loss_scale
        )
        return self.finish_step(logs, [(self.optimizer, gradients, self.prior.trainable_variables)])

    def test_step(self, batch):
        """Losses with the true history and the episode as given."""
        seed = tf.constant([self.seed, 0])
        return self.forward_losses(
            batch["mel"], batch["codes"], batch["episode"], seed, batch["codes"]
        )[1]
