"""The data schedules and the hybrid side by side: accuracy and a label-free measure of each run."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ssl_collapse.config.figures import SchedulesFigure, TwoPanels
from ssl_collapse.figures import points
from ssl_collapse.figures.claims import (
    hybrid_claim,
    page_sentence,
    schedule_roles,
    single_pass_claim,
)
from ssl_collapse.figures.inputs import with_untrained
from ssl_collapse.figures.theme import categorical, label_text, letter, new_panels, style
from ssl_collapse.tables.columns import quantity

TITLE = "Data schedules compared"
_ROW = 0.42  # inches per run
read = with_untrained
table = points.two_panels


def draw(spec: TwoPanels, numbers: pd.DataFrame, title: str = TITLE) -> Figure:
    """Two panels with one line per run, the first run on top."""
    labels = [mean.label for mean in points.means(numbers, "accuracy")]
    with style(spec):
        height = 1.3 + _ROW * len(labels)
        figure, panels = new_panels(spec, title, 2, height=height, sharey=spec.width != "column")
        for axes, panel in zip(panels, points.PANELS, strict=True):
            _panel(axes, numbers, panel, labels)
            axes.set_yticks(range(len(labels)), [*map(label_text, labels)])
            axes.set_ylim(len(labels) - 0.5, -0.5)
        letter(spec, panels)
        points.legend_below(figure)
    return figure


def _panel(axes: Axes, numbers: pd.DataFrame, panel: str, labels: list[str]) -> None:
    height = {label: position for position, label in enumerate(labels)}
    means, seeds = points.means(numbers, panel), points.of(numbers, panel, "seed")
    # Seeds lie just below their mean, so that neither hides the other.
    seeds = seeds.assign(position=seeds["label"].map(height) + 0.22)
    shown = quantity(means[0].quantity)
    for color, mean in zip(categorical(len(labels)), means, strict=True):
        points.draw_run(axes, mean, seeds, height[mean.label], color, across="x")
    points.draw_chance(axes, points.of(numbers, panel, "chance"), "x")
    before = points.of(numbers, panel, "untrained")
    if before["run"].notna().any():
        points.draw_starts(axes, before, {mean.run: height[mean.label] for mean in means})
    else:
        points.draw_chance(axes, before, "x", "untrained")
    points.draw_diverged(axes, seeds, "position", "x")
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(shown.axis_label)
    if shown.percent:
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=""))
        axes.set_xlim(left=0)


def caption(
    spec: SchedulesFigure,
    numbers: pd.DataFrame,
    rows: pd.DataFrame,
    untrained: pd.DataFrame | None = None,
) -> str:
    """Title line, then the means and whether the paper's claims on schedules hold here."""
    accuracy, measure = quantity(spec.accuracy), quantity(spec.measure)
    shown = [
        f"{accuracy.name}, and {measure.name}, at the end of training.",
        points.seeds_sentence(numbers),
        points.chance_sentence(numbers),
        points.untrained_sentence(numbers),
        steps_sentence(rows),
    ]
    means = means_sentences(spec, numbers)
    claims = spec.claims or 1
    found = [
        single_pass_claim(rows, measure, claims),
        hybrid_claim(rows, accuracy, claims),
        _missing_roles(rows),
        page_sentence(spec),
    ]
    return points.caption_text(
        spec.title or TITLE, shown, means, found, points.remarks(numbers, rows)
    )


def steps_sentence(rows: pd.DataFrame) -> str:
    """For how many steps the runs train."""
    if rows["steps"].isna().any():
        return "Not of all runs the number of training steps is known."
    steps = sorted(set(rows["steps"].astype(int)))
    if len(steps) == 1:
        return f"Every run trains for {steps[0]:,} steps."
    return f"The runs differ in training steps ({steps[0]:,} to {steps[-1]:,})."


def means_sentences(spec: TwoPanels, numbers: pd.DataFrame) -> list[str]:
    """The means of both panels, run by run."""
    return [
        f"{quantity(column).name}: {points.numbers(numbers, panel)}."
        for panel, column in zip(points.PANELS, (spec.accuracy, spec.measure), strict=True)
    ]


def _missing_roles(rows: pd.DataFrame) -> str:
    missing = [r for r in ("single pass", "multi-epoch", "hybrid") if r not in schedule_roles(rows)]
    if not missing:
        return ""
    roles = " and ".join(f"exactly one {role} run" for role in missing)
    return f"Claims that need {roles} in this figure are not judged."
