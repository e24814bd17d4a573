"""What a measure is, and what it is measured on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.config.evaluation import CollapseSpec
from ssl_collapse.evaluation.classes import ClassSums
from ssl_collapse.evaluation.moments import Moments
from ssl_collapse.evaluation.spectrum import gram_floor, rounding_floor

Float64Array = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """What measures are functions of: N representations of D dimensions in one pass.

    `moments` of the rows, with their centred spectrum `sigma` (D,) and that about the origin,
    `uncentred` (D,); `dtype` as they are stored. `unit` are the moments of the L2-normalised rows.
    `sample` (m, D) are some of the rows, `distances` (m, m) their squared distances, `classes` the
    sums of each class, where there are labels. `interval` waits for that of AUC. Of `NAME_l2`,
    `moments` and spectra are of normalised rows.
    """

    moments: Moments
    sigma: Float64Array
    uncentred: Float64Array
    dtype: str
    unit: Moments
    sample: Float64Array
    distances: Float64Array
    classes: ClassSums | None
    zero_rows: int
    interval: Callable[[], tuple[float, float] | None]
    spec: CollapseSpec

    @property
    def rows(self) -> Float64Array:
        """The sample about the mean of all rows."""
        return self.sample - self.moments.mean

    @property
    def rounding(self) -> float:
        """The largest singular value that storing in `dtype` can create."""
        return rounding_floor(self.moments, self.dtype)

    @property
    def floor(self) -> float:
        """Singular values at or below it cannot be told from rounding."""
        return max(gram_floor(self.sigma), self.rounding)


@dataclass(frozen=True)
class Measure:
    """One number of collapse.json.

    `convention` is the sentence that travels with it, `$name` standing for a setting; `label` what
    a figure calls it (none: no figure shows it), `unit` of its values. `collapse`: +1 where larger
    values mean a more collapsed representation, -1 where smaller ones do, 0 where neither is
    claimed. `normalised`: also given of L2-normalised rows, as NAME_l2.
    """

    name: str
    value: Callable[[Measured], float | int | str | None]
    convention: str = ""
    label: str = ""
    unit: str = ""
    collapse: int = 0
    normalised: bool = False
