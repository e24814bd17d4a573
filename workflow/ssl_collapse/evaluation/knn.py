"""k-NN classification of one representation file by another: every k, two metrics, two votes."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.config.evaluation import KnnSpec, Metric, Vote
from ssl_collapse.evaluation.accuracies import FIXED_K
from ssl_collapse.evaluation.neighbors import Neighbors, find_neighbors
from ssl_collapse.evaluation.proposals import Backend
from ssl_collapse.evaluation.result_format import FORMAT_VERSION
from ssl_collapse.representations.file import Representations
from ssl_collapse.runtime.errors import UserError

logger = logging.getLogger("ssl_collapse")

FloatArray = NDArray[np.floating[Any]]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
Keep = Callable[[Metric, Neighbors], None]

VARIANCE_ROWS = 4096  # rows held in float64 at a time
VOTE_ENTRIES = 2**24  # queries x classes counted at a time

ORACLE_WARNING = (
    "this k was chosen on the labels that the accuracy is reported on: "
    "an upper bound, not an estimate; compare the fixed k"
)


@dataclass(frozen=True)
class Knn:
    """`content` is what knn.json holds; `accuracy` has a curve (k_max,) for k = 1..k_max each."""

    content: dict[str, Any]
    accuracy: dict[tuple[Metric, Vote], Float64Array]


def classify(
    train: Representations,
    val: Representations,
    spec: KnnSpec,
    backend: Backend,
    keep: Keep = lambda metric, found: None,
) -> Knn:
    """Classify `val` by its nearest neighbours in `train`, for every k up to `k_max`.

    `keep` is given all neighbours, piece by piece. Both being the same file, each row is classified
    by the others (leave-one-out). k never exceeds the rows that can be neighbours. Raises UserError
    for missing targets, unequal dimensions or class counts, and a leave-one-out of a single row. If
    `represent` has marked one of the files as failed, the content has `diverged`, the `failure` and
    no accuracy.
    """
    _check(train, val)
    leave_one_out = train.is_same(val)
    k_max = min(spec.k_max, train.n - int(leave_one_out))
    if k_max < 1:
        raise UserError(f"{train.path}: has one row; leave-one-out needs two or more")
    failure = train.failure or val.failure
    accuracy: dict[tuple[Metric, Vote], Float64Array] = {}
    for metric in spec.metrics if failure is None else ():
        curves = _curves(train, val, metric, spec, k_max, leave_one_out, backend, keep)
        accuracy |= {(metric, vote): curve for vote, curve in curves.items()}
    return Knn(
        {
            "format_version": FORMAT_VERSION,
            **({"diverged": True, "failure": failure} if failure else {}),
            "protocol": _protocol(train, val, spec, k_max, leave_one_out),
            "results": {
                metric: {vote: _summary(accuracy.get((metric, vote))) for vote in spec.votes}
                for metric in spec.metrics
            },
        },
        accuracy,
    )


def majority_vote(labels: IntArray, num_classes: int) -> Iterator[IntArray]:
    """Yield for k = 1, 2, ... the most frequent of each line's first k labels (q, k_max).

    A tie goes to the smallest label.
    """
    yield from weighted_vote(labels, np.ones(labels.shape), num_classes)


def weighted_vote(labels: IntArray, weights: FloatArray, num_classes: int) -> Iterator[IntArray]:
    """Yield for k = 1, 2, ... the label with the largest sum of positive `weights` (q, k_max).

    A tie goes to the smallest label. One pass: with one more vote only the class voted for can
    overtake the winner.
    """
    lines = np.arange(len(labels))
    sums = np.zeros((len(labels), num_classes))
    winner = labels[:, 0].copy()
    for k in range(labels.shape[1]):
        label = labels[:, k]
        sums[lines, label] += weights[:, k]
        gained, leading = sums[lines, label], sums[lines, winner]
        overtakes = (gained > leading) | ((gained == leading) & (label < winner))
        winner = np.where(overtakes, label, winner)
        yield winner


def vote_weights(squared: FloatArray, temperature: float, scale: float) -> Float64Array:
    """exp(sim / T) (q, k) with sim = -squared / (2 scale), relative to the nearest neighbour's.

    With scale = 1 and unit rows squared = 2 - 2 cos, so that exp(cos / T) results (Wu et al.
    2018, arXiv 1805.01978) up to a factor per line, which no vote depends on and which
    keeps small temperatures from overflowing.
    """
    beyond = squared.astype(np.float64) - squared[:, :1]
    weights: Float64Array = np.exp(-beyond / (2.0 * scale * temperature))
    return weights


def table(knn: Knn) -> str:
    """The CSV table: metric, vote, k, accuracy."""
    lines = ["metric,vote,k,accuracy"]
    for (metric, vote), curve in knn.accuracy.items():
        lines += [f"{metric},{vote},{k},{value!r}" for k, value in enumerate(curve.tolist(), 1)]
    return "\n".join(lines) + "\n"


def _check(train: Representations, val: Representations) -> None:
    if train.dim != val.dim:
        raise UserError(
            f"{val.path}: has {val.dim} dimensions, but {train.path} has {train.dim}; "
            "both must come from the same encoder"
        )
    votes, asked = train.labels(), val.labels()
    lost = asked[~np.isin(asked, votes)]
    if len(lost):
        logger.warning(
            "%s: %d of %d rows count as wrong: no row of %s has their class (first: class %d)",
            *(val.path, len(lost), len(asked), train.path, lost[0]),
        )
    stated = [file.num_classes for file in (train, val) if "num_classes" in file.attrs]
    if len(set(stated)) == 2:
        raise UserError(
            f"{val.path}: states num_classes {stated[1]}, but {train.path} states {stated[0]}; "
            "both must come from the same dataset"
        )


def _curves(
    train: Representations,
    val: Representations,
    metric: Metric,
    spec: KnnSpec,
    k_max: int,
    leave_one_out: bool,
    backend: Backend,
    keep: Keep,
) -> dict[Vote, Float64Array]:
    """Accuracy (k_max,) of each vote, from one search."""
    labels, truth = train.labels(), val.labels()
    num_classes = max(train.num_classes, val.num_classes)
    # the total variance of identical rows is zero; their distances are too
    scale = (total_variance(train) or 1.0) if metric == "l2" else 1.0
    correct = {vote: np.zeros(k_max, dtype=np.int64) for vote in spec.votes}
    step = max(VOTE_ENTRIES // num_classes, 1)
    for found in find_neighbors(train, val, metric, k_max, backend, leave_one_out):
        keep(metric, found)
        for start in range(0, len(found.index), step):
            voters = labels[found.index[start : start + step]]
            actual = truth[found.start + start :][: len(voters)]
            weights = vote_weights(found.squared[start : start + step], spec.temperature, scale)
            for vote in spec.votes:
                if vote == "weighted":
                    predictions = weighted_vote(voters, weights, num_classes)
                else:
                    predictions = majority_vote(voters, num_classes)
                correct[vote] += [int((prediction == actual).sum()) for prediction in predictions]
    return {vote: counts / val.n for vote, counts in correct.items()}


def total_variance(train: Representations) -> float:
    """Mean squared distance of the training rows from their mean, in one pass.

    Raises UserError where the squares leave the range of float64.
    """
    n, mean, spread = 0, np.zeros(train.dim), 0.0
    for chunk in train.chunks(VARIANCE_ROWS):
        rows = chunk.astype(np.float64)
        centre = rows.mean(axis=0)
        rows -= centre
        difference = centre - mean
        weight = n * len(rows) / (n + len(rows))
        with np.errstate(over="ignore", invalid="ignore"):
            spread += float(np.einsum("ij,ij->", rows, rows) + weight * (difference @ difference))
        n += len(rows)
        mean += difference * (len(rows) / n)
    if not np.isfinite(spread):
        raise UserError(
            f"{train.path}: its values are so large that their squares overflow; "
            "divide them by a constant, which changes no neighbour"
        )
    return spread / n


def _summary(curve: Float64Array | None) -> dict[str, Any]:
    if curve is None:
        none = {"k": None, "accuracy": None, "warning": ORACLE_WARNING}
        return {"fixed_k": {str(k): None for k in FIXED_K}, "oracle": none}
    best = int(np.argmax(curve))
    return {
        "fixed_k": {str(k): float(curve[k - 1]) if k <= len(curve) else None for k in FIXED_K},
        "oracle": {"k": best + 1, "accuracy": float(curve[best]), "warning": ORACLE_WARNING},
    }


def _protocol(
    train: Representations, val: Representations, spec: KnnSpec, k_max: int, leave_one_out: bool
) -> dict[str, Any]:
    """All that decides the accuracies, in words where a number does not say it."""
    return {
        "metrics": list(spec.metrics),
        "votes": list(spec.votes),
        "k_max": k_max,
        "temperature": spec.temperature,
        "n_train": train.n,
        "n_val": val.n,
        "dim": train.dim,
        "num_classes": max(train.num_classes, val.num_classes),
        "leave_one_out": leave_one_out,
        "accuracy": "fraction of val rows whose label is predicted",
        "neighbors": "exact: distances from differences in float64, compared to 40 binary digits",
        "distance_ties": "rows equally far: the smaller row number in train is the nearer",
        "vote_ties": "the smallest label",
        "cosine": "neighbours by cosine; a row of zeros has cosine 0 with every row; weighted "
        "vote: exp(cosine / temperature)",
        "l2": "neighbours by Euclidean distance d, representations not normalised; weighted vote: "
        "exp(-d^2 / (2 s^2 temperature)), s^2 the mean squared distance of train from its mean",
        "oracle": "smallest k of the largest accuracy, among 1..k_max",
    }
