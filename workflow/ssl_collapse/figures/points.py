"""Points per seed with mean and interval: the numbers and marks that several figures share."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ssl_collapse.config.figures import AnyFigure, TwoPanels
from ssl_collapse.figures import theme
from ssl_collapse.figures.inputs import failures, require_numbers
from ssl_collapse.tables.columns import quantity
from ssl_collapse.tables.statistics import Interval, t_interval

COLUMNS = (
    "panel", "quantity", "statistic", "run", "label", "share", "seed", "value", "low", "high",
    "seeds", "diverged",
)  # fmt: skip

PANELS = ("accuracy", "measure")
BAND = "95 % interval"  # its label


def two_panels(
    spec: TwoPanels,
    rows: pd.DataFrame,
    untrained: pd.DataFrame,
    along: str = "share",
    by: str = "arch",
) -> pd.DataFrame:
    """The numbers of an accuracy and a label-free measure, by `point_table`."""
    panels = dict(zip(PANELS, (spec.accuracy, spec.measure), strict=True))
    for column in panels.values():
        require_numbers(rows, column)
    return point_table(rows, panels, untrained, along, by)


def point_table(
    rows: pd.DataFrame,
    panels: Mapping[str, str],
    untrained: pd.DataFrame,
    along: str = "share",
    by: str = "arch",
) -> pd.DataFrame:
    """The numbers of panels that show one point per seed and a mean with its t interval per run.

    rows: one per run and seed (`run`, `label`, `share`, `seed`, `diverged` and the quantities).
    panels: panel name -> summary column. Rows of the result have the `statistic` "seed" (one
    value), "mean" (with `low`, `high` and the number of `seeds` behind it) or "chance" (the level
    of guessing, where the summary has a column `chance` and the panel shows an accuracy). `along`:
    the column that says where a run stands. A column `curve` names the runs' curves, if any do.
    untrained: rows of epoch 0 (`arch` and the quantities), whose mean for each architecture, or
    with `by` for each run, gets the `statistic` "untrained".
    """
    records: list[dict[str, object]] = []
    for panel, column in panels.items():
        head = {"panel": panel, "quantity": column}
        if quantity(column).percent:
            records += [{**head, "statistic": "chance", "value": v} for v in chance_levels(rows)]
        for name, level in untrained.groupby(by, sort=by == "arch")[column].mean().dropna().items():
            whose = {"run": name} if by == "run" else {}
            records.append({**head, "statistic": "untrained", "value": level, **whose})
        for run, group in rows.groupby("run", sort=False):
            named = {**head, "run": run, "label": group["label"].iloc[0]}
            named |= {name: group[name].iloc[0] for name in {along, "curve"} & {*group}}
            seeds = zip(group["seed"], group[column], group["diverged"], strict=True)
            records += [
                {**named, "statistic": "seed", "seed": s, "value": v, "diverged": bool(d)}
                for s, v, d in seeds
            ]
            records.append({**named, **mean_record(group[column], column)})
    extra = [*((along,) if along not in COLUMNS else ()), *(("curve",) if "curve" in rows else ())]
    columns = [*COLUMNS[:6], *extra, *COLUMNS[6:]]
    return pd.DataFrame(records).reindex(columns=columns).astype(_TYPES)


def mean_record(values: pd.Series, column: str) -> dict[str, object]:
    """The mean over seeds of a quantity with its t interval, cut to what is possible."""
    mean = t_interval(values.to_numpy(dtype=np.float64))
    low, high = np.clip([mean.low, mean.high], *quantity(column).range)
    numbers = {"value": mean.mean, "low": low, "high": high, "seeds": mean.n}
    return {"statistic": "mean", **numbers}


_TYPES = {
    "seed": "Int64", "seeds": "Int64", "diverged": "boolean",
    "value": "float64", "low": "float64", "high": "float64", "share": "float64",
}  # fmt: skip


def chance_levels(rows: pd.DataFrame) -> list[float]:
    """The levels of guessing, one for each number of classes."""
    return sorted(set(rows["chance"].dropna())) if "chance" in rows else []


def rows_of(table: pd.DataFrame, panel: str, statistic: str) -> pd.DataFrame:
    """The rows of one panel and statistic."""
    return table[(table["panel"] == panel) & (table["statistic"] == statistic)]


def means(table: pd.DataFrame, panel: str) -> list[Any]:
    """The means of a panel in the order of the table: rows, with its columns as attributes."""
    return list(rows_of(table, panel, "mean").itertuples())


def draw_run(
    axes: Axes, mean: Any, seeds: pd.DataFrame, at: float, color: str, across: str
) -> None:
    """A mean with its interval at the position `at`, and the run's seeds (column `position`).

    mean: one of `means`. across: "y" where values run upwards, "x" where they run to the right.
    """
    seeds = seeds[seeds["run"] == mean.run]
    x, y = _oriented(seeds["position"], seeds["value"], across)
    axes.scatter(
        x, y, s=18, color=color, alpha=0.6, edgecolors="none", label="one seed", gid="seed"
    )
    bars: Any = None
    if math.isfinite(mean.low):
        bars = [[mean.value - mean.low], [mean.high - mean.value]]
    x, y = _oriented([at], [mean.value], across)
    bar = axes.errorbar(
        x, y, **{f"{across}err": bars}, color=color, marker="D", markersize=6, capsize=4,
        elinewidth=1.8, linestyle="none", label="mean, 95 % interval" if bars else "mean",
    )  # fmt: skip
    bar.lines[0].set_gid("mean")


def _oriented(positions: Any, values: Any, across: str) -> tuple[Any, Any]:
    return (positions, values) if across == "y" else (values, positions)


def draw_diverged(axes: Axes, points: pd.DataFrame, along: str, across: str) -> None:
    """Cross out the seeds whose training diverged; without a value the cross sits on an edge, never
    on the one where a representation would be least collapsed.

    along: the column of `points` on the axis of positions; across: "y" where values run upwards,
    "x" where they run to the right.
    """
    flagged = points[points["diverged"].fillna(False).astype(bool)]
    for has_value, group in flagged.groupby(np.isfinite(flagged["value"])):
        positions = group[along].to_numpy()
        edge_at = 1.0 if quantity(str(group["quantity"].iloc[0])).collapse > 0 else 0.0
        values = group["value"].to_numpy() if has_value else np.full(len(group), edge_at)
        edge = axes.get_xaxis_transform() if across == "y" else axes.get_yaxis_transform()
        transform = axes.transData if has_value else edge
        x, y = _oriented(positions, values, across)
        axes.scatter(
            x, y, marker="x", s=70, linewidths=2, color=theme.RED, zorder=6,
            transform=transform, label="diverged", gid="diverged", clip_on=False,
        )  # fmt: skip


# Levels that runs are held against: their names and the styles of their lines.
LEVELS = {"chance": "--", "untrained": "-."}


def draw_chance(axes: Axes, levels: pd.DataFrame, across: str, name: str = "chance") -> None:
    """A line at the level of guessing (or another of LEVELS), with its name."""
    line = axes.axhline if across == "y" else axes.axvline
    for value in levels["value"]:
        line(value, color=theme.DARK, linestyle=LEVELS[name], linewidth=1.0, label=name, gid=name)


def draw_untrained(axes: Axes, table: pd.DataFrame, panel: str, across: str) -> None:
    """A line at the level of the network before training, where the table has it."""
    draw_chance(axes, rows_of(table, panel, "untrained"), across, "untrained")


def draw_starts(axes: Axes, levels: pd.DataFrame, positions: Mapping[str, float]) -> None:
    """A mark at what each run's own network has before training; positions: by run."""
    axes.scatter(
        levels["value"], levels["run"].map(positions), s=30, facecolors="none",
        edgecolors=theme.DARK, zorder=3, label="before training", gid="untrained",
    )  # fmt: skip


