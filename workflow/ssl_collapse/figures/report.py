"""The report: one HTML page with verdicts, figures, the table of runs, and what was run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ssl_collapse.config.figures import ReportSpec
from ssl_collapse.figures.claims import Told, told
from ssl_collapse.figures.entries import Entry, entry, paragraphs, relative_link
from ssl_collapse.figures.inputs import read_summary
from ssl_collapse.figures.page import render
from ssl_collapse.figures.report_table import measure_notes, run_table
from ssl_collapse.figures.what_ran import WhatRan, measurements, recipe_tables
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.tables.columns import quantity

TEMPLATE = "report.html.jinja"
# kinds of verdicts, in the order of the page, and how the headline counts them
COUNTED = {
    "shows": "shows",
    "opposite": "goes the other way",
    "undecided": "undecided",
    "unjudged": "not judged",
}


@dataclass(frozen=True)
class Sources:
    """The files that the page is made from, and where it will be.

    summary: tables/summary.csv. figures: figures/NAME.png in the page's order, with .txt and .csv
    beside each. datasets: dataset.json files. results: the folder that holds runs/RUN/seedK/.
    """

    summary: Path
    figures: Sequence[Path]
    datasets: Sequence[Path]
    results: Path
    page: Path


def page(spec: ReportSpec, sources: Sources, ran: WhatRan, partial: bool = False) -> str:
    """The page as HTML.

    partial: make it of what is there, and say what is not yet. Otherwise what is missing raises
    UserError.
    """
    figures = [entry(png, sources.page) for png in sources.figures if not partial or _drawn(png)]
    datasets = [dataset_sentence(p) for p in sources.datasets if not partial or p.exists()]
    summary = read_summary(sources.summary) if not partial or sources.summary.exists() else None
    absent = _absent(spec, sources, summary) if partial else []
    if summary is not None and partial:
        known = [run for run in spec.runs if run in _measured(summary)]
        spec = spec.model_copy(update={"runs": known})
    table, state = None, ["No run has been measured yet."]
    if summary is not None and spec.runs:
        table = run_table(spec, summary, measure_notes(spec, summary, sources.results))
        state = _state(spec, summary)
    verdicts = _verdicts(figures)
    shared, heads, differing = recipe_tables(ran.recipes)
    return render(
        TEMPLATE,
        title=spec.title,
        paragraphs=paragraphs(spec.description),
        headline=_headline([one for _, one in verdicts]),
        state=state,
        verdicts=verdicts,
        figures=figures,
        table=table,
        datasets=datasets,
        absent=absent,
        missing=spec.missing,
        summary_link=relative_link(sources.summary, sources.page),
        shared=shared,
        differing_heads=heads,
        differing=differing,
        measured=measurements(ran.stages),
        ran=ran,
    )


def _verdicts(figures: Sequence[Entry]) -> list[tuple[Entry, Told]]:
    """The claims that figures judge, those that show first; one that two figures judge by the same
    numbers is told once, as the one that is more cautious has it."""
    order = list(COUNTED)
    found: dict[tuple[str, ...], tuple[Entry, Told]] = {}
    for figure in figures:
        for one in (one for text in figure.paragraphs for one in told(text)):
            key = (one.about, one.claim, one.numbers.partition(" [")[0])
            if key not in found or order.index(one.kind) > order.index(found[key][1].kind):
                found[key] = figure, one
    return sorted(found.values(), key=lambda pair: order.index(pair[1].kind))


def _headline(claims: Sequence[Told]) -> str:
    if not claims:
        return "No claim of the paper is judged by these figures"
    counts = {kind: sum(one.kind == kind for one in claims) for kind in COUNTED}
    told = ", ".join(f"{n} {COUNTED[kind]}" for kind, n in counts.items() if n)
    return f"Of {len(claims)} claims judged: {told}" if len(claims) > 1 else f"One claim: {told}"


def _state(spec: ReportSpec, summary: pd.DataFrame) -> list[str]:
    """How many runs there are, which have diverged, and from where to where the AUC goes."""
    rows = summary[summary["final"] & summary["run"].isin(spec.runs)]
    gone = rows[rows["diverged"]]
    counted = (("run", len(spec.runs)), ("training", len(rows)))
    text = ", ".join(f"{number} {word}{'s' * (number != 1)}" for word, number in counted)
    text += f", of which {len(gone)} diverged" if len(gone) else ", none of which diverged"
    sentences = [f"{text}."]
    means = rows.groupby("run", sort=False)["auc"].mean().dropna()
    if means.nunique() > 1:
        auc = quantity("auc")
        sentences.append(
            f"AUC (0.5: flat spectrum; higher: more collapsed) is lowest in {means.idxmin()}, "
            f"{auc.number(means.min())}, and highest in {means.idxmax()}, "
            f"{auc.number(means.max())}."
        )
    return sentences


def _drawn(png: Path) -> bool:
    return all(png.with_suffix(f".{kind}").exists() for kind in ("png", "txt", "csv"))


def _measured(summary: pd.DataFrame) -> set[str]:
    return set(summary.loc[summary["final"], "run"])


def _absent(spec: ReportSpec, sources: Sources, summary: pd.DataFrame | None) -> list[str]:
    """What is not there yet: a sentence each."""
    absent = [f"The figure {p.stem} is not drawn yet." for p in sources.figures if not _drawn(p)]
    if summary is None:
        return [*absent, "There is no table of runs yet: not all of them are measured."]
    without = [run for run in spec.runs if run not in _measured(summary)]
    return [*absent, *(f"The run {run} is not in the table yet." for run in without)]


def dataset_sentence(path: Path) -> str:
    """What a dataset.json says of the data, and what chance means there.

    Chance is one over the number of classes (a uniform guess); always guessing the largest class
    is told too, since it scores higher where the classes differ in size.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        name, classes = str(content["dataset"]), len(content["classes"])
        train, val = (content["splits"][split] for split in ("train", "val"))
        largest = max(val["per_class"].values()) / val["images"]
        counts = f"{train['images']:,} training and {val['images']:,} validation images"
        fingerprint = content.get("fingerprint")
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except Exception as error:  # whatever the file holds instead
        raise UserError(f"{path}: not a dataset.json ({error!r}); build it again") from None
    return (
        f"{name}: {classes} classes, {counts}"
        + ("" if fingerprint is None else f", fingerprint {fingerprint}")
        + f". Chance is {100 / classes:.3g} % (one over the number of classes); always guessing "
        f"the largest class scores {100 * largest:.3g} %."
    )
