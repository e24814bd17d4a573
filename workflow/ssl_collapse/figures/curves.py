"""What becomes of runs as they train: columns of the summary or of training.csv by epoch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ssl_collapse.config.figures import CurvesFigure
from ssl_collapse.figures import points, theme
from ssl_collapse.figures.inputs import read_trainings, require_numbers, select
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.tables.columns import TRAINING, quantity

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
            mean = points.mean_record(group["value"], column)
            name = {"run": run, "label": group["label"].iloc[0], "epoch": epoch}
            records.append({"panel": column, "quantity": column, **name, **mean})
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
        seed_rows = training[["epoch", source]].rename(columns={source: "value"})
        parts.append(seed_rows.assign(run=run, label=labels[run]))
    return pd.concat(parts, ignore_index=True)


def draw(spec: CurvesFigure, numbers: pd.DataFrame) -> Figure:
    """A panel for each column, a line for each run."""
    labels = list(dict.fromkeys(numbers["label"].dropna()))
    with theme.style(spec):
        figure, panels = theme.new_panels(spec, TITLE, len(spec.columns))
        for axes, column in zip(panels, spec.columns, strict=True):
            _panel(axes, numbers[numbers["panel"] == column], labels)
            axes.set_ylabel(theme.wrapped(axes.get_ylabel(), spec))
            axes.set_xlabel("Epoch")
        theme.letter(spec, panels)
        used = theme.legend_entries(*panels)
        theme.legend_below(spec, figure, list(used.values()), list(used), 4)
    return figure


def _panel(axes: Axes, numbers: pd.DataFrame, labels: list[str]) -> None:
    column = str(numbers["quantity"].iloc[0])
    n = len(labels)
    looks = zip(theme.categorical(n), theme.dashes(n), theme.MARKERS * n, strict=False)
    for label, (color, dash, marker) in zip(labels, looks, strict=True):
        curve = numbers[numbers["label"] == label].sort_values("epoch")
        x = curve["epoch"].to_numpy(dtype=np.float64)
        theme.draw_band(axes, x, curve, color)
        axes.plot(
            x, curve["value"], color=color, linestyle=dash, label=theme.label_text(label),
            marker=marker, markevery=max(1, len(x) // 8), markersize=4, gid=f"mean {label}",
        )  # fmt: skip
    points.draw_chance(axes, numbers[numbers["statistic"] == "chance"], "y")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    theme.label_values(axes, quantity(column), "y")


def caption(spec: CurvesFigure, numbers: pd.DataFrame, rows: pd.DataFrame, *_: object) -> str:
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
        shown_as = quantity(str(column))
        for label, curve in panel.groupby("label", sort=False):
            first, last = (curve.sort_values("epoch").iloc[i] for i in (0, -1))
            ends.append(
                f"{shown_as.name}, {label}: {shown_as.number(first['value'])} "
                f"(epoch {first['epoch']}) to {shown_as.number(last['value'])} "
                f"(epoch {last['epoch']})."
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
