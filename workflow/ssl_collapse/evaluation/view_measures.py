"""From representations of several views per image to view-measures.json."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.config.evaluation import ViewMeasuresSpec
from ssl_collapse.evaluation.measures.views import VIEW_MEASURES, alignment, lidar
from ssl_collapse.evaluation.moments import unit_rows
from ssl_collapse.evaluation.result_format import FORMAT_VERSION


def measure_views(
    views: NDArray[np.float32] | None, spec: ViewMeasuresSpec, failure: str | None = None
) -> dict[str, Any]:
    """What view-measures.json holds, of representations (n, q, D).

    Where the encoder has failed (`failure` says how, or they hold NaN or infinity) the measures
    are null and `diverged` is there.
    """
    if failure is None and views is not None and not np.isfinite(views).all():
        failure = "the representations of augmented views hold NaN or infinity"
    measured: dict[str, float | None] = dict.fromkeys(VIEW_MEASURES)
    if failure is None and views is not None:
        units = unit_rows(views.reshape(-1, views.shape[2])).reshape(views.shape)
        measured = {"lidar": lidar(views, spec.delta), "alignment": alignment(units)}
    drawn = {} if views is None else dict(zip(("images", "dim"), views.shape[::2], strict=True))
    return {
        "format_version": FORMAT_VERSION,
        **measured,
        "protocol": {**drawn, "views": spec.views, "delta": spec.delta, "seed": spec.seed},
        "conventions": {name: words for name, (_, _, words) in VIEW_MEASURES.items()},
        **({} if failure is None else {"diverged": True, "failure": failure}),
    }
