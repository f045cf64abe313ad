"""What `nwt mos` does: footage (data_pipeline) to surveys, and answers to figures (nwt_tf)."""

import contextlib
import json
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nwt_tf.bin import command
from nwt_tf.bin.spelling import nearest
from nwt_tf.evaluation.mos import bonus, exchange, pages, plan, ratings, report
from nwt_tf.evaluation.mos import survey as surveys
from nwt_tf.evaluation.mos.protocol import EXPERIMENTS, LANGUAGE_CHARS, NUM_RATERS
from nwt_tf.evaluation.mos.store import Store
from nwt_tf.files import write_text


def build(
    folder: Path,
    systems: str | os.PathLike,
    *,
    experiments: Sequence[str],
    only: Sequence[str],
    truth: str,
    gold: list[str],
    num_clips: int,
    upper_share: float,
    seed: int,
    trap_speech: str | None,
    num_workers: int | None,
    consent: str | None,
    title: str,
    contact: str,
    language: str,
    payment: str,
    raters: int | None,
) -> None:
    """Makes a survey of folders of clips; see the flags of `nwt mos`.

    Raises:
        OSError, ValueError: clips that are missing or cannot be read, choices that do not fit
            them, no voice for the traps, or a survey that has answers already.
    """
    from nwt_tf.bin.surveys import stimuli

    start = time.monotonic()
    if (folder / surveys.ANSWERS).exists():
        raise ValueError(f"{folder}: has answers already; build another survey in another folder")
    language = " ".join(language.split())  # as browsers send what raters choose
    if not 0 < len(language) <= LANGUAGE_CHARS:
        raise ValueError(
            f"--language must be a name of at most {LANGUAGE_CHARS} characters, or nobody can "
            f"join, not {language!r}"
        )
    if not math.isfinite(upper_share):  # NaN passes for any bounds.
        raise ValueError(f"--upper_share must be a number from 0.1 to 1, not {upper_share}")
    sources = stimuli.find_clips(systems)
    chosen = experiments_of(list(sources), experiments, only, truth)
    paragraphs = read_consent(consent) if consent else surveys.consent_text(contact, payment)
    print(*(f"{name}: {', '.join(shown)}" for name, shown in chosen.items()), sep="\n")
    with stimuli.voice_folder() as spoken:
        voices = stimuli.trap_voices(trap_speech, language, Path(spoken))
        prints = {
            system: {clip: stimuli.fingerprint(path) for clip, path in clips.items()}
            for system, clips in sources.items()
        }
        shown = plan.plan(prints, chosen, truth, gold, sorted(voices), num_clips, seed, upper_share)
        clips = folder / surveys.CLIPS
        written = stimuli.write_stimuli(shown, sources, voices, clips, num_workers)
    survey = surveys.Survey(
        identity=surveys.identity_of(shown),
        title=title,
        contact=contact,
        language=language,
        payment=payment,
        consent=paragraphs,
        raters=raters or NUM_RATERS,
        truth=truth,
        experiments=chosen,
        stimuli=tuple(shown),
    )
    pages.write_pages(folder, survey)
    path = survey.save(folder)
    print(f"wrote {written} of {len(shown)} clips (the others were there), pages, and {path}")
    upper = next((s.name for s in shown if s.view == "upper" and s.role == "gold"), None)
    if upper:
        print(f"look at {clips / upper}: no mouth? build with a larger --upper_share")
    samples = {name: len(survey.select(name, "sample")) for name in chosen}
    command.report(
        survey=path,
        samples=samples,
        ratings={name: count * survey.raters for name, count in samples.items()},
        stimuli=len(shown),
        seconds=time.monotonic() - start,
    )


def read_consent(path: str | os.PathLike) -> tuple[str, ...]:
    """The paragraphs of a consent text of one's own, which empty lines separate.

    Raises:
        OSError: no such file.
        ValueError: it holds no text.
    """
    try:
        parts = Path(path).read_text(encoding="utf-8").split("\n\n")
    except UnicodeDecodeError:
        parts = []
    paragraphs = tuple(part.strip() for part in parts if part.strip())
    if not paragraphs:
        raise ValueError(f"--consent must be a text file, in UTF-8 and not empty, not {path}")
    return paragraphs


