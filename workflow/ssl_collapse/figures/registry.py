"""Which module draws which kind of figure: a new kind is one module and one line here.

(Its config model joins the union in `ssl_collapse.config.figures`.)
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure as Drawing

from ssl_collapse.config.figures import Figure, SchedulesFigure, SharesFigure, SpectraFigure
from ssl_collapse.figures import schedules, shares, spectra
from ssl_collapse.figures.inputs import read_spectra, select, untrained
from ssl_collapse.figures.theme import printable

Made = tuple[pd.DataFrame, Drawing, str]


def make(spec: Figure, summary: pd.DataFrame, spectrum_paths: Sequence[Path]) -> Made:
    """The plotted numbers, the figure and the caption that `spec` asks for.

    summary: from `read_summary`. spectrum_paths: spectrum.csv files, read by `spectra` figures
    only. Raises UserError for runs, columns or spectra that are missing.
    """
    spec = _printable(spec)
    match spec:
        case SpectraFigure():
            return _spectra(spec, summary, spectrum_paths)
        case SharesFigure():
            rows = select(summary, spec.runs)
            numbers = shares.table(spec, rows, untrained(summary, rows))
            return numbers, shares.draw(spec, numbers), shares.caption(spec, numbers, rows)
        case SchedulesFigure():
            rows = select(summary, spec.runs)
            numbers = schedules.table(spec, rows, untrained(summary, rows))
            return numbers, schedules.draw(spec, numbers), schedules.caption(spec, numbers, rows)


def _spectra(spec: SpectraFigure, summary: pd.DataFrame, paths: Sequence[Path]) -> Made:
    rows = select(summary, spec.runs, None if spec.epoch == "last" else spec.epoch)
    before = untrained(summary, rows)
    found = read_spectra(paths, [*spectra.keys(rows), *spectra.keys(before)])
    numbers = spectra.table(spec, rows, found, before)
    return numbers, spectra.draw(spec, numbers), spectra.caption(spec, numbers, rows, found)


def _printable(spec: Figure) -> Figure:
    """The figure with a title and labels that every file can hold."""
    runs = [
        run.model_copy(update={"label": None if run.label is None else printable(run.label)})
        for run in spec.runs
    ]
    title = None if spec.title is None else printable(spec.title)
    return spec.model_copy(update={"title": title, "runs": runs})
