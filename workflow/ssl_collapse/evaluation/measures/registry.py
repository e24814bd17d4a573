"""All measures in the order of collapse.json: who needs their names or words reads them here."""

from string import Template

from ssl_collapse.config.evaluation import CollapseSpec
from ssl_collapse.evaluation.measures import directions, labels, local, spectral
from ssl_collapse.evaluation.measures.about import ABOUT
from ssl_collapse.evaluation.measures.views import VIEW_MEASURES

MEASURES = (*spectral.MEASURES, *directions.MEASURES, *local.MEASURES, *labels.MEASURES)
_NORMALISED = (
    "the same measure of representations first divided by their Euclidean norm; null if all point "
    "one way"
)
PROJECTOR_PREFIX = "projector_"  # before the columns of the projector's layer


def measure_columns() -> tuple[str, ...]:
    """The columns of the summary that a figure may show as a measure."""
    normalised = (f"{measure.name}_l2" for measure in MEASURES if measure.normalised)
    of_layer = (*(measure.name for measure in MEASURES), *normalised, *VIEW_MEASURES)
    return (*of_layer, *(f"{PROJECTOR_PREFIX}{name}" for name in of_layer), "loss")


def conventions(spec: CollapseSpec) -> dict[str, str]:
    """The convention of each number, given the settings."""
    settings = spec.model_dump()
    names: dict[str, list[str]] = {}
    for measure in (*MEASURES, *ABOUT):
        names.setdefault(Template(measure.convention).substitute(settings), []).append(measure.name)
    names.pop("")  # what needs no words
    (of_auc, of_interval, *others) = names
    sentences = (of_auc, of_interval, _NORMALISED, *others)
    return {", ".join(names.get(text, ["*_l2"])): text for text in sentences}
