"""Write a SavedModel that generates without nwt_tf, as TensorFlow Serving reads it.

Signatures: encode, decode, generate (waveform in, frames out), stream_init and stream_step. Batch
and time are dynamic. Each export gets the next number inside --output_dir.
"""

import time

from absl import flags

from nwt_tf.bin import command

FLAGS = flags.FlagValues()
flags.DEFINE_string(
    "preset", None, "Preset or workdir of a prior.", flag_values=FLAGS, required=True
)
flags.DEFINE_string(
    "output_dir", None, "Folder of the model's versions.", flag_values=FLAGS, required=True
)
flags.DEFINE_integer(
    "version", None, "Of the model; default: the next free one.", 1, flag_values=FLAGS
)
flags.DEFINE_enum(
    "precision", "float32", ["float32", "mixed_bfloat16", "bfloat16"],
    "Of the computation; bfloat16 is also that of the weights.", flag_values=FLAGS,
)  # fmt: skip
flags.DEFINE_integer("chunk_frames", 16, "Frames drawn at a time.", 1, flag_values=FLAGS)
flags.DEFINE_bool(
    "guided",
    None,
    "Signatures take `guidance`, at twice the cost; default: where the preset recommends some.",
    flag_values=FLAGS,
)
flags.DEFINE_bool("xla", False, "Compile by XLA where it runs: for GPUs.", flag_values=FLAGS)
flags.DEFINE_bool("warmup", True, "Add requests that warm a server up.", flag_values=FLAGS)


def main() -> None:
    command.start_tensorflow()
    from nwt_tf import export
    from nwt_tf.generation.audio_to_video import AudioToVideo

    start = time.monotonic()
    model = AudioToVideo.from_preset(FLAGS.preset, FLAGS.precision, chunk_frames=FLAGS.chunk_frames)
    folder = export.save(
        model, FLAGS.output_dir, FLAGS.version, FLAGS.xla, FLAGS.warmup, FLAGS.guided
    )
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"wrote {folder}: {', '.join(export.load(folder)[0].signatures)}")
    command.report(saved_model=folder, megabytes=size / 1e6, seconds=time.monotonic() - start)


if __name__ == "__main__":
    command.run("export", main, FLAGS, __doc__)
