"""Listening tests: build a survey from clips, serve it to raters, analyse their answers.

--action=build: FOLDER/SYSTEM/EPISODE/CLIP.mp4 become a survey, as Appendix E of the paper asks.
--action=serve: raters take it in their browsers; their answers go into SURVEY/answers.sqlite.
--action=analyse: the cleaning, mean opinion scores with intervals, tests, and pay.
--action=export: ratings and clip lists as CSV files for Mechanical Turk and the P.910 toolkit.
"""

import time
from pathlib import Path

from absl import flags

from nwt_tf.bin import command

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
    "systems", None, "build: folder with a folder of clips for each system.", flag_values=FLAGS
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
    "gold", [], "build: clips of the truth, picked by hand: clearly natural.", flag_values=FLAGS
)
flags.DEFINE_integer("clips", 50, "build: episodes, one clip each.", 1, flag_values=FLAGS)
flags.DEFINE_integer("raters", None, "Ratings a sample, 30 if not given.", 1, flag_values=FLAGS)
flags.DEFINE_string(
    "trap_speech", None, "build: folder with 1.wav to 5.wav; else espeak-ng.", flag_values=FLAGS
)
flags.DEFINE_string("language", "English", "build: raters' mother tongue.", flag_values=FLAGS)
flags.DEFINE_string("title", "Study of talking videos", "build: of the pages.", flag_values=FLAGS)
flags.DEFINE_string("contact", None, "build: whom raters may write to.", flag_values=FLAGS)
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
flags.DEFINE_integer("num_workers", 0, "build: processes; 0: one a core.", 0, flag_values=FLAGS)
flags.DEFINE_integer("seed", 0, "build: of the choice of clips.", flag_values=FLAGS)
flags.DEFINE_string("host", "127.0.0.1", "serve: address to listen at.", flag_values=FLAGS)
flags.DEFINE_integer("port", 8000, "serve: port; 0 takes a free one.", 0, 65535, flag_values=FLAGS)
flags.DEFINE_list("results", [], "analyse, export: CSV files to add.", flag_values=FLAGS)
flags.DEFINE_string("output_dir", None, "analyse, export: default is in SURVEY.", flag_values=FLAGS)
flags.DEFINE_list("pay", "0.35,0.40,0.60", "analyse: base, many, best a task.", flag_values=FLAGS)
flags.DEFINE_string("base_url", None, "export: address of the clips' folder.", flag_values=FLAGS)


def main() -> None:
    actions = {"build": build, "serve": serve, "analyse": analyse, "export": export}
    actions[FLAGS.action]()


def build() -> None:
    from nwt_tf.bin import stimuli
    from nwt_tf.evaluation.mos import pages, plan
    from nwt_tf.evaluation.mos import survey as surveys
    from nwt_tf.evaluation.mos.protocol import NUM_RATERS

    start, folder = time.monotonic(), Path(FLAGS.survey)
    for flag in ("systems", "contact", "gold"):
        if not FLAGS[flag].value:
            raise ValueError(f"--{flag} must be given to build a survey")
    if (folder / surveys.ANSWERS).exists():
        raise ValueError(f"{folder}: has answers already; build another survey in another folder")
    sources = stimuli.find_clips(FLAGS.systems)
    experiments = experiments_of(list(sources))
    print(*(f"{name}: {', '.join(shown)}" for name, shown in experiments.items()), sep="\n")
    folder.mkdir(parents=True, exist_ok=True)
    with stimuli.voice_folder() as spoken:
        voices = stimuli.trap_voices(FLAGS.trap_speech, FLAGS.language, Path(spoken))
        prints = {
            system: {clip: stimuli.fingerprint(path) for clip, path in clips.items()}
            for system, clips in sources.items()
        }
        shown = plan.plan(
            prints,
            experiments,
            FLAGS.truth,
            FLAGS.gold,
            sorted(voices),
            FLAGS.clips,
            FLAGS.seed,
            FLAGS.upper_share,
        )
        clips = folder / surveys.CLIPS
        written = stimuli.write_stimuli(shown, sources, voices, clips, FLAGS.num_workers)
    consent = surveys.consent_text(FLAGS.contact, FLAGS.payment)
    if FLAGS.consent:
        text = Path(FLAGS.consent).read_text(encoding="utf-8")
        consent = tuple(part.strip() for part in text.split("\n\n") if part.strip())
    survey = surveys.Survey(
        identity=surveys.identity_of(shown),
        title=FLAGS.title,
        contact=FLAGS.contact,
        language=FLAGS.language,
        payment=FLAGS.payment,
        consent=consent,
        raters=FLAGS.raters or NUM_RATERS,
        truth=FLAGS.truth,
        experiments=experiments,
        stimuli=tuple(shown),
    )
    pages.write_pages(folder, survey)
    path = survey.save(folder)
    samples = {name: len(survey.select(name, "sample")) for name in experiments}
    print(f"wrote {written} of {len(shown)} clips (the others were there), pages, and {path}")
    upper = next((s.name for s in shown if s.view == "upper" and s.role == "gold"), None)
    if upper:
        print(
            f"look at {clips / upper}: if the mouth is cut off, build with a larger --upper_share"
        )
    command.report(
        survey=path,
        samples=samples,
        ratings={name: count * survey.raters for name, count in samples.items()},
        stimuli=len(shown),
        seconds=time.monotonic() - start,
    )


