"""Names, units and directions of the summary columns that figures show."""

import math
import re
from dataclasses import dataclass, replace

from ssl_collapse.tables.statistics import Interval


@dataclass(frozen=True)
class Quantity:
    """A summary column as a person reads it.

    `percent`: the column is a fraction, shown in percent. `collapse`: +1 where a larger value
    means a more collapsed representation, -1 where a smaller one does, 0 where neither is claimed.
    """

    column: str
    name: str
    percent: bool = False
    collapse: int = 0

    @property
    def axis_label(self) -> str:
        """The name with its unit, or with what its direction means."""
        if self.percent:
            return f"{self.name} in %"
        meaning = {1: "higher: more collapsed", -1: "lower: more collapsed", 0: ""}[self.collapse]
        return f"{self.name} ({meaning})" if meaning else self.name

    def number(self, value: float) -> str:
        """A value with its unit: '31.4 %', '0.771'."""
        if not math.isfinite(value):
            return "not available"
        return f"{100 * value:.1f} %" if self.percent else _significant(value)

    def estimate(self, interval: Interval) -> str:
        """A value with its interval: '31.4 % [29.0, 33.8]'."""
        text = self.number(interval.mean)
        if not math.isfinite(interval.low):
            return text
        low, high = (self.number(v).removesuffix(" %") for v in (interval.low, interval.high))
        return f"{text} [{low}, {high}]"

    def change(self, value: float) -> str:
        """A signed difference: '+1.3 points' (of percent), '-0.021'."""
        if self.percent:
            return f"{100 * value:+.1f} points"
        return ("+" if value >= 0 else "-") + _significant(abs(value))

    def changes(self, interval: Interval) -> str:
        """A difference with its interval: '-0.021 [-0.034, -0.008]'."""
        text = self.change(interval.mean)
        if math.isnan(interval.low):
            return text
        low, high = (self.change(v).removesuffix(" points") for v in (interval.low, interval.high))
        return f"{text} [{low}, {high}]"


def _significant(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


_MEASURES = {
    "auc": Quantity("auc", "AUC", collapse=1),
    "rankme": Quantity("rankme", "RankMe", collapse=-1),
    "effective_rank": Quantity("effective_rank", "Effective rank", collapse=-1),
    "participation_ratio": Quantity("participation_ratio", "Participation ratio", collapse=-1),
    "nesum": Quantity("nesum", "NESum", collapse=-1),
    "numerical_rank": Quantity("numerical_rank", "Numerical rank", collapse=-1),
    "std_per_dimension": Quantity("std_per_dimension", "Std per dimension", collapse=-1),
    "mean_cosine": Quantity("mean_cosine", "Mean cosine similarity", collapse=1),
    "uniformity": Quantity("uniformity", "Uniformity", collapse=1),
    "loss": Quantity("loss", "Training loss"),
}
_METRICS = {"cosine": "cosine", "l2": "L2"}


def quantity(column: str) -> Quantity:
    """How to show a summary column; one that is not known is shown under its own name."""
    if column in _MEASURES:
        return _MEASURES[column]
    if column.removesuffix("_l2") in _MEASURES:
        plain = _MEASURES[column.removesuffix("_l2")]
        return replace(plain, column=column, name=f"{plain.name} of normalised representations")
    knn = re.fullmatch(r"knn_(cosine|l2)_(?:(weighted)_)?(?:k(\d+)|oracle)", column)
    if knn:
        metric, weighted, k = knn.groups()
        how = f"k = {k}" if k else "best k on the val labels"
        vote = ", weighted" if weighted else ""
        return Quantity(column, f"k-NN accuracy ({_METRICS[metric]}, {how}{vote})", percent=True)
    if column.startswith("probe_"):
        return Quantity(column, f"Probe accuracy ({column.removeprefix('probe_')})", percent=True)
    return Quantity(column, column)
