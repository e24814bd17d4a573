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


def table(
    spec: SizesFigure, rows: pd.DataFrame, untrained: pd.DataFrame | None = None
) -> pd.DataFrame:
    """As `points.two_panels`; each model has a start of its own."""
    return points.two_panels(spec, rows, untrained, by="run")


def draw(spec: SizesFigure, numbers: pd.DataFrame) -> Figure:
    """As `schedules.draw`: the smallest model on top."""
    return schedules.draw(spec, numbers, TITLE)


def caption(
    spec: SizesFigure,
    numbers: pd.DataFrame,
    rows: pd.DataFrame,
    untrained: pd.DataFrame | None = None,
) -> str:
    """Title line, the means, and whether the largest collapses less than the smallest."""
    accuracy, measure = quantity(spec.accuracy), quantity(spec.measure)
    runs = list(dict.fromkeys(rows["run"]))
    ends, found, claims = (runs[-1], runs[0]), [], spec.claims or 1
    if len(runs) > 1 and measure.collapse:
        claim = "that the largest model collapses less than the smallest"
        found.append(comparison_claim(rows, claim, ends, (measure, -measure.collapse), claims))
        claim = "that it is more accurate"
        found.append(comparison_claim(rows, claim, ends, (accuracy, +1), claims))
    found.append(page_sentence(spec))
    shown = [
        f"{accuracy.name}, and {measure.name}, at the end of training, from the smallest model to "
        "the largest.",
        points.seeds_sentence(numbers),
        points.chance_sentence(numbers),
        "Open circles: each network before training, mean over seeds."
        if (numbers["statistic"] == "untrained").any()
        else "",
        schedules.steps_sentence(rows),
    ]
    means = schedules.means_sentences(spec, numbers)
    remarks = points.remarks(numbers, rows)
    return points.caption_text(spec.title or TITLE, shown, means, found, remarks)
