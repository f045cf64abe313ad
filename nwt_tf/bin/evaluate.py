"""Measure a model on held-out footage.

--what=reconstruction: the dVAE with arg max codes: SSIM, MS-SSIM and PSNR against frames that never
went through JPEG, sharpness, flicker, use of the codes. --what=generation: the prior's bits a code,
and video generated from the clips' sound, in one table with the truth, its reconstruction, a second
preset (--compare), a still frame and shuffled sound; lip-sync among its figures. --what=drift: long
video, its end against its start. --what=retrieval: frames that are near by their codes.
--what=footage: true clips alone, which needs no preset. --what=all: everything so far that the
preset can do; --card writes it as a model card.

--what=codec: bits and quality of the .nwt coders beside x264, x265 and SVT-AV1; a table and curves
in --output_dir.

--what=control is for presets trained on the synthetic subject (`nwt demo --train`), which it draws
itself: how far copied styles are followed, what changes with the episode, and whether the mouth
still follows the sound. Its picture: references above videos in their styles, then switched
episodes.

Footage is cut as the preset's training footage was. --sheet writes a picture.
"""

import importlib
import shlex
import time
from typing import NamedTuple

from absl import flags

from nwt_tf.bin import command, draws
from nwt_tf.files import check_output


class Measure(NamedTuple):
    """Where a measure is, and what it takes.

    module: of nwt_tf.bin.measures; it has the measure as a function of its name: (preset, Clips
        or None, options: the flags' values) -> (figures, picture uint8 [H, W, 3] or None).
    part: of the preset that it needs, or None for no preset.
    footage: whether it takes clips; else it draws its own.
    in_all: whether it is part of --what=all.
    takes: the flags that it takes beside those of all.
    """

    module: str
    part: str | None
    takes: tuple[str, ...] = ()
    footage: bool = True
    in_all: bool = True


_DRAWN = ("seed", *draws.OPTIONS)

MEASURES = {
    "reconstruction": Measure("measuring", "dvae"),
    "generation": Measure("comparing", "prior", (*_DRAWN, "sampling", "compare", "mouth")),
    "drift": Measure("measuring", "prior", (*_DRAWN, "sampling", "mouth", "minutes")),
    "retrieval": Measure("retrieving", "dvae", ("seed",)),
    "footage": Measure("comparing", None, ("mouth",)),
    "codec": Measure("coding_measures", "dvae", ("output_dir",), in_all=False),
    "control": Measure("control", "prior", (*_DRAWN, "tint"), footage=False, in_all=False),
}

FLAGS = flags.FlagValues()
flags.DEFINE_string("preset", None, "Preset or workdir.", flag_values=FLAGS)
flags.DEFINE_string("input_dir", None, "Folder of videos.", flag_values=FLAGS)
flags.DEFINE_string(
    "data_dir", None, "Instead of --input_dir: shards, best with PNG frames.", flag_values=FLAGS
)
flags.DEFINE_string("split", "test", "Split of --data_dir.", flag_values=FLAGS)
flags.DEFINE_enum(
    "what", "reconstruction", [*MEASURES, "all"], "What to measure.", flag_values=FLAGS
)
flags.DEFINE_integer(
    "max_clips",
    None,
    "Stop after so many clips; control: styles copied an episode.",
    1,
    flag_values=FLAGS,
)
flags.DEFINE_string("output_dir", None, "codec: folder for table and curves.", flag_values=FLAGS)
flags.DEFINE_string("sheet", None, "PNG to write.", flag_values=FLAGS)
flags.DEFINE_string("card", None, "Model card (Markdown) to write.", flag_values=FLAGS)
flags.DEFINE_string(
    "about", None, "For --card: whose footage it is, and under which licence.", flag_values=FLAGS
)
flags.DEFINE_integer("seed", 0, "Of sampled codes.", flag_values=FLAGS)
draws.define_flags(FLAGS)
flags.DEFINE_enum(
    "sampling",
    "sequential",
    ["sequential", "parallel", "auto"],
    "generation, drift: see nwt generate; auto where one of two presets is FAR.",
    flag_values=FLAGS,
)
flags.DEFINE_string("compare", None, "generation: a second preset.", flag_values=FLAGS)
flags.DEFINE_list(
    "mouth",
    None,
    "top,bottom,left,right as shares of the picture, where it should not be learnt.",
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "tint",
    1.0,
    "control: the most warmth of the light; 0.5 is what `nwt demo --train` has.",
    0.0,
    1.0,
    flag_values=FLAGS,
)
flags.DEFINE_float("minutes", 10.0, "drift: of video.", 0.01, 1440.0, flag_values=FLAGS)


