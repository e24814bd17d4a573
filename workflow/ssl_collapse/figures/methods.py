"""Methods side by side."""

import pandas as pd
from matplotlib.figure import Figure

from ssl_collapse.config.figures import MethodsFigure
from ssl_collapse.figures import points, schedules
from ssl_collapse.figures.inputs import with_untrained
from ssl_collapse.tables.columns import quantity

TITLE = "Methods compared"
read = with_untrained
table = points.two_panels


def draw(spec: MethodsFigure, numbers: pd.DataFrame) -> Figure:
    """As `schedules.draw`."""
    return schedules.draw(spec, numbers, TITLE)


def caption(spec: MethodsFigure, numbers: pd.DataFrame, rows: pd.DataFrame, *_: object) -> str:
    """Title line, what is shown, and the means; no claim is judged."""
    shown = [
        f"{quantity(spec.accuracy).name}, and {quantity(spec.measure).name}, of "
        f"{rows['method'].nunique()} methods at the end of training.",
        *points.table_sentences(numbers),
        points.steps_sentence(rows),
        "Their losses are of different kinds and are not compared.",
    ]
    means = [points.means_sentence(numbers, panel) for panel in points.PANELS]
    return points.caption_text(spec.title or TITLE, shown, means, points.remarks(numbers, rows))
