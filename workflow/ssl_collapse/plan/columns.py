"""The columns that summary.csv will have, as far as a figure may ask for them."""

from ssl_collapse.config.experiment import EvaluationConfig
from ssl_collapse.evaluation import accuracies
from ssl_collapse.evaluation.measures import registry
from ssl_collapse.evaluation.measures.registry import PROJECTOR_PREFIX
from ssl_collapse.evaluation.measures.views import VIEW_MEASURES

_KNN = accuracies.knn_columns()
ACCURACIES = (*(*_KNN, *(f"{PROJECTOR_PREFIX}{name}" for name in _KNN)), *accuracies.PROBE_LABELS)
MEASURES = registry.measure_columns()


def accuracy_columns(evaluation: EvaluationConfig) -> list[str]:
    """Columns that will hold an accuracy."""
    knn = evaluation.knn
    columns = accuracies.knn_columns(knn.k_max, knn.metrics, knn.votes)
    probes = evaluation.probe.probes() if evaluation.probe else ()
    if "projector" in evaluation.layers:
        columns = (*columns, *(f"{PROJECTOR_PREFIX}{name}" for name in columns))
    return [*columns, *(column for name in probes for column in accuracies.PROBE_COLUMNS[name])]


def measure_columns(evaluation: EvaluationConfig) -> list[str]:
    """Columns that will hold a measure."""
    missing: set[str] = set()
    if evaluation.collapse.bootstrap_resamples < 2:  # no standard error
        missing |= {"auc_low", "auc_high"}
    if evaluation.views is None:
        missing |= VIEW_MEASURES.keys()
    missing |= {f"{PROJECTOR_PREFIX}{name}" for name in missing}
    if "projector" not in evaluation.layers:
        missing |= {name for name in MEASURES if name.startswith(PROJECTOR_PREFIX)}
    return [name for name in MEASURES if name not in missing]