def experiments_of(
    systems: Sequence[str], experiments: Sequence[str], only: Sequence[str], truth: str
) -> dict[str, tuple[str, ...]]:
    """Which systems each experiment shows, the truth last as in Table 1.

    Args:
        systems: the folders that were found.
        experiments: names of EXPERIMENTS.
        only: SYSTEM:EXPERIMENT each, for systems that the other experiments do not show.
        truth: the system that is real footage.

    Raises:
        ValueError: an unknown name, no experiment, a system for an experiment that is not asked
            for, or an experiment that has nothing to compare.
    """
    if truth not in systems:
        raise ValueError(
            f"--truth={truth}: no such folder among {', '.join(systems)}{nearest(truth, systems)}"
        )
    if not experiments:
        raise ValueError(f"--experiments must name some of {', '.join(EXPERIMENTS)}, not ''")
    for name in experiments:
        if name not in EXPERIMENTS:
            raise ValueError(
                f"There is no experiment {name!r}{nearest(name, EXPERIMENTS)}; there are "
                f"{', '.join(EXPERIMENTS)}"
            )
    limited = {}
    for entry in only:
        system, _, experiment = entry.partition(":")
        if system not in systems or system == truth:
            raise ValueError(f"--only={entry}: {system} is none of the systems to compare")
        if experiment not in experiments:
            raise ValueError(
                f"--only={entry}: must name one of --experiments={','.join(experiments)}, as "
                f"SYSTEM:EXPERIMENT, not {experiment!r}{nearest(experiment, experiments)}"
            )
        limited.setdefault(system, set()).add(experiment)
    ordered = [*(system for system in systems if system != truth), truth]
    chosen = {
        name: tuple(system for system in ordered if name in limited.get(system, {name}))
        for name in EXPERIMENTS
        if name in experiments
    }
    for name, shown in chosen.items():
        if len(shown) < 2:
            raise ValueError(f"The experiment {name} has no system to compare with {truth}")
    return chosen


def serve(folder: Path, host: str, port: int, raters: int | None) -> None:
    """Serves a survey until it is interrupted.

    Raises:
        OSError, ValueError: no survey, an incomplete one, answers to another one, an empty host, a
            taken port, or the server's packages are not installed.
    """
    survey = surveys.load(folder)
    try:
        from nwt_tf.evaluation.mos import server
        from nwt_tf.serving import web
    except ModuleNotFoundError as error:
        raise ValueError(f"{error.name} is missing: pip install 'nwt_tf[mos]'") from error
    from nwt_tf.evaluation.mos.study import Study

    def ready() -> None:
        address = web.address(listening)
        print(f"serving {folder} at {address}/ (Ctrl-C ends it; answers are kept)")
        for name in survey.experiments:
            print(f"  {name} alone: {address}/?experiment={name}")
        token = folder / server.TOKEN_FILE
        print(f"  progress: {address}/admin with the token in {token}", flush=True)

    answers = folder / surveys.ANSWERS
    # Made when the server can listen: a survey that has answers is not built anew.
    with (
        web.listen(host, port) as listening,
        contextlib.closing(Store(answers, survey.identity)) as store,
    ):
        study = Study(survey, store, raters)
        web.serve(server.make_app(study, folder, server.admin_token(folder)), listening, ready)


def gather(folder: Path, results: Iterable[str]) -> tuple[surveys.Survey, list[ratings.Rating]]:
    """The survey, and its ratings from the server's answers and from CSV files.

    Raises:
        OSError, ValueError: no survey, a file that cannot be read, or ratings given twice.
    """
    survey = surveys.load(folder)
    found, codes, workers = [], {}, {}
    if (folder / surveys.ANSWERS).exists():
        store = Store(folder / surveys.ANSWERS, survey.identity)
        found, codes = ratings.from_store(store, survey), store.codes()
        store.close()
    sources = [("the server", found)]
    for path in results:
        added, given = exchange.read(path, survey, codes)
        sources.append((path, added))
        workers |= given
        print(f"{path}: {len(added)} ratings, {len(given)} workers")
    joined = [(path, [_by_worker(each, workers) for each in added]) for path, added in sources]
    _check_once(joined)
    return survey, [rating for _, added in joined for rating in added]


