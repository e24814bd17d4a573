"""Names, units and directions of the summary columns that figures show."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from ssl_collapse.evaluation.accuracies import KNN, PROBE_LABELS
from ssl_collapse.evaluation.measures.registry import MEASURES, PROJECTOR_PREFIX
from ssl_collapse.evaluation.measures.views import VIEW_MEASURES
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
    def range(self) -> tuple[float, float]:
        """The values that it can have; an interval may not go beyond."""
        name = self.column.removeprefix(PROJECTOR_PREFIX).removesuffix("_l2")
        if self.percent or name == "auc":
            return (0.0 if self.percent else 0.5, 1.0)
        return (_LEAST.get(name, -math.inf), math.inf)

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
        return _with_bounds(self.number, interval)

    def change(self, value: float) -> str:
        """A signed difference: '+1.3 points' (of percent), '-0.021'."""
        if self.percent:
            return f"{100 * value:+.1f} points"
        return ("+" if value >= 0 else "-") + _significant(abs(value))

    def changes(self, interval: Interval) -> str:
        """A difference with its interval: '-0.021 [-0.034, -0.008]'."""
        return _with_bounds(self.change, interval)


def _with_bounds(text: Callable[[float], str], interval: Interval) -> str:
    """The estimate with its unit, and where there is an interval its bounds without."""
    if not math.isfinite(interval.low):
        return text(interval.mean)
    low, high = (text(bound).partition(" ")[0] for bound in (interval.low, interval.high))
    return f"{text(interval.mean)} [{low}, {high}]"


def _significant(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


# The least value that a measure can have: a rank of what differs at all is 1
_LEAST = {
    **dict.fromkeys(("rankme", "effective_rank", "participation_ratio", "nesum"), 1.0),
    **dict.fromkeys(("batch_effective_rank",), 1.0),
    **dict.fromkeys(("numerical_rank", "std_per_dimension", "batch_std"), 0.0),
}
# Column of a figure -> its column in training.csv, and what a figure calls it.
TRAINING = {
    "training_loss": ("loss", "Training loss"),
    "batch_std": ("std_per_dimension", "Standard deviation per dimension, of a batch"),
    "batch_effective_rank": ("effective_rank", "Effective rank of a batch"),
}


def _known() -> dict[str, Quantity]:
    normalised = [
        replace(m, name=f"{m.name}_l2", label=f"{m.label} of normalised representations")
        for m in MEASURES
        if m.normalised
    ]
    of_layer = [
        *(Quantity(m.name, m.label, m.unit == "%", m.collapse) for m in (*MEASURES, *normalised)),
        *(Quantity(n, label, collapse=way) for n, (label, way, _) in VIEW_MEASURES.items()),
        *(Quantity(one.column, one.label, percent=True) for one in KNN),
    ]
    known = [
        *of_layer,
        *(
            replace(
                one, column=f"{PROJECTOR_PREFIX}{one.column}", name=f"{one.name} of the projector"
            )
            for one in of_layer
        ),
        *(Quantity(column, label, percent=True) for column, label in PROBE_LABELS.items()),
        Quantity("loss", "Training loss"),
        *(Quantity(column, label) for column, (_, label) in TRAINING.items()),
    ]
    return {quantity.column: quantity for quantity in known}


_KNOWN = _known()


def quantity(column: str) -> Quantity:
    """How to show a summary column; of one that is not known, its name in words."""
    if column in _KNOWN:
        return _KNOWN[column]
    words = column.replace("_", " ")
    return Quantity(column, words[:1].upper() + words[1:], percent=column.startswith("probe_top"))
