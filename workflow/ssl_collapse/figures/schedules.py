"""The data schedules and the hybrid side by side: accuracy and a label-free measure of each run."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ssl_collapse.config.figures import SchedulesFigure
from ssl_collapse.figures import points
from ssl_collapse.figures.claims import hybrid_claim, schedule_roles, single_pass_claim
from ssl_collapse.figures.inputs import require_numbers
from ssl_collapse.figures.theme import categorical, label_text, new_figure, style
from ssl_collapse.tables.columns import quantity

TITLE = "Data schedules compared"
PANELS = ("accuracy", "measure")
_ROW = 0.42  # inches per run


def table(
    spec: SchedulesFigure, rows: pd.DataFrame, untrained: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The plotted numbers (see `points.point_table`); rows: the runs' summary rows."""
    for column in (spec.accuracy, spec.measure):
        require_numbers(rows, column)
    panels = {"accuracy": spec.accuracy, "measure": spec.measure}
    return points.point_table(rows, panels, untrained)


def draw(spec: SchedulesFigure, numbers: pd.DataFrame) -> Figure:
    """Two panels with one line per run, the first run on top."""
    with style():
        figure = new_figure(1, 2, spec.title or TITLE)
        labels = [mean.label for mean in points.means(numbers, "accuracy")]
        figure.set_figheight(1.5 + _ROW * len(labels))
        panels = figure.subplots(1, 2, sharey=True)
        for axes, panel in zip(panels, PANELS, strict=True):
            _panel(axes, numbers, panel, labels)
        panels[0].set_yticks(range(len(labels)), [*map(label_text, labels)])
        panels[0].set_ylim(len(labels) - 0.5, -0.5)
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
    points.draw_levels(axes, numbers, panel, "x")
    points.draw_diverged(axes, seeds, "position", "x")
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(shown.axis_label)
    if shown.percent:
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=""))
        axes.set_xlim(left=0)


def caption(spec: SchedulesFigure, numbers: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Title line, then the means and whether the paper's claims on schedules hold here."""
    accuracy, measure = quantity(spec.accuracy), quantity(spec.measure)
    steps = sorted(set(rows["steps"].dropna().astype(int)))
    shown = [
        f"{accuracy.name}, and {measure.name}, at the end of training.",
        points.seeds_sentence(numbers),
        points.chance_sentence(numbers),
        points.untrained_sentence(numbers),
        f"Every run trains for {steps[0]:,} steps."
        if len(steps) == 1
        else f"The runs differ in training steps ({steps[0]:,} to {steps[-1]:,}).",
    ]
    means = [
        f"{accuracy.name}: {points.numbers(numbers, 'accuracy')}.",
        f"{measure.name}: {points.numbers(numbers, 'measure')}.",
    ]
    found = [single_pass_claim(rows, measure), hybrid_claim(rows, accuracy), _missing_roles(rows)]
    return points.caption_text(
        spec.title or TITLE, shown, means, found, points.remarks(numbers, rows)
    )


def _missing_roles(rows: pd.DataFrame) -> str:
    missing = [r for r in ("single pass", "multi-epoch", "hybrid") if r not in schedule_roles(rows)]
    if not missing:
        return ""
    roles = " and ".join(f"exactly one {role} run" for role in missing)
    return f"Claims that need {roles} in this figure are not judged."
