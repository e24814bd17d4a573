"""The columns that summary.csv will have, as far as a figure may ask for them."""

from ssl_collapse.config.evaluation import CollapseSpec
from ssl_collapse.config.experiment import EvaluationConfig
from ssl_collapse.evaluation import accuracies
from ssl_collapse.evaluation.measures import registry

ACCURACIES = (*accuracies.knn_columns(), *accuracies.PROBE_LABELS)
MEASURES = registry.measure_columns()
_INTERVAL = ("auc_low", "auc_high")


def accuracy_columns(evaluation: EvaluationConfig) -> list[str]:
    """Columns that will hold an accuracy."""
    knn = evaluation.knn
    columns = accuracies.knn_columns(knn.k_max, knn.metrics, knn.votes)
    probes = evaluation.probe.probes() if evaluation.probe else ()
    return [*columns, *(column for name in probes for column in accuracies.PROBE_COLUMNS[name])]


def measure_columns(collapse: CollapseSpec) -> list[str]:
    """Columns that will hold a label-free measure."""
    interval = collapse.bootstrap_resamples >= 2  # fewer have no standard error
    return [name for name in MEASURES if interval or name not in _INTERVAL]