def experiments_of(systems: list[str]) -> dict[str, tuple[str, ...]]:
    """The flags' experiments and their systems, the truth last as in Table 1."""
    from nwt_tf.bin.spelling import nearest
    from nwt_tf.evaluation.mos.protocol import EXPERIMENTS

    if FLAGS.truth not in systems:
        raise ValueError(
            f"--truth={FLAGS.truth}: no such folder among {', '.join(systems)}"
            f"{nearest(FLAGS.truth, systems)}"
        )
    only = {}
    for entry in FLAGS.only:
        system, _, experiment = entry.partition(":")
        if system not in systems or system == FLAGS.truth:
            raise ValueError(f"--only={entry}: {system} is none of the systems to compare")
        only.setdefault(system, set()).add(experiment)
    for name in [*FLAGS.experiments, *(name for names in only.values() for name in names)]:
        if name not in EXPERIMENTS:
            raise ValueError(
                f"There is no experiment {name!r}{nearest(name, EXPERIMENTS)}; there are "
                f"{', '.join(EXPERIMENTS)}"
            )
    ordered = [*(system for system in systems if system != FLAGS.truth), FLAGS.truth]
    chosen = {
        name: tuple(system for system in ordered if name in only.get(system, {name}))
        for name in EXPERIMENTS
        if name in FLAGS.experiments
    }
    for name, shown in chosen.items():
        if len(shown) < 2:
            raise ValueError(f"The experiment {name} has no system to compare with {FLAGS.truth}")
    return chosen


def serve() -> None:
    from nwt_tf.evaluation.mos import survey as surveys

    try:
        from nwt_tf.evaluation.mos import server
    except ModuleNotFoundError as error:
        raise ValueError(f"{error.name} is missing: pip install '.[mos]'") from error
    from nwt_tf.evaluation.mos.store import Store
    from nwt_tf.evaluation.mos.study import Study

    folder = Path(FLAGS.survey)
    survey = surveys.load(folder)
    store = Store(folder / surveys.ANSWERS, survey.identity)
    study = Study(survey, store, FLAGS.raters)
    app = server.make_app(study, folder, server.admin_token(folder))

    def ready(host: str, port: int) -> None:
        host = f"[{host}]" if ":" in host else host
        print(f"serving {folder} at http://{host}:{port}/ (Ctrl-C ends it; answers are kept)")
        for name in survey.experiments:
            print(f"  {name} alone: http://{host}:{port}/?experiment={name}")
        print(f"  progress: http://{host}:{port}/admin", end="")
        print(f" with the token in {folder / server.TOKEN_FILE}", flush=True)

    try:
        server.serve(app, FLAGS.host, FLAGS.port, ready)
    finally:
        store.close()


