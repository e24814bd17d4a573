"""Panels of a quantity against a number of the run: means, bands and seeds, a curve or several."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from ssl_collapse.config.figures import TwoPanels
from ssl_collapse.figures import points, theme
from ssl_collapse.tables.columns import quantity


def draw_panels(
    spec: TwoPanels, numbers: pd.DataFrame, title: str, along: str, label: str
) -> Figure:
    """An accuracy and a measure in a panel each; `label` is that of the axis of `along`."""
    with theme.style(spec):
        figure, panels = theme.new_panels(spec, title, 2)
        for axes, panel, color in zip(panels, points.PANELS, theme.categorical(2), strict=True):
            draw_against(axes, numbers, panel, along, None if "curve" in numbers else color)
            axes.set_xlabel(label)
            axes.set_ylabel(theme.wrapped(axes.get_ylabel(), spec))
        theme.letter(spec, panels)
        points.legend_of_marks(spec, figure)
    return figure


def draw_against(
    axes: Axes, numbers: pd.DataFrame, panel: str, along: str, color: str | None = None
) -> None:
    """Points per seed, mean line and band of a panel against the column `along`.

    A curve for each name in the column `curve`, where there is one; with a `color` all have that,
    and differ by marks and dashes alone. Shares are on a logarithmic axis.
    """
    means = points.rows_of(numbers, panel, "mean").sort_values(along)
    seeds = points.rows_of(numbers, panel, "seed")
    names = list(dict.fromkeys(means["curve"])) if "curve" in means else [None]
    if along == "share":
        axes.set_xscale("log")
    colors = [color] * len(names) if color else theme.categorical(len(names))
    markers = ["D"] if len(names) == 1 else theme.MARKERS
    for name, paint, marker, dash in zip(
        names, colors, markers, theme.dashes(len(names)), strict=False
    ):
        curve = [rows if name is None else rows[rows["curve"] == name] for rows in (means, seeds)]
        look = {"color": paint, "marker": marker, "linestyle": dash}
        _draw_curve(axes, curve[0], curve[1], along, look, name)
    points.draw_chance(axes, points.rows_of(numbers, panel, "chance"), "y")
    points.draw_untrained(axes, numbers, panel, "y")
    points.draw_diverged(axes, seeds, along, "y")
    _ticks(axes, means, along)
    theme.label_values(axes, quantity(str(means["quantity"].iloc[0])), "y")


def _draw_curve(
    axes: Axes, means: pd.DataFrame, seeds: pd.DataFrame, along: str, look: dict[str, Any],
    name: str | None,
) -> None:  # fmt: skip
    color = look["color"]
    if means["low"].notna().any():
        theme.draw_band(axes, means[along], means, color, label=points.BAND)
    label = "mean" if name is None else theme.label_text(name)
    axes.plot(means[along], means["value"], label=label, gid="mean", **look)
    axes.scatter(
        seeds[along], seeds["value"], s=16, color=color, alpha=0.55, zorder=4,
        edgecolors="none", label="one seed", gid="seed",
    )  # fmt: skip


def _ticks(axes: Axes, means: pd.DataFrame, along: str) -> None:
    ticks = sorted(set(means[along]))
    if along == "share" and means["value"].isna().any():  # the axis would end where the values end
        margin = max((ticks[-1] / ticks[0]) ** 0.05, 1.1)
        axes.set_xlim(ticks[0] / margin, ticks[-1] * margin)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
