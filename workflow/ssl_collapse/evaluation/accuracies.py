"""The accuracies of the summary: which there are, and what a figure calls them."""

from collections.abc import Collection
from dataclasses import dataclass

from ssl_collapse.config.evaluation import Metric, Vote

# Reported always, so that no k need be chosen on the labels.
FIXED_K = (1, 20, 200)
METRIC_NAMES: dict[Metric, str] = {"cosine": "cosine", "l2": "L2"}


@dataclass(frozen=True)
class KnnAccuracy:
    """One k-NN accuracy; `k` is None for the best k on the labels of val (the oracle)."""

    metric: Metric
    vote: Vote
    k: int | None

    @property
    def column(self) -> str:
        """Its column in the summary."""
        weighted = "weighted_" if self.vote == "weighted" else ""
        return f"knn_{self.metric}_{weighted}{f'k{self.k}' if self.k else 'oracle'}"

    @property
    def label(self) -> str:
        """What a figure calls it."""
        how = f"k = {self.k}" if self.k else "best k on the val labels"
        vote = ", weighted" if self.vote == "weighted" else ""
        return f"k-NN accuracy ({METRIC_NAMES[self.metric]}, {how}{vote})"


# In the order of the summary. With one neighbour both votes agree.
KNN = (
    *(KnnAccuracy(metric, "majority", k) for metric in METRIC_NAMES for k in (*FIXED_K, None)),
    *(KnnAccuracy("cosine", "weighted", k) for k in FIXED_K if k > 1),
)
# Name of a probe's result -> its columns and what a figure calls them.
PROBE_COLUMNS = {
    name: {
        f"{name.replace('-', '_')}_top{k}_{epoch}": f"{label}, top-{k} accuracy{chosen}"
        for epoch, chosen in (("last", ""), ("best", " (best epoch on the val labels)"))
        for k in (1, 5)
    }
    for name, label in {
        "probe": "Linear probe",
        "probe-cached": "Linear probe on representations",
    }.items()
}
PROBE_LABELS = {column: label for one in PROBE_COLUMNS.values() for column, label in one.items()}


def knn_columns(
    k_max: int = max(FIXED_K),
    metrics: Collection[Metric] = tuple(METRIC_NAMES),
    votes: Collection[Vote] = ("majority", "weighted"),
) -> tuple[str, ...]:
    """The k-NN columns of the summary that a protocol fills, given rows enough in train."""
    return tuple(
        one.column
        for one in KNN
        if one.metric in metrics and one.vote in votes and (one.k or 1) <= k_max
    )
