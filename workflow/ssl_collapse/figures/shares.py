"""Accuracy and a label-free measure against the share of data, at the end of training."""

import pandas as pd
from matplotlib.figure import Figure

from ssl_collapse.config.figures import SharesFigure
from ssl_collapse.figures import points
from ssl_collapse.figures.against import draw_panels
from ssl_collapse.figures.claims import page_sentence, share_claim
from ssl_collapse.figures.inputs import with_untrained
from ssl_collapse.tables.columns import quantity

TITLE = "Accuracy and collapse against the share of data"
read = with_untrained
table = points.two_panels


def draw(spec: SharesFigure, numbers: pd.DataFrame) -> Figure:
    """Two panels, the share on a logarithmic axis."""
    return draw_panels(spec, numbers, TITLE, "share", "Share of the training images (%)")


def caption(
    spec: SharesFigure,
    numbers: pd.DataFrame,
    rows: pd.DataFrame,
    untrained: pd.DataFrame | None = None,
) -> str:
    """Title line, then what is shown and whether the paper's claim on more data holds here."""
    accuracy, measure = quantity(spec.accuracy), quantity(spec.measure)
    steps = sorted(set(rows["steps"].dropna().astype(int)))
    if rows["steps"].isna().any():
        fixed = "Not of all runs the number of training steps is known."
    elif len(steps) == 1:
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
    curves = [("", rows)]
    if "curve" in rows:
        curves = [(str(name), part) for name, part in rows.groupby("curve", sort=False)]
    claims, found = spec.claims or 1, []
    for name, part in curves:
        told = share_claim(part, measure, measure.collapse, claims)
        told += " " + share_claim(part, accuracy, -1, claims)
        found.append(f"{name}: {told}" if name else told)
    found.append(page_sentence(spec))
    return points.caption_text(spec.title or TITLE, shown, found, points.remarks(numbers, rows))
