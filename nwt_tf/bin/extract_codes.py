"""Encode footage to Memcodes, the training targets of a prior.

Every clip is encoded once. --codes=sample draws the codes from the encoder's distribution, as the
paper does (2.2.1: it makes livelier videos); --codes=argmax takes the most likely ones. The output
folder holds codes, mel spectrograms and a copy of the dVAE that made them.

--copies=N encodes each training clip N times more, its frames shifted by up to --max_shift pixels:
more to learn from where footage is short. The paper does without.
"""

import time

from absl import flags

from nwt_tf.bin import command

FLAGS = flags.FlagValues()
flags.DEFINE_string(
    "preset", None, "Preset or workdir of a dVAE.", flag_values=FLAGS, required=True
)
flags.DEFINE_string(
    "data_dir", None, "Shards made by nwt build_dataset.", flag_values=FLAGS, required=True
)
flags.DEFINE_string("output_dir", None, "New folder for codes.", flag_values=FLAGS, required=True)
flags.DEFINE_enum(
    "codes", "sample", ["sample", "argmax"], "How codes are chosen.", flag_values=FLAGS
)
flags.DEFINE_integer("seed", 0, "Seed of the sampled codes and shifts.", 0, flag_values=FLAGS)
flags.DEFINE_integer("copies", 0, "Shifted copies of each training clip.", 0, flag_values=FLAGS)
flags.DEFINE_integer("max_shift", 4, "Of those, in pixels.", 1, flag_values=FLAGS)


def main() -> None:
    command.start_tensorflow()
    from nwt_tf.bin.training.extraction import extract_codes

    start = time.monotonic()
    figures = extract_codes(
        FLAGS.preset,
        FLAGS.data_dir,
        FLAGS.output_dir,
        FLAGS.codes == "sample",
        FLAGS.seed,
        FLAGS.copies,
        FLAGS.max_shift,
    )
    seconds = time.monotonic() - start
    command.report(**figures, seconds=seconds, frames_per_second=figures["frames"] / seconds)


if __name__ == "__main__":
    command.run("extract_codes", main, FLAGS, __doc__)
