"""Which module draws which kind of figure: the one of its name, so that a new kind is a new file.

A module has `table(spec, rows)`, exactly the plotted numbers; `draw(spec, numbers)`, a figure of
nothing but them; and `caption(spec, numbers, rows)`. `rows` are the summary's, of the figure's runs
at the end of training. One that reads something else says so by `read(spec, summary, paths)`: what
it returns, rows first, is given to `table` and `caption` in place of the rows.

(Its config model joins the union in `ssl_collapse.config.figures`.)
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure as Drawing

from ssl_collapse.config.figures import Figure
from ssl_collapse.figures.inputs import select
from ssl_collapse.figures.theme import printable

Made = tuple[pd.DataFrame, Drawing, str]


def make(spec: Figure, summary: pd.DataFrame, paths: Sequence[Path]) -> Made:
    """The plotted numbers, the figure and the caption that `spec` asks for.

    summary: from `read_summary`. paths: spectrum.csv and training.csv files, for the kinds that
    read them. Raises UserError for runs, columns or files that are missing.
    """
    spec = _printable(spec)
    module = import_module(f"ssl_collapse.figures.{spec.kind}")
    if hasattr(module, "read"):
        given = module.read(spec, summary, paths)
    else:
        given = (select(summary, spec.runs),)
    numbers = module.table(spec, *given)
    return numbers, module.draw(spec, numbers), module.caption(spec, numbers, *given)


def _printable(spec: Figure) -> Figure:
    """The figure with a title and labels that every file can hold."""
    runs = [
        run.model_copy(update={"label": None if run.label is None else printable(run.label)})
        for run in spec.runs
    ]
    title = None if spec.title is None else printable(spec.title)
    return spec.model_copy(update={"title": title, "runs": runs})
