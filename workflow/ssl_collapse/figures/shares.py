"""Accuracy and a label-free measure against the share of data, at the end of training."""

import pandas as pd
from matplotlib.figure import Figure

from ssl_collapse.config.figures import SharesFigure
from ssl_collapse.figures import points
from ssl_collapse.figures.against import draw_panels
from ssl_collapse.figures.claims import page_sentence, share_claim
from ssl_collapse.figures.inputs import by_curve, with_untrained
from ssl_collapse.tables.columns import quantity

TITLE = "Accuracy and collapse against the share of data"
read = with_untrained
table = points.two_panels


def draw(spec: SharesFigure, numbers: pd.DataFrame) -> Figure:
    """Two panels, the share on a logarithmic axis."""
    return draw_panels(spec, numbers, TITLE, "share", "Share of the training images (%)")


def caption(spec: SharesFigure, numbers: pd.DataFrame, rows: pd.DataFrame, *_: object) -> str:
    """Title line, then what is shown and whether the paper's claim on more data holds here."""
    accuracy, measure = quantity(spec.accuracy), quantity(spec.measure)
    shown = [
        f"{accuracy.name}, and {measure.name}, against the share of the training images, "
        "at the end of training.",
        *points.table_sentences(numbers),
        points.steps_sentence(rows, "the same "),
    ]
    claims, judged = spec.claims or 1, []
    for name, runs in by_curve(rows):
        judged += [f"{name}:"] * bool(name)
        judged.append(share_claim(runs, measure, measure.collapse, claims))
        judged.append(share_claim(runs, accuracy, -1, claims))
    judged.append(page_sentence(spec))
    return points.caption_text(spec.title or TITLE, shown, judged, points.remarks(numbers, rows))
