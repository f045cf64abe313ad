"""Train a prior, the model that predicts Memcodes from speech.

Reads the codes of `nwt extract_codes` and trains in a workdir: checkpoints, TensorBoard logs. The
same command resumes an interrupted training. The workdir becomes a complete preset, the dVAE that
made the codes included: `nwt generate --preset WORKDIR` speaks with it.
"""

from absl import flags

from nwt_tf.bin import command

FLAGS = flags.FlagValues()
flags.DEFINE_string(
    "data_dir", None, "Codes made by nwt extract_codes.", flag_values=FLAGS, required=True
)
flags.DEFINE_string("workdir", None, "Folder of this training.", flag_values=FLAGS, required=True)
flags.DEFINE_integer(
    "num_gpus", None, "GPUs to use of each host; default: all visible ones.", 1, flag_values=FLAGS
)
flags.DEFINE_string(
    "init_preset",
    None,
    "A preset (shipped name or folder) with the same prior, "
    "whose weights a new training starts from.",
    flag_values=FLAGS,
)
command.config_flag(FLAGS, "prior", "small")


def main() -> None:
    command.start_tensorflow()
    from nwt_tf.bin.training.stages import train_prior

    figures = train_prior(
        FLAGS.data_dir, FLAGS.workdir, FLAGS.config, FLAGS.num_gpus, FLAGS.init_preset
    )
    command.report(**figures)


if __name__ == "__main__":
    command.run("train_prior", main, FLAGS, __doc__)
