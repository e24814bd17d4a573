"""The report's table of runs: means over seeds at the last epoch, and the notes to its numbers."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ssl_collapse.config.figures import PlottedRun, ReportSpec
from ssl_collapse.config.paths import INSIDE, fill
from ssl_collapse.figures.inputs import failures, require_numbers, select
from ssl_collapse.tables.columns import Quantity, quantity
from ssl_collapse.tables.statistics import t_interval

_SCHEDULES = {
    "iid": "iid (multi-epoch)",
    "current": "current (single pass)",
    "accumulate": "accumulate (single pass, cumulative)",
    "last": "last (fixed subset)",
}


@dataclass(frozen=True)
class Cell:
    """A text, the number that it is sorted by, and the numbers of its notes (from 1)."""

    text: str
    value: float | None = None
    notes: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Table:
    """The column heads, one list of cells per run, and the notes in their order."""

    heads: list[str]
    rows: list[list[Cell]]
    notes: list[str]


def run_table(spec: ReportSpec, summary: pd.DataFrame, noted: Mapping[str, Sequence[str]]) -> Table:
    """Mean and half-width of the 95 % t-interval over the seeds of every run, at its last epoch.

    summary: from `read_summary`. noted: from `measure_notes`; they belong to the AUC. Raises
    UserError for a run or column that it lacks.
    """
    rows = select(summary, [PlottedRun(name=run) for run in spec.runs])
    require_numbers(rows, "auc")
    shown = [quantity(name) for name in (spec.accuracy, "auc", "rankme") if name in rows]
    several = rows["method"].nunique() > 1
    heads = [
        *("Run", "Data schedule", "Share of data"), *(["Method"] if several else []),
        *(q.name for q in shown), "Loss of its method" if several else "Training loss",
        "Steps", "Seeds",
    ]  # fmt: skip
    notes = list(dict.fromkeys(note for some in noted.values() for note in some))
    cells = []
    for run, group in rows.groupby("run", sort=False):
        first = group.iloc[0]
        line = [Cell(str(run)), Cell(_schedule(first)), _number(first["share"], "{:g} %")]
        line += [Cell("" if pd.isna(first["method"]) else str(first["method"]))] * several
        marks = [notes.index(note) + 1 for note in noted.get(str(run), ())]
        line += [_plus_minus(group, q, marks if q.column == "auc" else []) for q in shown]
        line += [_plus_minus(group, quantity("loss"), []), _number(first["steps"], "{:,.0f}")]
        cells.append([*line, Cell(_seeds(group), len(group))])
    return Table(heads, cells, notes)


def measure_notes(spec: ReportSpec, summary: pd.DataFrame, results: Path) -> dict[str, list[str]]:
    """What collapse.json notes of the numbers of each run at its last epoch, by run."""
    noted: dict[str, list[str]] = {}
    rows = summary[summary["final"] & summary["run"].isin(spec.runs)]
    for run, seed, epoch in zip(rows["run"], rows["seed"], rows["epoch"], strict=True):
        path = results / fill(INSIDE.collapse, run=run, seed=seed, epoch=epoch)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found = [str(note) for note in content["notes"]]
        except (OSError, ValueError, LookupError, TypeError):
            continue  # the summary was made without it
        noted[run] = list(dict.fromkeys([*noted.get(run, []), *found]))
    return noted


def _schedule(row: "pd.Series[Any]") -> str:
    if pd.notna(row["start_run"]):
        return f"hybrid: {row['start_run']} to epoch {int(row['start_epoch'])}, then iid"
    if pd.isna(row["schedule"]):
        return "trained elsewhere"
    return _SCHEDULES.get(str(row["schedule"]), str(row["schedule"]))


def _number(value: Any, form: str) -> Cell:
    return Cell("") if pd.isna(value) else Cell(form.format(value), float(value))


def _plus_minus(group: pd.DataFrame, shown: Quantity, notes: list[int]) -> Cell:
    interval = t_interval(group[shown.column].to_numpy(dtype="float64"))
    if interval.n == 0:
        return Cell("not available")
    scale, unit = (100, " %") if shown.percent else (1, "")
    digits = 1 if shown.percent or abs(interval.mean) >= 10 else 3
    text = f"{scale * interval.mean:.{digits}f}"
    if math.isfinite(interval.half_width):
        text += f" ± {scale * interval.half_width:.{digits}f}"
    return Cell(text + unit, interval.mean, notes)


def _seeds(group: pd.DataFrame) -> str:
    diverged = group[group["diverged"]]
    names = [
        f"seed {seed}" + (f" ({reason})" if reason else "")
        for seed, reason in zip(diverged["seed"], failures(diverged), strict=True)
    ]
    return f"{len(group)}, diverged: {', '.join(names)}" if names else f"{len(group)}"
