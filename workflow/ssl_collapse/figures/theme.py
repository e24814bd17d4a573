"""How every figure looks: style, sizes, palettes, and files that are the same byte for byte."""

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ssl_collapse.runtime.files import atomic_path

PANEL = (4.6, 3.5)  # inches, width and height of one panel
DPI = 170
LETTERS_PER_INCH = 8.0  # of a title
LONGEST = 40  # letters of a label that are drawn
BAND_ALPHA = 0.18
GREY = "#6b6b6b"
RED = "#c1121f"  # only for warnings: not in the palettes
_RC: dict[Any, Any] = {
    "axes.titleweight": "bold",
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "figure.titlesize": 12,
    "figure.titleweight": "bold",
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "lines.linewidth": 1.6,
    "grid.linewidth": 0.6,
    "pdf.fonttype": 42,  # text in the PDF stays text
    "savefig.dpi": DPI,
}


@contextmanager
def style() -> Iterator[None]:
    """The settings that figures are drawn and saved with; the caller's come back afterwards."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(sns.axes_style("whitegrid"))
        mpl.rcParams.update(_RC)
        yield


def categorical(n: int) -> list[str]:
    """n colours that colour-blind readers can tell apart (up to ten; then evenly spread hues)."""
    return [to_hex(c) for c in sns.color_palette("colorblind" if n <= 10 else "husl", n)]


def sequential(n: int) -> list[str]:
    """n colours from light to dark for an ordered quantity; none too pale for white paper."""
    positions = np.linspace(0.15, 1.0, n) if n > 1 else np.array([0.7])
    palette = sns.color_palette("flare", as_cmap=True)
    return [to_hex(palette(position)) for position in positions]


def new_figure(rows: int, columns: int, title: str) -> Figure:
    """An empty figure of rows x columns panels with a title, laid out so that nothing overlaps."""
    width = PANEL[0] * columns
    lines = textwrap.wrap(title, int(LETTERS_PER_INCH * width), max_lines=3, placeholder=" …")
    figure = Figure(figsize=(width, PANEL[1] * rows + 0.3 + 0.2 * len(lines)), layout="constrained")
    figure.suptitle(literal("\n".join(lines)), x=0.01, ha="left")
    return figure


def printable(text: str) -> str:
    """`text` with what no font and no file can hold (control characters, half pairs) escaped."""
    return "".join(
        char if unicodedata.category(char) not in ("Cc", "Cs") else ascii(char)[1:-1]
        for char in text
    )


def literal(text: str) -> str:
    """`text` as matplotlib must be given it to draw just that, and no formula."""
    return text.replace("$", r"\$")


def label_text(label: str) -> str:
    """A label as it is drawn: literally, and cut where it would leave no room for the panels."""
    return literal(label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…")


def save(figure: Figure, paths: Sequence[Path]) -> None:
    """Write the figure to every path, in the format of its ending, without date or machine."""
    for path in paths:
        kind = path.suffix.removeprefix(".")
        metadata = {"CreationDate": None} if kind == "pdf" else None
        with style(), atomic_path(path) as temporary:
            figure.savefig(temporary, format=kind, dpi=DPI, metadata=metadata)
