"""Footage to a dataset: cuts a folder of videos into clips and writes TFRecord shards.

Clips begin and end at key frames; they are cropped, trimmed, resized, brought to a constant frame
rate and stored with the mel spectrogram of their sound. Files that lie in a subfolder belong to the
episode of its name, others are an episode each.

  nwt build_dataset --input_dir=footage --output_dir=shards
  nwt build_dataset --input_dir=footage --output_dir=shards --config=grid_s1 --config.height=96
"""

import dataclasses
import time

from absl import flags

from nwt_tf.bin import command

FLAGS = flags.FlagValues()
flags.DEFINE_string("input_dir", None, "Folder of videos.", flag_values=FLAGS, required=True)
flags.DEFINE_string("output_dir", None, "Folder to write.", flag_values=FLAGS, required=True)
command.config_flag(FLAGS, "footage", "default")
flags.DEFINE_list(
    "validation_episodes",
    None,
    "Episodes held out whole for validation, by name; default: the config's.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "test_episodes",
    None,
    "Episodes held out whole for the test, by name; default: the config's.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "num_workers",
    None,
    "Worker processes; default: one a core.",
    lower_bound=1,
    flag_values=FLAGS,
)
flags.DEFINE_bool("overwrite", False, "Replace a dataset in --output_dir.", flag_values=FLAGS)
flags.DEFINE_bool(
    "strict", False, "A file or clip that cannot be used is an error.", flag_values=FLAGS
)


def main() -> None:
    from data_pipeline.build import build_dataset, find_videos

    find_videos(FLAGS.input_dir)  # The usual mistake, told before TensorFlow takes its seconds.
    command.start_tensorflow()
    settings = dataclasses.asdict(FLAGS.config)
    for name in ("validation_episodes", "test_episodes"):
        if FLAGS[name].value is not None:
            settings[name] = tuple(FLAGS[name].value)
    start = time.monotonic()
    manifest = build_dataset(
        FLAGS.input_dir,
        FLAGS.output_dir,
        **settings,
        num_workers=FLAGS.num_workers,
        overwrite=FLAGS.overwrite,
        strict=FLAGS.strict,
    )
    seconds = time.monotonic() - start
    for skip in manifest.skipped_files + manifest.skipped_clips:
        print(f"left out {skip.name}: {skip.reason}")
    clips = frames = 0
    for split in manifest.splits:
        counts = manifest.clip_frames(split).values()
        minutes = sum(counts) / settings["fps"] / 60
        print(f"{split}: {len(counts)} clips, {minutes:.1f} minutes")
        clips, frames = clips + len(counts), frames + sum(counts)
    print(f"{len(manifest.episodes)} episodes in {FLAGS.output_dir}")
    command.report(
        clips=clips,
        minutes=frames / settings["fps"] / 60,
        seconds=seconds,
        frames_per_second=frames / seconds,
        skipped=len(manifest.skipped_files) + len(manifest.skipped_clips),
    )


if __name__ == "__main__":
    command.run("build_dataset", main, FLAGS, __doc__)
