"""The last lines of a run: the table of runs, what diverged or failed, the report's path."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from engine.terminal.course import Course, Line
from ssl_collapse.config.paths import INSIDE, fill
from ssl_collapse.plan.results import Results

COLUMNS = ("auc", "knn_cosine_k20", "probe_top1_last", "probe_cached_top1_last")


def closing(course: Course, results: Results, root: Path) -> Iterator[Line]:
    """What to say at the end of a run.

    root: the folder of results. The table stands for a summary that this run has left current.
    """
    whole = course.done == course.total and not course.failed
    summary = root / INSIDE.summary
    if whole and summary.exists():
        yield Line(closing_table(summary))
    for line in diverged(results, root):
        yield Line(line, "yellow")
    if course.interrupted:
        names = ", ".join(course.interrupted)
        yield Line(f"interrupted, the same command goes on: {names}", "yellow")
    if course.failed:
        yield Line(f"failed: {', '.join(course.failed)}", "bold red")
    if course.full_log:
        log = course.full_log.removeprefix(f"{Path.cwd()}/")
        yield Line(f"every line of this run: {log}")
    report = root / INSIDE.report
    if whole and report.exists():
        yield Line(f"report: {report}", "bold green")
    else:
        yield Line(f"report: not yet; `make report` makes {report} from what is there", "bold")


def closing_table(summary: Path) -> str:
    """Mean and 95 % interval over the seeds of AUC and accuracy of every run, at its last epoch."""
    # take seconds, which no plan is to wait for
    import numpy as np

    from ssl_collapse.figures.inputs import read_summary
    from ssl_collapse.tables.columns import quantity
    from ssl_collapse.tables.statistics import t_interval

    table = read_summary(summary)
    shown = [quantity(name) for name in COLUMNS if name in table and table[name].notna().any()]
    rows = [["run", "seeds", *(one.name for one in shown)]]
    for run, group in table[table["final"]].groupby("run", sort=False):
        failed = int(group["diverged"].sum())
        row = [str(run), f"{len(group)}, {failed} diverged" if failed else str(len(group))]
        for one in shown:
            interval = t_interval(group[one.column])
            low, high = np.clip(
                [interval.low, interval.high], *one.range
            )  # as far as values are possible
            row.append(one.estimate(replace(interval, low=float(low), high=float(high))))
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(map(str.rstrip, lines))


def diverged(results: Results, root: Path) -> Iterator[str]:
    """A line for each training of the plan that has diverged: its last loss is no number."""
    for name, run in results.plan.experiment.runs.items():
        for seed in run.seeds:
            training = root / fill(INSIDE.training, run=name, seed=seed)
            if training.exists():
                with training.open(encoding="utf-8", newline="") as file:
                    losses = [row["loss"] for row in csv.DictReader(file)]
                if losses[-1:] == ["nan"]:
                    epoch = losses.index("nan") + 1
                    yield (
                        f"diverged: {name}/seed{seed} in epoch {epoch}; lower base_lr or lengthen "
                        "warmup_epochs"
                    )
