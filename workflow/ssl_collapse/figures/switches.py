"""Hybrids against the epoch at which they went from a single pass to many."""

import pandas as pd
from matplotlib.figure import Figure

from ssl_collapse.config.figures import SwitchesFigure
from ssl_collapse.figures import points
from ssl_collapse.figures.against import draw_panels
from ssl_collapse.figures.claims import comparison_claim, page_sentence
from ssl_collapse.figures.inputs import with_untrained
from ssl_collapse.tables.columns import quantity

TITLE = "Hybrids by switching epoch"
read = with_untrained


def table(spec: SwitchesFigure, rows: pd.DataFrame, untrained: pd.DataFrame) -> pd.DataFrame:
    """The plotted numbers (see `points.point_table`), by `switch`, the epoch (see `switch_of`)."""
    return points.two_panels(spec, rows.assign(switch=switch_of(rows)), untrained, "switch")


def switch_of(rows: pd.DataFrame) -> "pd.Series[int]":
    """When each run began to see all of the data: a hybrid at its start, what hybrids start from
    never (its last epoch), any other run at once (0)."""
    starts = set(rows["start_run"].dropna())
    never = rows["epochs"].where(rows["run"].isin(starts), 0)
    return rows["start_epoch"].where(rows["start_run"].notna(), never).astype(int)


def draw(spec: SwitchesFigure, numbers: pd.DataFrame) -> Figure:
    """Two panels against the epoch."""
    return draw_panels(spec, numbers, TITLE, "switch", "Epoch of the switch to all data")


def caption(spec: SwitchesFigure, numbers: pd.DataFrame, rows: pd.DataFrame, *_: object) -> str:
    """Title line, then what is shown and whether each hybrid beats both ends."""
    accuracy, measure = quantity(spec.accuracy), quantity(spec.measure)
    switch = dict(zip(rows["run"], switch_of(rows), strict=True))
    hybrids = list(rows.loc[rows["start_run"].notna(), "run"].unique())
    ends = [run for run in dict.fromkeys(rows["run"]) if run not in hybrids]
    shown = [
        f"{accuracy.name}, and {measure.name}, at the end of training, against the epoch at which "
        "a run that had seen each image once began to see all of them in every epoch: 0 is "
        "multi-epoch training, the last epoch a single pass.",
        *points.table_sentences(numbers),
    ]
    judged = [
        comparison_claim(
            rows,
            f"that the switch at epoch {switch[run]} beats {end}",
            (run, end),
            (accuracy, +1),
            spec.claims or 1,
        )
        for run in hybrids
        for end in ends
    ]
    judged.append(page_sentence(spec))
    return points.caption_text(spec.title or TITLE, shown, judged, points.remarks(numbers, rows))
