"""The table of runs at the end of a run, as text."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ssl_collapse.figures.inputs import read_summary
from ssl_collapse.tables.columns import Quantity, quantity
from ssl_collapse.tables.statistics import t_interval

COLUMNS = ("auc", "knn_cosine_k20", "probe_top1_last", "probe_cached_top1_last")


def closing_table(summary: Path) -> str:
    """Mean and 95 % interval over the seeds of AUC and accuracy of every run, at its last epoch."""
    table = read_summary(summary)
    shown = [quantity(name) for name in COLUMNS if name in table and table[name].notna().any()]
    rows = [["run", "seeds", *(one.name for one in shown)]]
    for run, group in table[table["final"]].groupby("run", sort=False):
        failed = int(group["diverged"].sum())
        seeds = f"{len(group)}, {failed} diverged" if failed else str(len(group))
        rows.append([str(run), seeds, *(_estimate(one, group[one.column]) for one in shown)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(map(str.rstrip, lines))


def _estimate(one: Quantity, values: ArrayLike) -> str:
    """The mean with its interval, as far as values are possible."""
    found = t_interval(values)
    low, high = np.clip([found.low, found.high], *one.range)
    return one.estimate(replace(found, low=float(low), high=float(high)))
