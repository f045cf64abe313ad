"""Compress a video of the person to Memcodes in a .nwt file.

The video is cropped and resized as the preset's training footage was; its sound is copied (AAC and
Opus as they are, other sound as AAC). --coder=prior codes with the prior's probabilities, which it
reads from the sound. docs/codec.md describes the file.
"""

import time

from absl import flags

from nwt_tf.bin import command
from nwt_tf.files import check_output

FLAGS = flags.FlagValues()
flags.DEFINE_string("preset", None, "Preset or workdir.", flag_values=FLAGS, required=True)
flags.DEFINE_string("input", None, "Any video.", flag_values=FLAGS, required=True)
flags.DEFINE_string("output", None, "The .nwt file to write.", flag_values=FLAGS, required=True)
flags.DEFINE_enum(
    "coder", "context", ["raw", "rle", "context", "prior"], "Of the codes.", flag_values=FLAGS
)
flags.DEFINE_string(
    "episode", "auto", "Look of a named episode, none, or auto: the closest.", flag_values=FLAGS
)
flags.DEFINE_float(
    "quality",
    100.0,
    "100 keeps the most likely codes; less keeps codes unchanged where that saves bits.",
    0.0,
    100.0,
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "key_seconds",
    1.0,
    "Distance of the chunks that stand alone; more is smaller, less is damage and seeking.",
    0.04,
    flag_values=FLAGS,
)


def main() -> None:
    check_output(FLAGS.output, ".nwt")
    command.start_tensorflow()
    from nwt_tf.bin.codec.transcoding import compress

    start = time.monotonic()
    figures = compress(
        FLAGS.preset,
        FLAGS.input,
        FLAGS.output,
        FLAGS.coder,
        FLAGS.episode,
        FLAGS.quality,
        FLAGS.key_seconds,
    )
    seconds = time.monotonic() - start
    print(f"wrote {FLAGS.output}: {figures['frames']} frames, {figures['bytes']} bytes")
    command.report(**figures, seconds=seconds, frames_per_second=figures["frames"] / seconds)


if __name__ == "__main__":
    command.run("compress", main, FLAGS, __doc__)