def main() -> None:
    drawn = FLAGS.what != "all" and not MEASURES[FLAGS.what].footage
    if not drawn and (FLAGS.input_dir is None) == (FLAGS.data_dir is None):
        raise ValueError("Give one of --input_dir and --data_dir.")
    if drawn and not (FLAGS.input_dir is FLAGS.data_dir is None):
        raise ValueError(
            f"--what={FLAGS.what} draws its footage: leave --input_dir and --data_dir out."
        )
    if FLAGS.sheet and FLAGS.what == "all":
        raise ValueError("--sheet takes one picture: name one --what, or write a --card.")
    if FLAGS.sheet and FLAGS.what == "codec":
        raise ValueError("--what=codec draws no sheet: its curves go to --output_dir.")
    if FLAGS.about is not None and not FLAGS.card:
        raise ValueError(f"--about is a card's: give --card too. Received: --about={FLAGS.about}")
    if FLAGS["split"].present and FLAGS.data_dir is None:
        raise ValueError(f"--split is of --data_dir: leave it out. Received: --split={FLAGS.split}")
    in_all = [what for what, measure in MEASURES.items() if measure.in_all and measure.part]
    _check_taken(in_all if FLAGS.what == "all" else [FLAGS.what])
    if FLAGS.sheet:
        check_output(FLAGS.sheet, ".png")
    if FLAGS.card:
        check_output(FLAGS.card, ".md")
        for what in MEASURES:
            check_output(f"{FLAGS.card.removesuffix('.md')}_{what}.png")
    if FLAGS.preset is None and (FLAGS.what != "footage" or FLAGS.card):
        raise ValueError("--preset must be given.")
    command.start_tensorflow()
    from nwt_tf import presets
    from nwt_tf.bin.measures import measuring
    from nwt_tf.bin.measures.held_out import Clips
    from nwt_tf.generation.choice import options_of

    start = time.monotonic()
    asked = draws.asked(FLAGS)
    options_of({name: value for name, value in asked.items() if value is not None})
    in_parallel = (FLAGS.preset, FLAGS.compare) if FLAGS.sampling == "parallel" else ()
    for preset in filter(None, in_parallel):  # seen now, not after what --what=all measures before
        if presets.read_config(preset).get("prior", {}).get("kind") == "far":
            raise ValueError(f"--sampling=parallel is of MAR and HAR, {preset} is FAR: take auto.")
    wanted = [FLAGS.what]
    if FLAGS.what == "all":
        has = presets.read_config(FLAGS.preset)
        wanted = [what for what in in_all if MEASURES[what].part in has]
        if FLAGS.data_dir and "drift" in wanted:
            wanted.remove("drift")
            print("drift is left out: it takes sound, which shards do not keep (--input_dir)")
        _check_taken(wanted)
    clips = None
    if not drawn:
        clips = Clips(FLAGS.preset, FLAGS.input_dir, FLAGS.data_dir, FLAGS.split, FLAGS.max_clips)
    figures, pictures = {}, {}
    for what in wanted:
        if len(wanted) > 1:
            print(f"{what} ...", flush=True)
        module = importlib.import_module(f"nwt_tf.bin.measures.{MEASURES[what].module}")
        measure = getattr(module, what)
        figures[what], pictures[what] = measure(FLAGS.preset, clips, FLAGS)
    if FLAGS.sheet and pictures[FLAGS.what] is not None:
        measuring.write_picture(FLAGS.sheet, pictures[FLAGS.what])
        print(f"wrote {FLAGS.sheet}")
    if FLAGS.card:
        written = measuring.write_card(
            FLAGS.card, FLAGS.preset, figures, pictures, _command_line(), FLAGS.about
        )
        print(f"wrote {', '.join(written)}")
    seconds = time.monotonic() - start
    command.report(**(figures if FLAGS.what == "all" else figures[FLAGS.what]), seconds=seconds)


def _check_taken(wanted: list[str]) -> None:
    """Refuses a flag that none of these measures takes.

    Raises:
        ValueError: naming the flag, and the measures that do.
    """
    measured = f"all ({', '.join(wanted)})" if FLAGS.what == "all" else FLAGS.what
    takers = {}
    for what, measure in MEASURES.items():
        for name in measure.takes:
            takers.setdefault(name, []).append(what)
    for name, whats in takers.items():
        if FLAGS[name].present and not set(wanted).intersection(whats):
            raise ValueError(
                f"--{name} is of --what={' or '.join(whats)}: leave it out. "
                f"Received: --what={measured}"
            )


def _command_line() -> str:
    """The command that repeats the measurement, as a shell takes it, without its outputs."""
    said = [
        f"--{name}={FLAGS[name].serialize().partition('=')[2]}"
        for name in FLAGS
        if FLAGS[name].present and name not in ("card", "sheet", "about")
    ]
    return shlex.join(["nwt", "evaluate", *said])


if __name__ == "__main__":
    command.run("evaluate", main, FLAGS, __doc__)