_MARKS: dict[str, dict[str, Any]] = {
    "mean": {"marker": "D", "linestyle": "-"},
    "mean, 95 % interval": {"marker": "D", "linestyle": "-"},
    "one seed": {"marker": "o", "linestyle": "none", "markersize": 4.5, "alpha": 0.7},
    **{n: {"linestyle": d, "linewidth": 1.0, "color": theme.DARK} for n, d in LEVELS.items()},
    "before training": {
        "marker": "o", "linestyle": "none", "markersize": 5.5, "color": theme.DARK,
        "markerfacecolor": "none",
    },
    "diverged": {"marker": "x", "linestyle": "none", "color": theme.RED, "markeredgewidth": 2},
}  # fmt: skip


def legend_of_marks(spec: AnyFigure, figure: Figure) -> None:
    """One legend of the marks in use under the panels; grey, since colours mean runs or panels.

    Before them the names of curves, which have marks of their own, where there are any.
    """
    used = theme.legend_entries(*figure.axes)
    entries = {label: h for label, h in used.items() if label not in {*_MARKS, BAND}}
    entries |= {
        label: Line2D([], [], **{"color": theme.GREY, **mark})
        for label, mark in _MARKS.items()
        if label in used
    }
    if BAND in used:
        entries[BAND] = Patch(color=theme.GREY, alpha=theme.BAND_ALPHA, linewidth=0)
    theme.legend_below(spec, figure, list(entries.values()), list(entries), 5)


