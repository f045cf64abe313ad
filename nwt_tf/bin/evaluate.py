"""Measure a model on held-out footage.

--what=reconstruction: the dVAE with arg max codes: frame SSIM and PSNR against frames that never
went through JPEG, bits used a head. --what=generation: the prior's bits a code on those clips, and
video generated from their sound. Footage is cut as the preset's training footage was. Both write a
picture: truth above reconstruction (above generation).

--what=control is for presets trained on the synthetic subject (`nwt demo`), which it draws itself:
how far copied styles are followed, what changes with the episode, and whether the mouth still
follows the sound. Its picture: references above videos in their styles, then switched episodes.
"""

import time

from absl import flags

from nwt_tf.bin import command

FLAGS = flags.FlagValues()
flags.DEFINE_string("preset", None, "Preset or workdir.", flag_values=FLAGS, required=True)
flags.DEFINE_string("input_dir", None, "Folder of videos.", flag_values=FLAGS)
flags.DEFINE_string(
    "data_dir", None, "Instead of --input_dir: shards, best with PNG frames.", flag_values=FLAGS
)
flags.DEFINE_string("split", "test", "Split of --data_dir.", flag_values=FLAGS)
flags.DEFINE_enum(
    "what",
    "reconstruction",
    ["reconstruction", "generation", "control"],
    "What.",
    flag_values=FLAGS,
)
flags.DEFINE_integer("max_clips", None, "Stop after so many clips (an episode).", flag_values=FLAGS)
flags.DEFINE_string("sheet", None, "PNG to write.", flag_values=FLAGS)
flags.DEFINE_integer("seed", 0, "Of sampled codes.", flag_values=FLAGS)
flags.DEFINE_float("temperature", 1.0, "Of generated codes.", 0.0, flag_values=FLAGS)


def main() -> None:
    drawn = FLAGS.what == "control"
    if not drawn and (FLAGS.input_dir is None) == (FLAGS.data_dir is None):
        raise ValueError("Give one of --input_dir and --data_dir.")
    if drawn and not (FLAGS.input_dir is FLAGS.data_dir is None):
        raise ValueError("--what=control draws its footage: leave --input_dir and --data_dir out.")
    command.start_tensorflow()
    from nwt_tf.bin import control, measuring

    start = time.monotonic()
    clips = (
        ()
        if drawn
        else measuring.clips(
            FLAGS.preset, FLAGS.input_dir, FLAGS.data_dir, FLAGS.split, FLAGS.max_clips
        )
    )
    if drawn:
        figures, sheet = control.measure(
            FLAGS.preset, FLAGS.max_clips or control.REFERENCES, FLAGS.seed, FLAGS.temperature
        )
    elif FLAGS.what == "reconstruction":
        figures, sheet = measuring.reconstruction(FLAGS.preset, clips)
    else:
        figures, sheet = measuring.generation(FLAGS.preset, clips, FLAGS.seed, FLAGS.temperature)
    if FLAGS.sheet:
        measuring.write_picture(FLAGS.sheet, sheet)
        print(f"wrote {FLAGS.sheet}")
    command.report(**figures, seconds=time.monotonic() - start)


if __name__ == "__main__":
    command.run("evaluate", main, FLAGS, __doc__)
