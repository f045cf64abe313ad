"""Listening tests: build a survey from clips, serve it to raters, analyse their answers.

--action=build: FOLDER/SYSTEM/EPISODE/CLIP.mp4 become a survey, as Appendix E of the paper asks.
--action=serve: raters take it in their browsers; their answers go into SURVEY/answers.sqlite.
--action=analyse: the cleaning, mean opinion scores with intervals, tests, and pay.
--action=export: ratings and clip lists as CSV files for Mechanical Turk and the P.910 toolkit.
"""

from pathlib import Path

from absl import flags

from nwt_tf.bin import command
from nwt_tf.evaluation.mos.protocol import NUM_CLIPS, NUM_RATERS

FLAGS = flags.FlagValues()
flags.DEFINE_enum(
    "action",
    None,
    ["build", "serve", "analyse", "export"],
    "What to do.",
    flag_values=FLAGS,
    required=True,
)
flags.DEFINE_string("survey", None, "The survey's folder.", flag_values=FLAGS, required=True)
flags.DEFINE_string(
    "systems",
    None,
    "build, which needs it: folder with a folder of clips for each system.",
    flag_values=FLAGS,
)
flags.DEFINE_string("truth", "ground_truth", "build: the real footage's folder.", flag_values=FLAGS)
flags.DEFINE_list("experiments", "overall,face,lipsync", "build: which of them.", flag_values=FLAGS)
flags.DEFINE_list(
    "only",
    [],
    "build: systems for one experiment alone, as SYSTEM:EXPERIMENT (Table 1's baselines).",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "gold",
    [],
    "build, which needs it: clips of the truth, picked by hand: clearly natural.",
    flag_values=FLAGS,
)
flags.DEFINE_integer("clips", NUM_CLIPS, "build: episodes, one clip each.", 1, flag_values=FLAGS)
flags.DEFINE_integer(
    "raters", None, f"Ratings a sample; default: {NUM_RATERS}.", 1, flag_values=FLAGS
)
flags.DEFINE_string(
    "trap_speech",
    None,
    "build: folder with 1.wav to 5.wav; default: espeak-ng speaks them.",
    flag_values=FLAGS,
)
flags.DEFINE_string("language", "English", "build: raters' mother tongue.", flag_values=FLAGS)
flags.DEFINE_string("title", "Study of talking videos", "build: of the pages.", flag_values=FLAGS)
flags.DEFINE_string(
    "contact", None, "build, which needs it: whom raters may write to.", flag_values=FLAGS
)
flags.DEFINE_string("payment", "", "build: what raters are told about pay.", flag_values=FLAGS)
flags.DEFINE_string("consent", None, "build: text file instead of ours.", flag_values=FLAGS)
flags.DEFINE_float(
    "upper_share",
    0.5,
    "build: of the picture's height, kept for face and lipsync; the mouth must be in it.",
    0.1,
    1.0,
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "num_workers", None, "build: processes; default: one a core.", 1, flag_values=FLAGS
)
flags.DEFINE_integer("seed", 0, "build: of the choice of clips.", flag_values=FLAGS)
flags.DEFINE_string("host", "127.0.0.1", "serve: address to listen at.", flag_values=FLAGS)
flags.DEFINE_integer("port", 8000, "serve: port; 0 takes a free one.", 0, 65535, flag_values=FLAGS)
flags.DEFINE_list("results", [], "analyse, export: CSV files to add.", flag_values=FLAGS)
flags.DEFINE_string(
    "output_dir", None, "analyse, export: default: within --survey.", flag_values=FLAGS
)
flags.DEFINE_list("pay", "0.35,0.40,0.60", "analyse: base, many, best a task.", flag_values=FLAGS)
flags.DEFINE_string("base_url", None, "export: address of the clips' folder.", flag_values=FLAGS)


def main() -> None:
    from nwt_tf.bin.surveys import listening

    folder = Path(FLAGS.survey)
    if FLAGS.action == "build":
        for flag in ("systems", "contact", "gold"):
            if not FLAGS[flag].value:
                raise ValueError(f"--{flag} must be given to build a survey")
        listening.build(
            folder,
            FLAGS.systems,
            experiments=FLAGS.experiments,
            only=FLAGS.only,
            truth=FLAGS.truth,
            gold=FLAGS.gold,
            num_clips=FLAGS.clips,
            upper_share=FLAGS.upper_share,
            seed=FLAGS.seed,
            trap_speech=FLAGS.trap_speech,
            num_workers=FLAGS.num_workers,
            consent=FLAGS.consent,
            title=FLAGS.title,
            contact=FLAGS.contact,
            language=FLAGS.language,
            payment=FLAGS.payment,
            raters=FLAGS.raters,
        )
    elif FLAGS.action == "serve":
        listening.serve(folder, FLAGS.host, FLAGS.port, FLAGS.raters)
    elif FLAGS.action == "analyse":
        listening.analyse(folder, FLAGS.results, FLAGS.output_dir, FLAGS.pay)
    else:
        listening.export(folder, FLAGS.results, FLAGS.output_dir, FLAGS.base_url)


if __name__ == "__main__":
    command.run("mos", main, FLAGS, __doc__)
