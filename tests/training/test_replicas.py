"""Two replicas and one on the joined batch: the same gradients and updates (noise off).

Logical devices must be made before TensorFlow starts, so the comparison runs in its own process.
"""

import subprocess
import sys

SCRIPT = """
import numpy as np, tensorflow as tf, keras
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from nwt_tf.models.critics import Critics
from nwt_tf.models.far import FAR
from nwt_tf.training.prior_trainer import PriorTrainer
from types import SimpleNamespace
from nwt_tf.training.schedules import adam

rng = np.random.default_rng(0)
half = {"mel": rng.normal(size=(4, 16, 80)).astype("float32"),
        "codes": rng.integers(0, 4, (4, 4, 2, 2, 2)).astype("int32"),
        "episode": np.array([0, 1, 0, 1], "int32")}
WIDTHS = dict(grid=(2, 2), num_heads=2, num_codes=4, num_episodes=2, episode_dim=4,
              audio_widths=(4,) * 7, audio_pyramid=(4,), style_dim=3, style_widths=(4,) * 4,
              style_pyramid=(4,), embedding_dim=4, width=8, hidden=8, strides=(1,),
              dilations=((1, 1, 2),))

class Quiet(PriorTrainer):
    def noise_seed(self):
        return tf.constant([7, 7])

def train(strategy, clip_norm):
    with strategy.scope():
        keras.utils.set_random_seed(1)
        prior = FAR(**WIDTHS)
        prior.build()
        # The style's draw is the only noise left; without spread it is none.
        prior.style_encoder.posterior.bias.assign(
            tf.concat([tf.zeros(3), tf.fill([3], -60.0)], 0))
        prior.style_encoder.posterior.kernel.assign(tf.zeros_like(prior.style_encoder.posterior.kernel))
        trainer = Quiet(prior, style_kl=0.0, episode_dropout=0.0, clip_norm=clip_norm)
        trainer.compile(adam(1.0, SimpleNamespace(epsilon=1e-7, ema=0.0), (0.9, 0.999)))
        trainer.optimizer = keras.optimizers.SGD(1.0)
        trainer.optimizer.build(prior.trainable_variables)
        before = [v.numpy() for v in prior.trainable_variables]
    data = tf.data.Dataset.from_tensors(half).unbatch().batch(4, drop_remainder=True).repeat()
    history = trainer.fit(data, steps_per_epoch=1, epochs=1, verbose=0, shuffle=False)
    step = [b - v.numpy() for b, v in zip(before, prior.trainable_variables)]
    return np.concatenate([s.ravel() for s in step]), history.history["code"][0]

import nwt_tf.models.style_encoder as style
style.MINIMUM_STD = 0.0
two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
for clip_norm in (0.0, 0.05):
    one, loss_one = train(tf.distribute.get_strategy(), clip_norm)
    both, loss_both = train(two, clip_norm)
    error = np.abs(one - both).max() / np.abs(one).max()
    print("clip", clip_norm, "relative error", error, "norm", np.linalg.norm(one))
    assert error < 1e-5, error
    assert abs(loss_one - loss_both) < 1e-5
    if clip_norm:
        assert abs(np.linalg.norm(both) - clip_norm) < 1e-6
print("agree")
"""


def test_two_replicas_update_as_one_on_the_joined_batch():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "agree" in done.stdout
