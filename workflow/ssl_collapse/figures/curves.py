"""What becomes of runs as they train: columns of the summary or of training.csv by epoch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ssl_collapse.config.figures import CurvesFigure
from ssl_collapse.figures import points
from ssl_collapse.figures.inputs import read_trainings, require_numbers, select
from ssl_collapse.figures.theme import (
    BAND_ALPHA,
    MARKERS,
    categorical,
    dashes,
    label_text,
    letter,
    new_panels,
    style,
    wrapped,
)
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.tables.columns import TRAINING, quantity
from ssl_collapse.tables.statistics import t_interval

TITLE = "Training, epoch by epoch"
_COLUMNS = ("panel", "quantity", "statistic", "run", "label", "epoch", "value", "low", "high",
            "seeds")  # fmt: skip
Trainings = Mapping[tuple[str, int], pd.DataFrame]  # run, seed -> training.csv


def read(
    spec: CurvesFigure, summary: pd.DataFrame, paths: Sequence[Path]
) -> tuple[pd.DataFrame, Trainings]:
    """The runs' rows at every analysed epoch, and their training.csv where a panel needs them."""
    rows = select(summary, spec.runs, "all")
    pairs = zip(rows["run"], rows["seed"], strict=True)
    wanted = list(dict.fromkeys((str(run), int(seed)) for run, seed in pairs))
    needed = any(column in TRAINING for column in spec.columns)
    return rows, read_trainings(paths, wanted) if needed else {}


def table(spec: CurvesFigure, rows: pd.DataFrame, trainings: Trainings) -> pd.DataFrame:
    """The plotted numbers: of each panel, run and epoch the mean over seeds with its t interval.

    rows: the summary's of the runs, of every analysed epoch. Epoch 0 is the network before
    training. The panel is named by its column. UserError for a column that is nowhere.
    """
    records: list[dict[str, object]] = []
    for column in spec.columns:
        long = _long(column, rows, trainings)
        for (run, epoch), group in long.groupby(["run", "epoch"], sort=False):
            found = t_interval(group["value"].to_numpy(dtype=np.float64))
            low, high = np.clip([found.low, found.high], *quantity(column).range)
            label = group["label"].iloc[0]
            records.append(
                dict(zip(_COLUMNS, (column, column, "mean", run, label, epoch, found.mean, low,
                                    high, found.n), strict=True))
            )  # fmt: skip
        if quantity(column).percent:
            head = {"panel": column, "quantity": column, "statistic": "chance"}
            records += [{**head, "value": v} for v in points.chance_levels(rows)]
    whole = pd.DataFrame(records).reindex(columns=list(_COLUMNS))
    return whole.astype({"epoch": "Int64", "seeds": "Int64"})


def _long(column: str, rows: pd.DataFrame, trainings: Trainings) -> pd.DataFrame:
    """Columns run, label, epoch, value: one row per seed."""
    if column not in TRAINING:
        require_numbers(rows, column)
        return rows[["run", "label", "epoch", column]].rename(columns={column: "value"})
    labels = dict(zip(rows["run"], rows["label"], strict=True))
    source, parts = TRAINING[column][0], []
    for (run, _), training in trainings.items():
        if source not in training:
            raise UserError(f"training.csv of {run!r} has no column {source!r}; train it again")
        part = training[["epoch", source]].rename(columns={source: "value"})
        parts.append(part.assign(run=run, label=labels[run]))
    return pd.concat(parts, ignore_index=True)


def draw(spec: CurvesFigure, numbers: pd.DataFrame) -> Figure:
    """A panel for each column, a line for each run."""
    labels = list(dict.fromkeys(numbers["label"].dropna()))
    with style(spec):
        figure, panels = new_panels(spec, TITLE, len(spec.columns))
        for axes, column in zip(panels, spec.columns, strict=True):
            _panel(axes, numbers[numbers["panel"] == column], labels)
            axes.set_ylabel(wrapped(quantity(column).axis_label, spec))
            axes.set_xlabel("Epoch")
        letter(spec, panels)
        used = dict(
            pair
            for axes in panels
            for pair in zip(*axes.get_legend_handles_labels()[::-1], strict=True)
        )
        columns = 2 if spec.width == "column" else 4
        place: dict[str, Any] = {"loc": "outside lower center", "ncols": columns}
        figure.legend(list(used.values()), list(used), frameon=False, **place)
    return figure


def _panel(axes: Axes, numbers: pd.DataFrame, labels: list[str]) -> None:
    column = str(numbers["quantity"].iloc[0])
    kinds = zip(labels, categorical(len(labels)), dashes(len(labels)), MARKERS * len(labels),
                strict=False)  # fmt: skip
    for label, color, dash, marker in kinds:
        curve = numbers[numbers["label"] == label].sort_values("epoch")
        x = curve["epoch"].to_numpy(dtype=np.float64)
        axes.fill_between(
            x, curve["low"], curve["high"], color=color, alpha=BAND_ALPHA, linewidth=0, gid="band"
        )
        axes.plot(
            x, curve["value"], color=color, linestyle=dash, label=label_text(label),
            marker=marker, markevery=max(1, len(x) // 8), markersize=4, gid=f"mean {label}",
        )  # fmt: skip
    points.draw_chance(axes, numbers[numbers["statistic"] == "chance"], "y")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if quantity(column).percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
        axes.set_ylim(bottom=0)


def caption(
    spec: CurvesFigure, numbers: pd.DataFrame, rows: pd.DataFrame, trainings: Trainings
) -> str:
    """Title line, what is shown, and from where to where each run went in each panel."""
    means = numbers[numbers["statistic"] == "mean"]
    seeds = sorted(set(means["seeds"].astype(int)))
    shown = [
        f"{'; '.join(quantity(column).name for column in spec.columns)}; by epoch"
        + (" (0: before training)." if (means["epoch"] == 0).any() else "."),
        f"Means over {seeds[-1]} seeds with 95 % t-intervals." if seeds[-1] > 1 else "One seed.",
        points.chance_sentence(numbers),
    ]
    ends = []
    for column, panel in means.groupby("panel", sort=False):
        of = quantity(str(column))
        for label, curve in panel.groupby("label", sort=False):
            first, last = (curve.sort_values("epoch").iloc[i] for i in (0, -1))
            ends.append(
                f"{of.name}, {label}: {of.number(first['value'])} (epoch {first['epoch']}) to "
                f"{of.number(last['value'])} (epoch {last['epoch']})."
            )
    flagged = sorted(set(rows.loc[rows["diverged"], "label"]))
    remark = [f"Training diverged in seeds of {', '.join(flagged)}."] if flagged else []
    remark.append(points.cut_sentence(numbers))
    if rows["method"].nunique() > 1 and {"training_loss", "loss"} & {*spec.columns}:
        methods = rows.drop_duplicates("run")[["label", "method"]].itertuples(index=False)
        named = ", ".join(f"{label}: {method}" for label, method in methods)
        remark.append(
            f"Losses of different methods are of different kinds and not to be compared ({named})."
        )
    return points.caption_text(spec.title or TITLE, shown, ends, remark)
