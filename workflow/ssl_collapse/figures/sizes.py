"""Models side by side, from the smallest to the largest."""

import pandas as pd
from matplotlib.figure import Figure

from ssl_collapse.config.figures import SizesFigure
from ssl_collapse.figures import points, schedules
from ssl_collapse.figures.claims import comparison_claim, page_sentence
from ssl_collapse.figures.inputs import with_untrained
from ssl_collapse.tables.columns import quantity

TITLE = "Model sizes compared"
read = with_untrained


def table(spec: SizesFigure, rows: pd.DataFrame, untrained: pd.DataFrame) -> pd.DataFrame:
    """As `points.two_panels`; each model has a start of its own."""
    return points.two_panels(spec, rows, untrained, by="run")


def draw(spec: SizesFigure, numbers: pd.DataFrame) -> Figure:
    """As `schedules.draw`: the smallest model on top."""
    return schedules.draw(spec, numbers, TITLE)


def caption(spec: SizesFigure, numbers: pd.DataFrame, rows: pd.DataFrame, *_: object) -> str:
    """Title line, the means, and whether the largest collapses less than the smallest."""
    accuracy, measure = quantity(spec.accuracy), quantity(spec.measure)
    ends, judged = (rows["run"].iloc[-1], rows["run"].iloc[0]), []
    if ends[0] != ends[1] and measure.collapse:
        claim, claims = "that the largest model collapses less than the smallest", spec.claims or 1
        judged = [
            comparison_claim(rows, claim, ends, (measure, -measure.collapse), claims),
            comparison_claim(rows, "that it is more accurate", ends, (accuracy, +1), claims),
        ]
    judged.append(page_sentence(spec))
    shown = [
        f"{accuracy.name}, and {measure.name}, at the end of training, from the smallest model to "
        "the largest.",
        *points.table_sentences(numbers),
        points.steps_sentence(rows),
    ]
    means = [points.means_sentence(numbers, panel) for panel in points.PANELS]
    remarks = points.remarks(numbers, rows)
    return points.caption_text(spec.title or TITLE, shown, means, judged, remarks)
