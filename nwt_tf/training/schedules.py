"""Learning rates and the KL annealing (C.2)."""

import math

import keras
import tensorflow as tf
from keras import ops


class _Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A linear warm-up over `warmup` steps times the rate that `after` gives."""

    def __init__(self, warmup=0, **arguments):
        self.warmup, self.arguments = warmup, arguments
        vars(self).update(arguments)

    def __call__(self, step):
        step = ops.cast(step, "float32")
        return self.after(step) * ops.minimum(1.0, (step + 1.0) / max(self.warmup, 1))

    def get_config(self):
        return {**self.arguments, "warmup": self.warmup}


class Constant(_Schedule):
    """`initial` throughout."""

    def __init__(self, initial, warmup=0):
        super().__init__(warmup, initial=initial)

    def after(self, step):
        return self.initial


class Halving(_Schedule):
    """Exponential decay by half every `every` steps down to `minimum` (C.2.2)."""

    def __init__(self, initial, every, minimum, warmup=0):
        super().__init__(warmup, initial=initial, every=every, minimum=minimum)

    def after(self, step):
        return ops.maximum(self.initial * 0.5 ** (step / self.every), self.minimum)


class Cosine(_Schedule):
    """Half a cosine down to `minimum` at `steps`."""

    def __init__(self, initial, steps, minimum, warmup=0):
        super().__init__(warmup, initial=initial, steps=steps, minimum=minimum)

    def after(self, step):
        done = ops.clip(step / self.steps, 0.0, 1.0)
        return self.minimum + (self.initial - self.minimum) * 0.5 * (1 + ops.cos(math.pi * done))


def learning_rate(settings):
    """The rate or schedule that a config's `train` settings name in `schedule`.

    Raises:
        ValueError: for an unknown name.
    """
    initial, minimum, warmup = settings.learning_rate, settings.minimum_rate, settings.warmup
    if settings.schedule == "constant":
        return Constant(initial, warmup) if warmup else initial
    if settings.schedule == "halving":
        return Halving(initial, settings.halve_every, minimum, warmup)
    if settings.schedule == "cosine":
        return Cosine(initial, settings.steps, minimum, warmup)
    raise ValueError(
        "config.train.schedule must be constant, halving or cosine. "
        f"Received: {settings.schedule!r}"
    )


class AppliesSums:
    """Makes a Keras optimizer take gradients as they are, on each replica for its own copies of the
    weights: the trainer has summed them over replicas already, to know their norm. Keras would sum
    once more, and leaves the replicas' functions for the update, which no function within may."""

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, variable, learning_rate)


class Adam(AppliesSums, keras.optimizers.Adam):
    """Adam that keeps the moving averages (`use_ema`) beside the weights.

    At the end of `fit`, before the last checkpoint, Keras puts the averages in the weights' place,
    and a resumed training would go on from there.

    Args:
        jit_compile: XLA for the update of all weights and averages. As TensorFlow's own ops it is
            28 a weight, which a GPU waits for where they follow a sum over replicas.
        Others: see keras.optimizers.Adam.
    """

    def __init__(self, *args, jit_compile=False, **kwargs):
        super().__init__(*args, **kwargs)
        self.jit_compile = jit_compile
        self._update = tf.function(self._update_all, jit_compile=True, autograph=False)

    def _backend_apply_gradients(self, grads, trainable_variables):
        if self.jit_compile:
            self._update(grads)
        else:
            super()._backend_apply_gradients(grads, trainable_variables)

    def _update_all(self, grads):
        super()._backend_apply_gradients(grads, self._trainable_variables)

    def _update_model_variables_moving_average(self, trainable_variables):
        """Keras' own, with a momentum that grows towards `ema_momentum`, as in
        tf.train.ExponentialMovingAverage: averages of a short training would else be full of its
        first weights (a third of them, 600 steps at 0.998)."""
        momentum, done = self.ema_momentum, ops.cast(self.iterations, "float32")
        self.ema_momentum = ops.minimum(momentum, (1 + done) / (10 + done))
        try:
            super()._update_model_variables_moving_average(trainable_variables)
        finally:
            self.ema_momentum = momentum

    def finalize_variable_values(self, var_list):
        """Leaves the weights as they are."""

    def assign_averages(self, variables):
        """Gives the optimized variables, in their order, their moving averages."""
        super().finalize_variable_values(variables)

    @tf.function
    def update_norm(self):
        """The norm of the last update, from the moments that it left; 0 before the first."""
        done = ops.cast(ops.maximum(self.iterations, 1), "float32")
        rate = self._learning_rate
        if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
            rate = rate(self.iterations - 1)
        rate = rate * ops.sqrt(1 - self.beta_2**done) / (1 - self.beta_1**done)
        return tf.linalg.global_norm(
            [
                rate * mean / (ops.sqrt(square) + self.epsilon)
                for mean, square in zip(self._momentums, self._velocities, strict=True)
            ]
        )


def adam(rate, settings, betas, jit_compile=False):
    """Adam of C.2 with a config's `train` settings.

    Args:
        rate: learning rate or schedule.
        settings: with epsilon and ema.
        betas: Adam's beta_1 and beta_2.
        jit_compile: see Adam.
    """
    return Adam(
        rate,
        *betas,
        epsilon=settings.epsilon,
        use_ema=settings.ema > 0,
        ema_momentum=settings.ema or 0.99,
        jit_compile=jit_compile,
    )


def annealed_beta(step, midpoint, rate):
    """The KL weight's logistic increase from 0 to 1 (C.2.1: midpoint 5,000, growth rate 1e-3)."""
    return tf.sigmoid(rate * (tf.cast(step, tf.float32) - midpoint))
