"""Train dVAE-Adv, the model that turns frames into Memcodes and back.

Reads the shards of `nwt build_dataset` and trains generator and critics (Algorithm 2 of the paper)
in a workdir: checkpoints, TensorBoard logs, pictures of held-out clips. The same command resumes an
interrupted training. The workdir is a preset: other commands take it as --preset.
"""

from absl import flags

from nwt_tf.bin import command

FLAGS = flags.FlagValues()
flags.DEFINE_string(
    "data_dir", None, "Shards made by nwt build_dataset.", flag_values=FLAGS, required=True
)
flags.DEFINE_string("workdir", None, "Folder of this training.", flag_values=FLAGS, required=True)
flags.DEFINE_integer(
    "num_gpus", None, "GPUs to use of each host; default: all visible ones.", 1, flag_values=FLAGS
)
flags.DEFINE_string(
    "init_preset",
    None,
    "A preset (shipped name or folder) with the same model, "
    "whose weights a new training starts from; the critics start anew.",
    flag_values=FLAGS,
)
command.config_flag(FLAGS, "dvae", "small")


def main() -> None:
    command.start_tensorflow()
    from nwt_tf.bin.training.stages import train_dvae

    figures = train_dvae(
        FLAGS.data_dir, FLAGS.workdir, FLAGS.config, FLAGS.num_gpus, FLAGS.init_preset
    )
    command.report(**figures)


if __name__ == "__main__":
    command.run("train_dvae", main, FLAGS, __doc__)
