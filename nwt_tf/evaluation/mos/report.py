"""The analysis as a whole, and its tables, in Markdown, LaTeX and JSON, and plot."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from nwt_tf.evaluation.mos.cleaning import Verdict, clean
from nwt_tf.evaluation.mos.inference import (
    Comparison,
    Opinion,
    clip_means,
    comparisons,
    opinions,
)
from nwt_tf.evaluation.mos.protocol import EXPERIMENTS
from nwt_tf.evaluation.mos.ratings import Rating
from nwt_tf.files import whole

_STEPS = ("trap", "gold", "correlation")
_INK, _TRUE, _MADE = "#33303c", "#8a8794", "#d2364b"


class Analysis(NamedTuple):
    """What the ratings say.

    opinions: {experiment: {system: Opinion}}, systems in the survey's order.
    comparisons: of every pair of systems, experiment by experiment.
    samples: {(experiment, system, clip): Opinion}.
    verdicts: of every rater.
    kept: ratings of samples that count.
    """

    opinions: dict[str, dict[str, Opinion]]
    comparisons: list[Comparison]
    samples: dict[tuple[str, str, str], Opinion]
    verdicts: list[Verdict]
    kept: list[Rating]


def analyse(ratings: Sequence[Rating], experiments: dict[str, tuple[str, ...]]) -> Analysis:
    """Cleans, averages and tests.

    Args:
        ratings: of finished tasks, all roles.
        experiments: {experiment: its systems, in the order of the tables}.

    Raises:
        ValueError: no ratings, or none left after the cleaning.
    """
    if not ratings:
        raise ValueError("There are no ratings yet: no task has been finished.")
    kept, verdicts = clean(ratings)
    if not kept:
        raise ValueError(f"The cleaning discarded all {len(verdicts)} raters: nothing is left.")
    found = opinions(kept)
    ordered = {
        name: {system: found[name][system] for system in systems if system in found[name]}
        for name, systems in experiments.items()
        if name in found
    }
    tests = [test for name in ordered for test in comparisons(kept, name)]
    return Analysis(ordered, tests, clip_means(kept), verdicts, kept)


def cleaning_counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """{"raters", "trap", "gold", "correlation", "kept"}."""
    counts = Counter(verdict.discarded for verdict in verdicts)
    return {
        "raters": len(verdicts),
        **{step: counts[step] for step in _STEPS},
        "kept": counts[""],
    }


def _systems(analysis: Analysis) -> list[str]:
    return list(dict.fromkeys(s for systems in analysis.opinions.values() for s in systems))


def _best(analysis: Analysis, truth: str) -> dict[str, float]:
    """{experiment: highest mean of a system that is not the truth}."""
    return {
        name: max((o.mean for system, o in of.items() if system != truth), default=float("nan"))
        for name, of in analysis.opinions.items()
    }


def _cell(opinion: Opinion | None, plus_minus: str, dash: str) -> str:
    if opinion is None:
        return dash
    half = "" if opinion.half is None else f" {plus_minus} {opinion.half:.3f}"
    return f"{opinion.mean:.3f}{half}"


def _p(value: float | None) -> str:
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def markdown(analysis: Analysis, truth: str) -> str:
    """Table 1's form, the cleaning, and the tests; the best system but the truth is bold."""
    best, names = _best(analysis, truth), list(analysis.opinions)
    lines = ["# Mean opinion scores", "", "With 95 % intervals from the t-distribution.", ""]
    lines.append("| system | " + " | ".join(EXPERIMENTS[name].column for name in names) + " |")
    lines.append("| --- |" + " ---: |" * len(names))
    for system in _systems(analysis):
        cells = []
        for name in names:
            opinion = analysis.opinions[name].get(system)
            cell = _cell(opinion, "±", "–")
            is_best = opinion is not None and system != truth and opinion.mean == best[name]
            cells.append(f"**{cell}**" if is_best else cell)
        lines.append(f"| {_markdown_text(system)} | " + " | ".join(cells) + " |")
    counts = cleaning_counts(analysis.verdicts)
    lines += [
        "",
        f"Ratings that count: {len(analysis.kept)}, of {counts['kept']} of {counts['raters']} "
        f"raters. Discarded: {counts['trap']} for a trap, {counts['gold']} for a gold clip, "
        f"{counts['correlation']} for a negative correlation.",
        "",
        "## Pairs of systems",
        "",
        "Differences of clips' means, with 95 % intervals; paired t-test over clips, p corrected "
        "for all pairs of an experiment (Holm).",
        "",
        "| experiment | first | second | clips | first − second | p | p (Holm) |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for test in analysis.comparisons:
        difference = _cell(Opinion(test.difference, test.half, test.clips), "±", "–")
        lines.append(
            f"| {test.experiment} | {_markdown_text(test.first)} | {_markdown_text(test.second)} | "
            f"{test.clips} | {difference} | {_p(test.p)} | {_p(test.p_holm)} |"
        )
    return "\n".join(lines) + "\n"


def _markdown_text(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>#|" else letter for letter in text)


def _latex_text(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(c, f"\\{c}" if c in "&%$#_{}" else c) for c in text)


def latex(analysis: Analysis, truth: str) -> str:
    """Table 1's form for a paper (booktabs)."""
    best, names = _best(analysis, truth), list(analysis.opinions)
    lines = [
        "% Mean opinion scores with 95% confidence intervals computed from the t-distribution.",
        r"\begin{tabular}{l" + "c" * len(names) + "}",
        r"\toprule",
        "Model & " + " & ".join(EXPERIMENTS[name].column for name in names) + r" \\",
        r"\midrule",
    ]
    for system in _systems(analysis):
        cells = []
        for name in names:
            opinion = analysis.opinions[name].get(system)
            cell = _cell(opinion, r"\pm", "")
            is_best = opinion is not None and system != truth and opinion.mean == best[name]
            cell = rf"\boldsymbol{{{cell}}}" if is_best else cell
            cells.append(f"${cell}$" if cell else "--")
        lines.append(f"{_latex_text(system)} & " + " & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def to_json(analysis: Analysis) -> dict:
    """Everything, as JSON takes it."""
    return {
        "mos": {
            name: {system: opinion._asdict() for system, opinion in of.items()}
            for name, of in analysis.opinions.items()
        },
        "cleaning": cleaning_counts(analysis.verdicts),
        "comparisons": [test._asdict() for test in analysis.comparisons],
        "samples": [
            {"experiment": experiment, "system": system, "clip": clip, **opinion._asdict()}
            for (experiment, system, clip), opinion in sorted(analysis.samples.items())
        ],
        "raters": [verdict._asdict() for verdict in analysis.verdicts],
    }


def plot(path: str | os.PathLike, analysis: Analysis, truth: str) -> None:
    """Draws means and intervals, an axis for each experiment, as PNG; whole or not at all."""
    from matplotlib.figure import Figure

    systems = _systems(analysis)[::-1]
    width = 3.2 * len(analysis.opinions) + 1.8
    figure = Figure(figsize=(width, 0.42 * len(systems) + 1.3), facecolor="white")
    figure.set_layout_engine("constrained")
    axes = figure.subplots(1, len(analysis.opinions), sharey=True, squeeze=False)[0]
    for axis, (name, of) in zip(axes, analysis.opinions.items(), strict=True):
        for place, system in enumerate(systems):
            if system not in of:
                continue
            opinion = of[system]
            colour = _TRUE if system == truth else _MADE
            axis.errorbar(
                opinion.mean, place, xerr=opinion.half, fmt="o", ms=6, capsize=4, color=colour
            )
            axis.annotate(
                f"{opinion.mean:.2f}",
                (opinion.mean, place),
                xytext=(0, 7),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=_INK,
            )
        axis.set(xlim=(0.9, 5.1), ylim=(-0.6, len(systems) - 0.3), xticks=range(1, 6))
        axis.set_yticks(range(len(systems)), systems)
        axis.set_title(EXPERIMENTS[name].column, fontsize=11, color=_INK)
        axis.set_xlabel("mean opinion score", color=_INK)
        axis.grid(axis="x", color="#dddbe2")
        axis.tick_params(colors=_INK, length=0)
        for side in ("top", "right", "left"):
            axis.spines[side].set_visible(False)
    with whole(path) as beside:
        figure.savefig(beside, format="png", dpi=130)
