"""A confidence interval for AUC: rows resampled in the eigenvectors of all of them."""

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.evaluation.measures.spectral import auc

Float64Array = NDArray[np.float64]

NORMAL_975 = 1.959963984540054
FEWEST_ROWS = 200


def auc_interval(
    rows: Float64Array,
    vectors: Float64Array,
    n: int,
    estimate: float,
    resamples: int,
    seed: int,
) -> tuple[float, float] | None:
    """95 % interval of AUC: estimate -+ 1.96 standard errors from half-samples, cut to [0, 1].

    Each resample is a random half of the centred `rows` (m, D), m of all N, drawn without
    replacement. Its eigenvalues are taken to first order, in the eigenvectors `vectors` (D, D) of
    all rows: lambda_j is the sum of (v_j . x)^2 (Stewart & Sun 1990, ch. IV), one product instead
    of an eigendecomposition each. The standard deviation of the resamples' AUC, scaled for the
    half and from m rows to N, is the standard error (Shao & Wu 1989, Ann. Statist. 17, the
    delete-d jackknife). The interval covers the choice of the N rows, not that of the training
    run, and not that AUC comes out larger of fewer rows. None below 200 rows or two resamples.
    """
    m = len(rows)
    if m < FEWEST_ROWS or resamples < 2:
        return None
    shares = (rows @ vectors) ** 2  # (m, D): of each row in each eigenvalue
    values = np.array([_auc_of(part) for part in _halves(m, resamples, seed) @ shares])
    kept = m // 2
    error = float(values.std(ddof=1)) * np.sqrt(kept / (m - kept) * m / n)
    margin = NORMAL_975 * float(error)
    return max(estimate - margin, 0.0), min(estimate + margin, 1.0)


def _halves(m: int, resamples: int, seed: int) -> Float64Array:
    """Ones where a resample has a row, zeros elsewhere, (resamples, m)."""
    rng = np.random.default_rng([seed, 1])
    half = (np.arange(m) < m // 2).astype(np.float64)
    return np.stack([rng.permutation(half) for _ in range(resamples)])


def _auc_of(eigenvalues: Float64Array) -> float:
    return auc(np.sort(np.sqrt(eigenvalues))[::-1])
