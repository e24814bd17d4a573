"""How every figure looks: style, sizes, palettes, and files that are the same byte for byte."""

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import PercentFormatter

from ssl_collapse.config.figures import AnyFigure
from ssl_collapse.runtime.files import atomic_path
from ssl_collapse.tables.columns import Quantity

PANEL = (4.6, 3.5)  # inches, width and height of one panel on the screen
WIDTHS = {"column": 3.3, "page": 6.9}  # inches of a figure in print
FLAT = 0.76  # height of a panel in print, of its width
DPI = 170
LETTERS_PER_INCH = 8.0  # of a title of 12 pt
LONGEST = 40  # letters of a label that are drawn
BAND_ALPHA = 0.18
GREY = "#6b6b6b"
DARK = "#222222"  # thin lines that runs are held against: darker than any run in grey
RED = "#c1121f"  # only for warnings: not in the palettes
_RC: dict[Any, Any] = {
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.titleweight": "bold",
    "lines.linewidth": 1.6,
    "grid.linewidth": 0.6,
    "pdf.fonttype": 42,  # text in the PDF stays text
    "savefig.dpi": DPI,
}


@contextmanager
def style(spec: AnyFigure) -> Iterator[None]:
    """The settings that a figure is drawn and saved with; the caller's come back afterwards."""
    size = label_size(spec)
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(sns.axes_style("whitegrid"))
        mpl.rcParams.update(_RC)
        mpl.rcParams["axes.labelsize"] = size
        mpl.rcParams["axes.titlesize"] = size + 0.5
        mpl.rcParams["figure.titlesize"] = 1.2 * size
        for name in ("xtick.labelsize", "ytick.labelsize", "legend.fontsize"):
            mpl.rcParams[name] = size - 1
        mpl.rcParams["legend.title_fontsize"] = size - 1
        # comes with matplotlib: the same letters on every machine
        mpl.rcParams["font.family"] = spec.font_family or "DejaVu Sans"
        if spec.width:
            mpl.rcParams["lines.linewidth"], mpl.rcParams["lines.markersize"] = 1.2, 4
        yield


def label_size(spec: AnyFigure) -> float:
    """Size of the axes' labels in pt; numbers at the ticks and legends are 1 pt smaller."""
    return spec.font_size or (8.0 if spec.width else 10.0)


def categorical(n: int) -> list[str]:
    """n colours that colour-blind readers can tell apart (up to ten; then evenly spread hues)."""
    return [to_hex(c) for c in sns.color_palette("colorblind" if n <= 10 else "husl", n)]


# Beside their colours, so that runs differ in grey, too.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
DASHES: tuple[Any, ...] = (
    "-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2, 1, 1.2)), (0, (10, 1.5))
)  # fmt: skip


def dashes(n: int) -> list[Any]:
    """n kinds of lines, solid first."""
    return [DASHES[i % len(DASHES)] for i in range(n)]


def sequential(n: int) -> list[str]:
    """n colours from light to dark for an ordered quantity; none too pale for white paper."""
    positions = np.linspace(0.22, 0.92, n) if n > 1 else np.array([0.6])
    palette = sns.color_palette("rocket_r", as_cmap=True)  # evenly darker, in grey as well
    return [to_hex(palette(position)) for position in positions]


