"""What was measured, and how far the numbers reach; no figure shows these."""

import numpy as np

from ssl_collapse.evaluation.measures.measure import Measure, Measured
from ssl_collapse.evaluation.spectrum import gram_floor


def dead_dimensions(m: Measured) -> int:
    """How many dimensions have a spread no larger than the rounding of their mean."""
    spread = np.sqrt(np.diag(m.moments.scatter) / m.moments.n)
    eps = float(np.finfo(np.dtype(m.dtype)).eps)
    return int(np.count_nonzero(spread <= eps * np.abs(m.moments.mean)))


ABOUT = (
    Measure("n", lambda m: m.moments.n),
    Measure("dim", lambda m: len(m.sigma)),
    Measure("dtype", lambda m: m.dtype),
    Measure(
        "sigma_max",
        lambda m: float(m.sigma[0]),
        "sigma_1 of the centred, not normalised representations",
    ),
    Measure(
        "noise_floor",
        lambda m: m.floor,
        "singular values at or below it cannot be told from rounding: the larger of "
        "noise_floor_gram = sqrt(8 eps) sigma_1, eps = 2^-52 (eigenvalues of a second moment in "
        "float64), and noise_floor_rounding (storing the representations in their dtype)",
    ),
    Measure("noise_floor_gram", lambda m: gram_floor(m.sigma)),
    Measure("noise_floor_rounding", lambda m: m.rounding),
    Measure(
        "rank_bound",
        lambda m: min(m.moments.n - 1, len(m.sigma)),
        "min(n - 1, dim), the largest rank that centred representations can have",
    ),
    Measure(
        "dead_dimensions",
        dead_dimensions,
        "dimensions that are constant to within rounding",
    ),
    Measure(
        "zero_rows", lambda m: m.zero_rows, "rows of zeros; they stay zero under normalisation"
    ),
)
