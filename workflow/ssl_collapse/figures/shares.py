"""Accuracy and a label-free measure against the share of data, at the end of training."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from ssl_collapse.config.figures import SharesFigure
from ssl_collapse.figures import points
from ssl_collapse.figures.claims import share_claim
from ssl_collapse.figures.inputs import require_numbers
from ssl_collapse.figures.theme import BAND_ALPHA, categorical, new_figure, style
from ssl_collapse.tables.columns import quantity

TITLE = "Accuracy and collapse against the share of data"
PANELS = ("accuracy", "measure")


def table(
    spec: SharesFigure, rows: pd.DataFrame, untrained: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The plotted numbers (see `points.point_table`); rows: the runs' summary rows."""
    for column in (spec.accuracy, spec.measure):
        require_numbers(rows, column)
    panels = {"accuracy": spec.accuracy, "measure": spec.measure}
    return points.point_table(rows, panels, untrained)


def draw(spec: SharesFigure, numbers: pd.DataFrame) -> Figure:
    """Two panels, the share on a logarithmic axis."""
    with style():
        figure = new_figure(1, 2, spec.title or TITLE)
        for axes, panel, color in zip(figure.subplots(1, 2), PANELS, categorical(2), strict=True):
            draw_against_share(axes, numbers, panel, color)
        points.legend_below(figure)
    return figure


def draw_against_share(axes: Axes, numbers: pd.DataFrame, panel: str, color: str) -> None:
    """One panel: points per seed, mean line and band against the share of data (log axis)."""
    means = points.of(numbers, panel, "mean").sort_values("share")
    seeds = points.of(numbers, panel, "seed")
    shown = quantity(str(means["quantity"].iloc[0]))
    axes.set_xscale("log")
    if means["low"].notna().any():
        axes.fill_between(
            means["share"], means["low"], means["high"],
            color=color, alpha=BAND_ALPHA, linewidth=0, label="95 % interval", gid="band",
        )  # fmt: skip
    axes.plot(means["share"], means["value"], color=color, marker="D", label="mean", gid="mean")
    axes.scatter(
        seeds["share"], seeds["value"], s=16, color=color, alpha=0.55, zorder=4,
        edgecolors="none", label="one seed", gid="seed",
    )  # fmt: skip
    points.draw_levels(axes, numbers, panel, "y")
    points.draw_diverged(axes, seeds, "share", "y")
    ticks = sorted(set(means["share"]))
    if means["value"].isna().any():  # by itself the axis ends where the values end
        margin = max((ticks[-1] / ticks[0]) ** 0.05, 1.1)
        axes.set_xlim(ticks[0] / margin, ticks[-1] * margin)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.set_xlabel("Share of the training images (%)")
    axes.set_ylabel(shown.axis_label)
    if shown.percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
        axes.set_ylim(bottom=0)


def caption(spec: SharesFigure, numbers: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Title line, then what is shown and whether the paper's claim on more data holds here."""
    accuracy, measure = quantity(spec.accuracy), quantity(spec.measure)
    steps = sorted(set(rows["steps"].dropna().astype(int)))
    if len(steps) == 1:
        fixed = f"Every run trains for the same {steps[0]:,} steps."
    else:
        fixed = f"The runs differ in training steps ({steps[0]:,} to {steps[-1]:,})."
    shown = [
        f"{accuracy.name}, and {measure.name}, against the share of the training images, "
        "at the end of training.",
        points.seeds_sentence(numbers),
        points.chance_sentence(numbers),
        points.untrained_sentence(numbers),
        fixed,
    ]
    found = [share_claim(rows, measure, measure.collapse), share_claim(rows, accuracy, -1)]
    return points.caption_text(spec.title or TITLE, shown, found, points.remarks(numbers, rows))