def gather(survey, folder: Path) -> list:
    """Ratings of the server and of --results; a person is their worker number where it is sure."""
    from nwt_tf.evaluation.mos import exchange, ratings
    from nwt_tf.evaluation.mos import survey as surveys
    from nwt_tf.evaluation.mos.store import Store

    found, codes, workers = [], {}, {}
    if (folder / surveys.ANSWERS).exists():
        store = Store(folder / surveys.ANSWERS, survey.identity)
        found, codes = ratings.from_store(store, survey), store.codes()
        store.close()
    for path in FLAGS.results:
        added, given = exchange.read(path, survey, codes)
        found += added
        workers |= given
        print(f"{path}: {len(added)} ratings, {len(given)} workers")
    # What a worker typed into a link could name somebody else: only paid codes join raters.
    return [
        rating._replace(rater=workers[rating.rater], worker=workers[rating.rater])
        if rating.rater in workers
        else rating
        for rating in found
    ]


def analyse() -> None:
    import json

    from nwt_tf.evaluation.mos import bonus, ratings, report
    from nwt_tf.evaluation.mos import survey as surveys

    folder = Path(FLAGS.survey)
    survey = surveys.load(folder)
    try:
        base, many, best = (float(amount) for amount in FLAGS.pay)
    except ValueError as error:
        raise ValueError(f"--pay={','.join(FLAGS.pay)}: three amounts, base,many,best") from error
    every = gather(survey, folder)
    analysis = report.analyse(every, survey.experiments)
    output = Path(FLAGS.output_dir or folder / "analysis")
    output.mkdir(parents=True, exist_ok=True)
    facts = report.to_json(analysis)
    table = report.markdown(analysis, survey.truth)
    for name, text in (
        ("mos.md", table),
        ("mos.tex", report.latex(analysis, survey.truth)),
        ("mos.json", json.dumps(facts, indent=1) + "\n"),
    ):
        report.write_text(output / name, text)
    report.plot(output / "mos.png", analysis, survey.truth)
    ratings.write_csv(output / "ratings.csv", every)
    paid = bonus.pay(analysis.verdicts, base, many, best)
    ratings.write_rows(output / "pay.csv", bonus.Pay._fields, paid)
    print(table)
    few = [name for name, opinion in analysis.samples.items() if opinion.ratings < survey.raters]
    if few:
        print(f"{len(few)} samples have fewer than {survey.raters} ratings that count: serve on.\n")
    print(f"wrote mos.md, mos.tex, mos.json, mos.png, ratings.csv and pay.csv in {output}")
    command.report(
        output_dir=output,
        mos={
            name: {system: [opinion.mean, opinion.half] for system, opinion in of.items()}
            for name, of in analysis.opinions.items()
        },
        cleaning=facts["cleaning"],
        ratings=len(analysis.kept),
        pay=sum(row.total for row in paid),
    )


def export() -> None:
    from nwt_tf.evaluation.mos import exchange, ratings
    from nwt_tf.evaluation.mos import survey as surveys

    folder = Path(FLAGS.survey)
    survey = surveys.load(folder)
    every = gather(survey, folder)
    output = Path(FLAGS.output_dir or folder / "export")
    output.mkdir(parents=True, exist_ok=True)
    ratings.write_csv(output / "ratings.csv", every)
    exchange.write_mturk(output / "mturk_results.csv", every)
    exchange.write_p910(output / "p910_votes.csv", every)
    written = ["ratings.csv", "mturk_results.csv", "p910_votes.csv"]
    if FLAGS.base_url:
        for name in survey.experiments:
            paths = exchange.write_p910_inputs(output, survey, name, FLAGS.base_url)
            written += [path.name for path in paths]
    print(f"wrote {', '.join(written)} in {output}")
    command.report(output_dir=output, files=written, ratings=len(every))


if __name__ == "__main__":
    command.run("mos", main, FLAGS, __doc__)