def caption_text(title: str, *paragraphs: Sequence[str]) -> str:
    """The caption file: the title line, then paragraphs of sentences; empty sentences drop out."""
    texts = [" ".join(s for s in sentences if s) for sentences in paragraphs]
    return "\n\n".join([title, *(t for t in texts if t)]) + "\n"


def table_sentences(table: pd.DataFrame) -> list[str]:
    """What small points, intervals and lines are."""
    return [seeds_sentence(table), chance_sentence(table), untrained_sentence(table)]


def steps_sentence(rows: pd.DataFrame, same: str = "") -> str:
    """For how many steps the runs train; `same`: a word before their number."""
    if rows["steps"].isna().any():
        return "Not of all runs the number of training steps is known."
    steps = sorted(set(rows["steps"].astype(int)))
    if len(steps) == 1:
        return f"Every run trains for {same}{steps[0]:,} steps."
    return f"The runs differ in training steps ({steps[0]:,} to {steps[-1]:,})."


def seeds_sentence(table: pd.DataFrame) -> str:
    """How many seeds are behind the means, and what the interval is."""
    counts = table.loc[table["statistic"] == "mean", "seeds"].dropna().astype(int)
    low, high = int(counts.min()), int(counts.max())
    if high == 0:
        return "No training has left a number."
    if high < 2:
        seeds = "One seed" if low else "At most one seed with numbers"
        return f"{seeds} per run, so there is no interval."
    n = f"{high}" if low == high else f"{low} to {high}"
    text = f"Small points: single seeds ({n} per run). Means with 95 % t-intervals over the seeds"
    return text + (", where a run has at least two." if low < 2 else ".")


def chance_sentence(table: pd.DataFrame) -> str:
    """The level of guessing, if the table holds it."""
    levels = table.loc[table["statistic"] == "chance", "value"]
    if levels.empty:
        return ""
    values = " and ".join(f"{100 * v:.3g} %" for v in levels)
    return f"Dashed: chance, {values} (one over the number of classes)."


def untrained_sentence(table: pd.DataFrame) -> str:
    """What the network before training has, if the table holds it."""
    drawn = table[table["statistic"] == "untrained"]
    if drawn.empty:
        return ""
    if drawn["run"].notna().any():
        return "Open circles: each network before training, mean over seeds."
    levels = drawn[drawn["label"].isna()]  # the others are curves
    values = "; ".join(
        f"{shown.name} {' and '.join(map(shown.number, group['value']))}"
        for column, group in levels.groupby("quantity", sort=False)
        for shown in [quantity(str(column))]
    )
    text = "Dash-dotted: the network before training, mean over runs and seeds"
    return f"{text} ({values})." if values else f"{text}."


def remarks(table: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    """Sentences on seeds that diverged and on values that are missing, if there are any.

    rows: the summary rows behind the table; their `failure` says why.
    """
    points = table[table["statistic"] == "seed"]
    sentences = []
    if rows["diverged"].any():
        sentences.append(
            f"Red crosses mark diverged training ({diverged_names(rows)}): a finite value still "
            "counts in the mean, a missing one is marked at the edge."
        )
    sentences.append(cut_sentence(table))
    for column, group in points[~np.isfinite(points["value"])].groupby("quantity"):
        name, names = quantity(str(column)).name, ", ".join(_seed_names(group))
        sentences.append(f"{name} is not available for {names}.")
    return sentences


def diverged_names(rows: pd.DataFrame) -> str:
    """The seeds that have diverged, and why."""
    diverged = rows[rows["diverged"]]
    return "; ".join(
        name + (f": {reason}" if reason else "")
        for name, reason in zip(_seed_names(diverged), failures(diverged), strict=True)
    )


def cut_sentence(table: pd.DataFrame) -> str:
    """Which quantities have intervals that would go beyond the values that are possible."""
    means = table[table["statistic"] == "mean"]
    cut = [
        quantity(str(column)).name
        for column, group in means.groupby("quantity", sort=False)
        if group[["low", "high"]].isin(quantity(str(column)).range).any(axis=None)
    ]
    return f"Intervals are cut to the values that are possible ({', '.join(cut)})." if cut else ""


def _seed_names(points: pd.DataFrame) -> list[str]:
    pairs = dict.fromkeys(zip(points["label"], points["seed"], strict=True))
    return [f"{label} seed {seed}" for label, seed in pairs]


def means_sentence(table: pd.DataFrame, panel: str) -> str:
    """The means of a panel with their intervals: 'k-NN ...: iid 31.4 % [29.0, 33.8]; ....'."""
    rows = means(table, panel)
    shown = quantity(rows[0].quantity)
    estimates = (
        f"{mean.label} {shown.estimate(Interval(mean.value, mean.low, mean.high, mean.seeds))}"
        for mean in rows
    )
    return f"{shown.name}: {'; '.join(estimates)}."
