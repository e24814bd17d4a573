"""A figure as a page shows it: image, caption, and the plotted numbers as a table in words."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from ssl_collapse.figures.inputs import read_csv
from ssl_collapse.figures.page import embedded
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.tables.columns import quantity

MOST_ROWS = 300  # of a table of plotted numbers
# columns of a figure's CSV -> their heads
HEADS = {
    "quantity": "Quantity", "statistic": "What", "label": "Run", "curve": "Curve",
    "share": "Share of data (%)", "switch": "Switch (epoch)", "epoch": "Epoch", "seed": "Seed",
    "value": "Value", "forecast": "Forecast", "low": "Interval from", "high": "to",
    "seeds": "Seeds", "runs": "Runs", "diverged": "Diverged",
}  # fmt: skip
STATISTICS = {"seed": "one seed", "untrained": "before training", "r2": "R²"}
_UNITLESS = ("r2", "correlation")  # statistics that have not the quantity's unit
_WITH_UNIT = ("value", "forecast", "low", "high")


@dataclass(frozen=True)
class Entry:
    """A figure; `links` maps a file ending to a path relative to the page."""

    name: str
    title: str
    paragraphs: list[str]
    image: str
    links: dict[str, str]
    heads: list[str]
    rows: list[list[str]]
    left_out: int  # rows of the CSV that the table has not

    @property
    def alt(self) -> str:
        """What the image shows, in a sentence."""
        first = self.paragraphs[0].partition(". ")[0].rstrip(".") if self.paragraphs else ""
        return f"Figure: {self.title}. {first}.".replace(" .", "")


def entry(png: Path, page: Path) -> Entry:
    """The figure in `png`, with the caption and the numbers that lie beside it.

    The caption's first line is the title. `page` is where the report will be. Raises UserError if
    a file is missing.
    """
    try:
        image = embedded(png.read_bytes())
        text = png.with_suffix(".txt").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: there is no such file; draw the figure first") from None
    title, _, text = text.partition("\n")
    links = {
        kind: relative_link(png.with_suffix(f".{kind}"), page) for kind in ("pdf", "png", "csv")
    }
    numbers = read_csv(png.with_suffix(".csv"), ("run", "label", "curve"))
    return Entry(png.stem, title, paragraphs(text), image, links, *_in_words(numbers))


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text."""
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def relative_link(target: Path, page: Path) -> str:
    """`target` as a link from `page`, with characters that mean something in a URL escaped."""
    return quote(Path(os.path.relpath(target, page.parent)).as_posix())


def _in_words(numbers: pd.DataFrame) -> tuple[list[str], list[list[str]], int]:
    """Heads, rows, and how many rows are left out: curves of many points, and what is too much."""
    points = numbers[numbers["index"].isna()] if "index" in numbers else numbers
    shown = points.head(MOST_ROWS).dropna(axis=1, how="all")
    columns = [name for name in HEADS if name in shown]
    rows = [[_cell(row, name) for name in columns] for row in shown.to_dict("records")]
    return [HEADS[name] for name in columns], rows, len(numbers) - len(rows)


def _cell(row: dict[Any, Any], name: str) -> str:
    value = row[name]
    if not isinstance(value, str) and pd.isna(value):
        return ""
    if name == "quantity":
        return quantity(value).name
    if name == "statistic":
        return STATISTICS.get(str(value), str(value))
    if name == "diverged":
        return "yes" if str(value) == "True" else ""
    if name in _WITH_UNIT:
        if row["statistic"] in _UNITLESS or not math.isfinite(value):
            return f"{value:.3f}"
        return quantity(row["quantity"]).number(value)
    return value if isinstance(value, str) else f"{value:g}"
