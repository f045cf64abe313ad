"""Footage to a dataset: cuts a folder of videos into clips and writes TFRecord shards.

Clips begin and end at key frames; they are cropped, trimmed, resized, brought to a constant frame
rate and stored with the mel spectrogram of their sound. Files that lie in a subfolder belong to the
episode of its name, others are an episode each.

  nwt build_dataset --input_dir=footage --output_dir=shards
  nwt build_dataset --input_dir=footage --output_dir=shards --config=grid_s1 --config.height=96
  nwt build_dataset --input_dir=footage --output_dir=shards --review
  nwt build_dataset --input_dir=footage --output_dir=shards --review_file=review.json
  nwt build_dataset --inspect=shards

--review cuts the clips and writes shards/review.html, a page to look at every clip and to save
review.json; the build with --review_file then takes the clips that are cut, but not those dropped.
A build that was stopped goes on where it was when the same command is given again. --inspect reads
a dataset whole, prints what it holds, names a shard that is damaged, and draws its contact sheet.
"""

import collections
import dataclasses
import shlex
import sys
import time

from absl import flags

from nwt_tf.bin import command

FLAGS = flags.FlagValues()
flags.DEFINE_string("input_dir", None, "Folder of videos.", flag_values=FLAGS)
flags.DEFINE_string(
    "input_list", None, "Text file of videos' paths, one a line; or --input_dir.", flag_values=FLAGS
)
flags.DEFINE_string("output_dir", None, "Folder to write, local or gs://.", flag_values=FLAGS)
flags.DEFINE_string(
    "inspect",
    None,
    "Dataset folder: print a table of what it holds and draw contact_sheet.png; builds nothing.",
    flag_values=FLAGS,
)
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
flags.DEFINE_enum(
    "runner",
    "processes",
    ["processes", "beam"],
    "Worker processes, or Apache Beam (pip install 'nwt_tf[beam]').",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "beam_args",
    "",
    "Beam's own options, such as --beam_args='--runner=FlinkRunner --flink_master=...'.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "parts_dir",
    None,
    "Folder in which nwt_parts holds finished parts of the build; default: --output_dir's .parts.",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "review",
    False,
    "Write a page to review the clips, review.html in --output_dir, instead of a dataset.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "review_file",
    None,
    "review.json that was saved from that page: leaves out the clips that it drops.",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "overwrite",
    False,
    "Replace a dataset in --output_dir, once the new one is complete.",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "strict", False, "A file or clip that cannot be used is an error.", flag_values=FLAGS
)


def main() -> None:
    if hasattr(sys.stdout, "reconfigure"):  # a file's name may hold what the terminal cannot show
        sys.stdout.reconfigure(errors="replace")
    if FLAGS.inspect:
        _inspect()
    else:
        _build()


def _inspect() -> None:
    if FLAGS.input_dir or FLAGS.input_list or FLAGS.output_dir:
        raise ValueError("--inspect builds nothing: leave out --input_dir and --output_dir")
    from data_pipeline.files import is_remote
    from data_pipeline.inspection import contact_sheet, figures, table
    from data_pipeline.shards import Manifest

    if is_remote(FLAGS.inspect):
        command.start_tensorflow()  # for tf.io.gfile, without its chatter
    manifest = Manifest.load(FLAGS.inspect)
    print(table(manifest))
    command.start_tensorflow()
    picture = contact_sheet(FLAGS.inspect)
    command.report(**({"contact_sheet": picture} if picture else {}), **figures(manifest))


def _workers() -> dict:
    if FLAGS.beam_args and FLAGS.runner != "beam":
        raise ValueError(f"--beam_args={FLAGS.beam_args} is of --runner=beam: give both.")
    return {
        "num_workers": FLAGS.num_workers,
        "runner": FLAGS.runner,
        "beam_arguments": shlex.split(FLAGS.beam_args),
        "parts_dir": FLAGS.parts_dir,
    }


def _review(videos: list, settings: dict) -> None:
    if FLAGS.review_file:
        raise ValueError("--review makes the page that --review_file comes from: give one of them")
    from data_pipeline.build import review_footage
    from data_pipeline.clip_settings import ClipSettings
    from data_pipeline.cutting import Skips

    names = [field.name for field in dataclasses.fields(ClipSettings)]
    start = time.monotonic()
    skips = Skips(FLAGS.input_dir or FLAGS.input_list, FLAGS.strict)
    page, suggestions = review_footage(
        videos,
        FLAGS.output_dir,
        ClipSettings(**{name: settings[name] for name in names}),
        skips,
        undecided_flagged=settings["undecided_flagged"],
        **_workers(),
    )
    for skip in skips.files + skips.clips:
        print(f"left out {skip.name}: {skip.reason}")
    flagged = collections.Counter(
        kind for reasons in suggestions.values() for kind in {r.partition(": ")[0] for r in reasons}
    )
    for kind, clips in flagged.most_common():
        print(f"{kind}: {clips} clips")
    print(f"open {page} in a browser; the build takes the review.json that it saves")
    command.report(
        review=page,
        clips=len(suggestions),
        flagged=sum(map(bool, suggestions.values())),
        seconds=time.monotonic() - start,
    )


def _build() -> None:
    from data_pipeline.build import build_dataset
    from data_pipeline.files import is_remote
    from data_pipeline.videos import find_videos, list_videos

    if bool(FLAGS.input_dir) == bool(FLAGS.input_list):
        raise ValueError("--input_dir or --input_list must be given, and not both")
    if not FLAGS.output_dir:
        raise ValueError("--output_dir must be given")
    videos = find_videos(FLAGS.input_dir) if FLAGS.input_dir else list_videos(FLAGS.input_list)
    settings = dataclasses.asdict(FLAGS.config)
    # The parts that --review leaves have suggestions: the build after it must ask for them, too.
    settings["suggestions"] |= FLAGS.review or FLAGS.review_file is not None
    if is_remote(FLAGS.output_dir) or is_remote(FLAGS.parts_dir or ""):
        command.start_tensorflow()  # for tf.io.gfile; local files do without it
    if FLAGS.review:
        _review(videos, settings)
        return
    for name in ("validation_episodes", "test_episodes"):
        named = settings[name] if FLAGS[name].value is None else FLAGS[name].value
        settings[name] = tuple(filter(None, named))  # --config.test_episodes= names none
    start = time.monotonic()
    manifest = build_dataset(
        FLAGS.input_dir or None,
        FLAGS.output_dir,
        input_list=FLAGS.input_list or None,
        **settings,
        **_workers(),
        review_file=FLAGS.review_file or None,
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
