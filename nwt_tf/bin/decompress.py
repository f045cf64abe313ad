"""Decompress a .nwt file to an mp4.

The preset must be the one that made the file. The sound is copied. Where a file is damaged the rest
is written, the frame before standing still, and what is lost is said: exit code 2.
"""

import time

from absl import flags

from nwt_tf.bin import command
from nwt_tf.files import check_output

FLAGS = flags.FlagValues()
flags.DEFINE_string("preset", None, "Preset or workdir.", flag_values=FLAGS, required=True)
flags.DEFINE_string("input", None, "A .nwt file.", flag_values=FLAGS, required=True)
flags.DEFINE_string("output", None, "The mp4 to write.", flag_values=FLAGS, required=True)
flags.DEFINE_float("start", 0.0, "Seconds to begin at.", 0.0, flag_values=FLAGS)
flags.DEFINE_float("end", None, "Seconds to end at.", 0.0, flag_values=FLAGS)


def main() -> None:
    check_output(FLAGS.output, ".mp4")
    command.start_tensorflow()
    from nwt_tf.bin.codec.transcoding import decompress

    start = time.monotonic()
    figures, problems = decompress(FLAGS.preset, FLAGS.input, FLAGS.output, FLAGS.start, FLAGS.end)
    seconds = time.monotonic() - start
    print(f"wrote {FLAGS.output}: {figures['frames']} frames")
    for problem in problems[1:]:
        print(f"damage: {problem}")
    if problems:
        raise ValueError(f"{FLAGS.input}: is damaged: {problems[0]}; the rest was written")
    command.report(**figures, seconds=seconds, frames_per_second=figures["frames"] / seconds)


if __name__ == "__main__":
    command.run("decompress", main, FLAGS, __doc__)