def _check_once(sources: Iterable[tuple[str, list[ratings.Rating]]]) -> None:
    """Refuses what would count twice: a rating that is there already, or all that a person gave in
    a file, since files of other forms name tasks, and raters by their workers, otherwise.

    Raises:
        ValueError: naming the file and the rater.
    """
    there, told = set(), set()
    for path, added in sources:
        people = {}
        for rating in added:
            people.setdefault(rating.worker or rating.rater, []).append(rating)
        twice = [theirs[0] for theirs in people.values() if told.issuperset(map(_content, theirs))]
        for rating in added:
            identity = rating.experiment, rating.rater, rating.task, rating.name
            twice += [rating] * (identity in there)
            there.add(identity)
        if twice:
            raise ValueError(
                f"{path}: {twice[0].rater}'s rating of {twice[0].name} is there already, from the "
                "server or from a file before: every rating counts once"
            )
        told.update(map(_content, added))


def _content(rating: ratings.Rating) -> tuple[str, str, str, int]:
    return rating.experiment, rating.worker or rating.rater, rating.name, int(rating.score)


def _by_worker(rating: ratings.Rating, workers: Mapping[str, str]) -> ratings.Rating:
    """A worker is one person, whatever browsers they used.

    Only codes of finished tasks join raters: a number in a link could be somebody else's, whose
    ratings a failed trap would discard.
    """
    worker = workers.get(rating.rater)
    return rating._replace(rater=worker, worker=worker) if worker else rating


def analyse(
    folder: Path, results: Iterable[str], output_dir: str | None, amounts: Sequence[str]
) -> None:
    """Cleans, averages, tests, and writes tables, plot and pay.

    Raises:
        OSError, ValueError: amounts that nobody can be paid, no survey, no ratings that count, or
            files that cannot be read.
    """
    base, many, best = read_amounts(amounts)
    survey, every = gather(folder, results)
    analysis = report.analyse(every, survey.experiments)
    output = Path(output_dir or folder / "analysis")
    output.mkdir(parents=True, exist_ok=True)
    facts = report.to_json(analysis)
    table = report.markdown(analysis, survey.truth)
    write_text(output / "mos.md", table)
    write_text(output / "mos.tex", report.latex(analysis, survey.truth))
    write_text(output / "mos.json", json.dumps(facts, indent=1) + "\n")
    report.plot(output / "mos.png", analysis, survey.truth)
    ratings.write_csv(output / "ratings.csv", every)
    paid = bonus.pay(analysis.verdicts, base, many, best)
    ratings.write_rows(output / "pay.csv", bonus.Pay._fields, paid)
    print(table)
    few = sum(opinion.ratings < survey.raters for opinion in analysis.samples.values())
    few += sum(len(survey.select(name, "sample")) for name in survey.experiments)
    few -= len(analysis.samples)
    if few:
        print(f"{few} samples have fewer than {survey.raters} ratings that count: serve on.\n")
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


def read_amounts(texts: Sequence[str]) -> list[float]:
    """The three amounts that `bonus.pay` takes.

    Raises:
        ValueError: others than three, or one that is negative, infinite or no number.
    """
    try:
        amounts = [float(text) for text in texts]
    except ValueError:
        amounts = []
    if len(amounts) != 3 or not all(0 <= amount < math.inf for amount in amounts):
        raise ValueError(
            "--pay must be three amounts, base,many,best, finite and none below 0, "
            f"not {','.join(texts)}"
        )
    return amounts


def export(
    folder: Path, results: Iterable[str], output_dir: str | None, base_url: str | None
) -> None:
    """Writes ratings, and lists of clips, for Mechanical Turk and the P.910 toolkit.

    Raises:
        OSError, ValueError: no survey, or files that cannot be read.
    """
    survey, every = gather(folder, results)
    output = Path(output_dir or folder / "export")
    output.mkdir(parents=True, exist_ok=True)
    ratings.write_csv(output / "ratings.csv", every)
    exchange.write_mturk(output / "mturk_results.csv", every)
    exchange.write_p910(output / "p910_votes.csv", every)
    written = ["ratings.csv", "mturk_results.csv", "p910_votes.csv"]
    if base_url:
        for name in survey.experiments:
            paths = exchange.write_p910_inputs(output, survey, name, base_url)
            written += [path.name for path in paths]
    print(f"wrote {', '.join(written)} in {output}")
    command.report(output_dir=output, files=written, ratings=len(every))
