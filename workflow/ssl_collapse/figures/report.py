"""One HTML page with every figure, its caption and the table of runs; needs no other file."""

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ssl_collapse.config.figures import PlottedRun, ReportSpec
from ssl_collapse.figures.inputs import failures, require_numbers, select
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.tables.columns import quantity
from ssl_collapse.tables.statistics import t_interval

TEMPLATE = "report.html.jinja"
_SCHEDULES = {
    "iid": "iid (multi-epoch)",
    "current": "current (single pass)",
    "accumulate": "accumulate (single pass, cumulative)",
    "last": "last (fixed subset)",
}


@dataclass(frozen=True)
class Entry:
    """A figure as the page shows it; `links` maps a file ending to a path relative to the page."""

    name: str
    title: str
    paragraphs: list[str]
    image: str
    links: dict[str, str]


@dataclass(frozen=True)
class Table:
    """The table of runs as text: the column heads and one list of cells per run."""

    heads: list[str]
    rows: list[list[str]]


def entry(png: Path, page: Path) -> Entry:
    """The figure in `png`, with the caption that lies beside it in {name}.txt.

    The caption's first line is the title. `page` is where the report will be. Raises UserError if
    one of the two files is missing.
    """
    caption = png.with_suffix(".txt")
    try:
        image = base64.b64encode(png.read_bytes()).decode("ascii")
        title, _, text = caption.read_text(encoding="utf-8").partition("\n")
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: there is no such file; draw the figure first") from None
    links = {
        kind: relative_link(png.with_suffix(f".{kind}"), page) for kind in ("pdf", "png", "csv")
    }
    return Entry(png.stem, title, _paragraphs(text), image, links)


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def relative_link(target: Path, page: Path) -> str:
    """`target` as a link from `page`, with characters that mean something in a URL escaped."""
    return quote(Path(os.path.relpath(target, page.parent)).as_posix())


def run_table(spec: ReportSpec, summary: pd.DataFrame) -> Table:
    """Mean and half-width of the 95 % t-interval over the seeds of every run, at its last epoch.

    summary: from `read_summary`. Raises UserError for a run or column that it lacks.
    """
    rows = select(summary, [PlottedRun(name=run) for run in spec.runs])
    require_numbers(rows, "auc")
    optional = [name for name in (spec.accuracy, "auc", "rankme") if name in rows]
    shown = [quantity(column) for column in (*optional, "loss")]
    heads = ["Run", "Data schedule", "Share of data", *(q.name for q in shown), "Steps", "Seeds"]
    cells = []
    for run, group in rows.groupby("run", sort=False):
        first = group.iloc[0]
        share, steps = first["share"], first["steps"]
        line = [str(run), _schedule(first), "" if pd.isna(share) else f"{share:g} %"]
        line += [_plus_minus(group[q.column], q.percent) for q in shown]
        cells.append([*line, "" if pd.isna(steps) else f"{int(steps):,}", _seeds(group)])
    return Table(heads, cells)


def _schedule(row: "pd.Series[Any]") -> str:
    if pd.notna(row["start_run"]):
        return f"hybrid: {row['start_run']} to epoch {int(row['start_epoch'])}, then iid"
    if pd.isna(row["schedule"]):
        return "trained elsewhere"
    return _SCHEDULES.get(str(row["schedule"]), str(row["schedule"]))


def _plus_minus(values: "pd.Series[Any]", percent: bool) -> str:
    interval = t_interval(values.to_numpy(dtype="float64"))
    if interval.n == 0:
        return "not available"
    scale, unit = (100, " %") if percent else (1, "")
    digits = 1 if percent or abs(interval.mean) >= 10 else 3
    text = f"{scale * interval.mean:.{digits}f}"
    if interval.n > 1:
        text += f" ± {scale * interval.half_width:.{digits}f}"
    return text + unit


def _seeds(group: pd.DataFrame) -> str:
    diverged = group[group["diverged"]]
    names = [
        f"seed {seed}" + (f" ({reason})" if reason else "")
        for seed, reason in zip(diverged["seed"], failures(diverged), strict=True)
    ]
    return f"{len(group)}, diverged: {', '.join(names)}" if names else f"{len(group)}"


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
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except (
        AttributeError,
        KeyError,
        OSError,
        RecursionError,
        TypeError,
        ValueError,
        ZeroDivisionError,
    ) as error:
        raise UserError(f"{path}: not a dataset.json ({error!r}); build it again") from None
    return (
        f"{name}: {classes} classes, {counts}. Chance is {100 / classes:.3g} % (one over the "
        f"number of classes); always guessing the largest class scores {100 * largest:.3g} %."
    )


def render(
    spec: ReportSpec,
    summary: pd.DataFrame,
    figures: Sequence[Entry],
    datasets: Sequence[str],
    summary_link: str,
) -> str:
    """The page as HTML; every value is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(TEMPLATE).render(
        title=spec.title,
        paragraphs=_paragraphs(spec.description),
        figures=figures,
        table=run_table(spec, summary),
        datasets=datasets,
        missing=spec.missing,
        summary_link=summary_link,
    )
