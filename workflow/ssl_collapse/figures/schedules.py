"""The data schedules and the hybrid side by side: accuracy and a label-free measure of each run."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssl_collapse.config.figures import SchedulesFigure, TwoPanels
from ssl_collapse.figures import points, theme
from ssl_collapse.figures.claims import (
    hybrid_claim,
    page_sentence,
    schedule_roles,
    single_pass_claim,
)
from ssl_collapse.figures.inputs import with_untrained
from ssl_collapse.tables.columns import quantity

TITLE = "Data schedules compared"
_ROW = 0.42  # inches per run
read = with_untrained
table = points.two_panels


def draw(spec: TwoPanels, numbers: pd.DataFrame, title: str = TITLE) -> Figure:
    """Two panels with one line per run, the first run on top."""
    labels = list(points.rows_of(numbers, "accuracy", "mean")["label"])
    with theme.style(spec):
        height = 1.3 + _ROW * len(labels)
        figure, panels = theme.new_panels(
            spec, title, 2, height=height, sharey=spec.width != "column"
        )
        for axes, panel in zip(panels, points.PANELS, strict=True):
            _panel(axes, numbers, panel, labels)
            axes.set_yticks(range(len(labels)), [*map(theme.label_text, labels)])
            axes.set_ylim(len(labels) - 0.5, -0.5)
        theme.letter(spec, panels)
        points.legend_of_marks(spec, figure)
    return figure


def _panel(axes: Axes, numbers: pd.DataFrame, panel: str, labels: list[str]) -> None:
    height = {label: position for position, label in enumerate(labels)}
    means, seeds = points.means(numbers, panel), points.rows_of(numbers, panel, "seed")
    # Seeds lie just below their mean, so that neither hides the other.
    seeds = seeds.assign(position=seeds["label"].map(height) + 0.22)
    for color, mean in zip(theme.categorical(len(labels)), means, strict=True):
        points.draw_run(axes, mean, seeds, height[mean.label], color, across="x")
    points.draw_chance(axes, points.rows_of(numbers, panel, "chance"), "x")
    before = points.rows_of(numbers, panel, "untrained")
    if before["run"].notna().any():
        points.draw_starts(axes, before, {mean.run: height[mean.label] for mean in means})
    else:
        points.draw_chance(axes, before, "x", "untrained")
    points.draw_diverged(axes, seeds, "position", "x")
    axes.grid(visible=False, axis="y")
    theme.label_values(axes, quantity(means[0].quantity), "x")


def caption(spec: SchedulesFigure, numbers: pd.DataFrame, rows: pd.DataFrame, *_: object) -> str:
    """Title line, then the means and whether the paper's claims on schedules hold here."""
    accuracy, measure = quantity(spec.accuracy), quantity(spec.measure)
    shown = [
        f"{accuracy.name}, and {measure.name}, at the end of training.",
        *points.table_sentences(numbers),
        points.steps_sentence(rows),
    ]
    means = [points.means_sentence(numbers, panel) for panel in points.PANELS]
    claims = spec.claims or 1
    judged = [
        single_pass_claim(rows, measure, claims),
        hybrid_claim(rows, accuracy, claims),
        _missing_roles(rows),
        page_sentence(spec),
    ]
    return points.caption_text(
        spec.title or TITLE, shown, means, judged, points.remarks(numbers, rows)
    )


def _missing_roles(rows: pd.DataFrame) -> str:
    missing = [r for r in ("single pass", "multi-epoch", "hybrid") if r not in schedule_roles(rows)]
    if not missing:
        return ""
    roles = " and ".join(f"exactly one {role} run" for role in missing)
    return f"Claims that need {roles} in this figure are not judged."
