"""The columns that summary.csv will have, as far as a figure may ask for them.

Known without any result: the names follow from what the config measures. They are those that
`tables/summary.py` gives to the numbers of knn.json, probe.json and collapse.json.
"""

from ssl_collapse.config.evaluation import CollapseSpec, KnnSpec
from ssl_collapse.config.experiment import EvaluationConfig

MAJORITY_K = (1, 20, 200)
WEIGHTED_K = (20, 200)
PROBE = tuple(f"probe_{name}" for name in ("top1_last", "top5_last", "top1_best", "top5_best"))
_OF_SPECTRUM = (
    *("auc", "rankme", "effective_rank", "participation_ratio", "nesum"),
    *("alpha", "alpha_r2", "numerical_rank"),
)
_INTERVAL = ("auc_low", "auc_high")
MEASURES = (
    *_OF_SPECTRUM,
    *(f"{name}_l2" for name in _OF_SPECTRUM),
    *(*_INTERVAL, "std_per_dimension", "mean_cosine", "uniformity", "loss"),
)


def accuracy_columns(evaluation: EvaluationConfig) -> list[str]:
    """Columns that will hold an accuracy."""
    return [*knn_columns(evaluation.knn), *(PROBE if evaluation.probe else ())]


def knn_columns(knn: KnnSpec) -> list[str]:
    """Columns that will hold an accuracy of k-NN."""
    columns = []
    for metric in knn.metrics if "majority" in knn.votes else ():
        columns += [f"knn_{metric}_k{k}" for k in MAJORITY_K if k <= knn.k_max]
        columns.append(f"knn_{metric}_oracle")
    if "weighted" in knn.votes and "cosine" in knn.metrics:
        columns += [f"knn_cosine_weighted_k{k}" for k in WEIGHTED_K if k <= knn.k_max]
    return columns


ACCURACIES = (*knn_columns(KnnSpec()), *PROBE)


def measure_columns(collapse: CollapseSpec) -> list[str]:
    """Columns that will hold a label-free measure."""
    interval = collapse.bootstrap_resamples >= 2  # fewer have no standard error
    return [name for name in MEASURES if interval or name not in _INTERVAL]
