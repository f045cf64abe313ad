"""Steps of the toy on two replicas, its updates by XLA and not, in a process of its own.

    python -m tests.training.xla_updates FILE.npz

FILE.npz has {xla|ops}/{variable}: [replica, ...], after the steps, and the loss of each.
"""

import sys

import numpy as np
import tensorflow as tf

from nwt_tf.training.distribution import mirrored
from tests.training.toy import Toy

STEPS = 6


def steps(chosen, compiled):
    """{name: every replica's copy of a variable} after the steps, and the losses of each."""
    with chosen.scope():
        toy = Toy(jit_compile=compiled, clip_norm=0.5)
    toy.make_train_function()
    rows = tf.data.Dataset.from_tensor_slices([[1.0, 1.0], [1.0, -2.0]]).repeat().batch(2)
    batches = iter(chosen.experimental_distribute_dataset(rows))
    losses = [toy.train_function(batches)["distance"] for _ in range(STEPS)]
    variables = toy.dense.trainable_variables + toy.optimizer.variables
    copies = [chosen.experimental_local_results(variable.value) for variable in variables]
    found = {str(index): np.stack([c.numpy() for c in each]) for index, each in enumerate(copies)}
    return found | {"losses": losses}


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    chosen = mirrored(("CPU:0", "CPU:1"))
    found = {name: steps(chosen, name == "xla") for name in ("ops", "xla")}
    np.savez(sys.argv[1], **{f"{n}/{k}": v for n, part in found.items() for k, v in part.items()})


if __name__ == "__main__":
    main()