def new_panels(
    spec: AnyFigure,
    title: str,
    count: int,
    columns: int = 2,
    height: float | None = None,
    **keys: Any,
) -> tuple[Drawing, list[Axes]]:
    """A figure of `count` panels in that many columns, laid out so that nothing overlaps.

    In a column of print, panels stand below one another. height: of a panel, in inches; `keys` go
    to `subplots`. The title, the configured one or else `title`, is above, where it is wanted.
    """
    columns = 1 if spec.width == "column" else min(columns, count)
    rows = -(-count // columns)
    width = WIDTHS[spec.width] if spec.width else PANEL[0] * (columns if count > 1 else 1.5)
    each = height or (FLAT * width / columns if spec.width else PANEL[1])
    per_inch = LETTERS_PER_INCH * 10 / label_size(spec)
    text = spec.title or title if spec.show_title else ""
    lines = textwrap.wrap(text, int(per_inch * width), max_lines=3, placeholder=" …")
    whole = each * rows + (0.3 if height is None else 0.0) + 0.2 * len(lines)
    figure = Drawing(figsize=(width, whole), layout="constrained")
    if lines:
        figure.suptitle(literal("\n".join(lines)), x=0.01, ha="left")
    grid = figure.subplots(rows, columns, squeeze=False, **keys)
    for axes in grid.ravel()[count:]:
        axes.set_visible(False)
    return figure, list(grid.ravel()[:count])


def letter(spec: AnyFigure, panels: Sequence[Axes], always: bool = False) -> None:
    """Put (a), (b), ... before the panels' titles, where the figure or its caption wants them."""
    if spec.letters or (spec.letters is None and always):
        for axes, name in zip(panels, ascii_lowercase, strict=False):
            axes.set_title(f"({name}) {axes.get_title(loc='left')}".strip())


def legend_entries(*panels: Axes) -> dict[str, Any]:
    """Label -> mark of what is labelled in the panels; of equal labels the last mark."""
    labels = (zip(*axes.get_legend_handles_labels()[::-1], strict=True) for axes in panels)
    return dict(chain.from_iterable(labels))


def legend_below(
    spec: AnyFigure, figure: Drawing, handles: Sequence[Any], labels: Sequence[str], columns: int
) -> None:
    """A legend under all panels, in so many columns, or the two that a column of print holds."""
    columns = 2 if spec.width == "column" else columns
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)


def draw_band(axes: Axes, x: Any, curve: pd.DataFrame, color: str, **look: Any) -> None:
    """The interval `low` to `high` of a curve at the places `x`."""
    axes.fill_between(
        x, curve["low"], curve["high"],
        color=color, alpha=BAND_ALPHA, linewidth=0, gid="band", **look,
    )  # fmt: skip


def label_values(axes: Axes, shown: Quantity, across: str) -> None:
    """Label the axis of values, of percent from 0 on; across: "y" if they run upwards, else "x"."""
    if across == "y":
        axes.set_ylabel(shown.axis_label)
    else:
        axes.set_xlabel(shown.axis_label)
    if shown.percent:
        axis = axes.yaxis if across == "y" else axes.xaxis
        axis.set_major_formatter(PercentFormatter(1, symbol=""))
        axes.set(**{f"{across}lim": (0, None)})


def printable(text: str) -> str:
    """`text` with what no font and no file can hold (control characters, half pairs) escaped."""
    return "".join(
        char if unicodedata.category(char) not in ("Cc", "Cs") else ascii(char)[1:-1]
        for char in text
    )


def literal(text: str) -> str:
    """`text` as matplotlib must be given it to draw just that, and no formula."""
    return text.replace("$", r"\$")


def wrapped(label: str, spec: AnyFigure) -> str:
    """The label of an axis in lines that are no longer than a panel; "k = 20" stays together."""
    return textwrap.fill(label.replace(" = ", "\u00a0=\u00a0"), 29 if spec.width else 40)


def label_text(label: str) -> str:
    """A label as it is drawn: literally, and cut where it would leave no room for the panels."""
    return literal(label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…")


def save(spec: AnyFigure, figure: Drawing, paths: Sequence[Path]) -> None:
    """Write the figure to every path, in the format of its ending, without date or machine."""
    for path in paths:
        kind = path.suffix.removeprefix(".")
        metadata = {"CreationDate": None} if kind == "pdf" else None
        with style(spec), atomic_path(path) as temporary:
            figure.savefig(temporary, format=kind, dpi=DPI, metadata=metadata)
