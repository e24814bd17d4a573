"""Measures of the singular values.

`sigma` is always the whole spectrum: D singular values, none negative, largest first, zeros of
dead dimensions included. What the spectrum was taken of (centred, normalised) is the caller's
choice and named in each docstring as the convention of the measure.

A spectrum of zeros alone (all representations equal) has no shape to measure: ValueError.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.evaluation.measures.measure import Measure, Measured
from ssl_collapse.evaluation.spectrum import explained

FloatArray = NDArray[np.floating[Any]]
Float64Array = NDArray[np.float64]

FEWEST_RANKS = 10


def auc(sigma: FloatArray) -> float:
    """Area under the explained-singular-value curve: mean_j sum_{i<=j} sigma_i / sum sigma.

    Li, Efros & Pathak 2022 (arXiv 2209.15007), eq. 2. The sums are over sigma, not sigma squared.
    Convention: centred, not normalised representations. (D+1)/(2D) for a flat spectrum, about 0.5;
    1 when a single dimension is left. Always over D values, also if N < D, where the reference
    code's SVD has only N of them.
    """
    return float(explained(_checked(sigma)).mean())


def spectral_entropy_rank(sigma: FloatArray) -> float:
    """exp(-sum p log p) with p = sigma / sum sigma: a smooth count of dimensions, from 1 to D.

    Effective rank of Roy & Vetterli 2007 (EUSIPCO), def. 1, on centred representations; RankMe of
    Garrido et al. 2023 (arXiv 2210.02885), on representations that are not centred. Zero
    values add nothing (0 log 0 = 0). Deviation: RankMe's code adds 1e-7 to p, which is left out.
    """
    p = _checked(sigma) / np.sum(sigma, dtype=np.float64)
    p = p[p > 0]
    return float(np.exp(-np.sum(p * np.log(p))))


def participation_ratio(sigma: FloatArray) -> float:
    """(sum lambda)^2 / sum lambda^2 with lambda = sigma^2: from 1 to D.

    Gao et al. 2017 (bioRxiv 214262). Convention: centred representations.
    """
    eigenvalues = _relative_eigenvalues(sigma)
    return float(eigenvalues.sum() ** 2 / np.sum(eigenvalues**2))


def nesum(sigma: FloatArray) -> float:
    """sum lambda / lambda_1 with lambda = sigma^2: from 1 to D.

    The normalised eigenvalue sum of He & Ozay 2022 (ICML), and the stable rank of Rudelson &
    Vershynin 2007 of the centred representation matrix. Convention: centred representations.
    """
    return float(_relative_eigenvalues(sigma).sum())


def alpha_req(
    sigma: FloatArray, first_rank: int = 11, last_rank: int = 100, floor: float = 0.0
) -> tuple[float, float] | None:
    """Decay exponent alpha of lambda_j ~ j^-alpha, and R^2 of the fit.

    Agrawal et al. 2022 (NeurIPS, alpha-ReQ). Least squares of log lambda_j on log j over
    the ranks first_rank to last_rank (from 1, both included), of which only those whose sigma is
    above `floor` are used. alpha is minus the slope. Convention: centred representations. None if
    fewer than ten ranks are left. A flat stretch has alpha 0 and, as nothing is to be explained,
    R^2 = 1.
    """
    values = _checked(sigma)
    usable = int(np.count_nonzero(values > floor))
    last = min(last_rank, usable)
    if last - first_rank + 1 < FEWEST_RANKS:
        return None
    x = np.log(np.arange(first_rank, last + 1))
    y = 2.0 * np.log(values[first_rank - 1 : last])
    x -= x.mean()
    y -= y.mean()
    slope = float(x @ y / (x @ x))
    residual = y - slope * x
    variation = float(y @ y)
    r2 = 1.0 if variation < 1e-24 else 1.0 - float(residual @ residual) / variation
    return -slope + 0.0, r2


def numerical_rank(sigma: FloatArray, n: int, floor: float = 0.0) -> int:
    """How many singular values exceed max(N, D) eps sigma_1, with eps = 2^-52 of float64.

    The tolerance of numpy.linalg.matrix_rank, but never less than `floor`, the noise floor of
    `sigma`. Convention: centred representations, so
    at most min(N - 1, D). 0 for a spectrum of zeros.
    """
    if len(sigma) == 0 or sigma[0] == 0:
        return 0
    tolerance = max(n, len(sigma)) * np.finfo(np.float64).eps * sigma[0]
    return int(np.count_nonzero(sigma > max(float(tolerance), floor)))


def _checked(sigma: FloatArray) -> Float64Array:
    values = sigma.astype(np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"expected a 1-D spectrum, got shape {values.shape}")
    if not np.isfinite(values).all() or values.min() < 0 or np.any(np.diff(values) > 0):
        raise ValueError("singular values must be finite, not negative, and largest first")
    if values[0] == 0:
        raise ValueError("all singular values are zero: the representations are all equal")
    return values


def _relative_eigenvalues(sigma: FloatArray) -> Float64Array:
    """lambda / lambda_1: the division first, so that no square leaves the range of float64."""
    values = _checked(sigma)
    relative: Float64Array = (values / values[0]) ** 2
    return relative


def _alpha(m: Measured) -> tuple[float, float] | tuple[None, None]:
    first, last = m.spec.alpha_first_rank, m.spec.alpha_last_rank
    return alpha_req(m.sigma, first, last, m.floor) or (None, None)


def _end(m: Measured, end: int) -> float | None:
    interval = m.interval()
    return interval[end] if interval else None


_INTERVAL = (
    "95 % interval of auc for the choice of rows, not of the training run: -+ 1.96 standard errors "
    "from $bootstrap_resamples random halves of at most $uniformity_samples rows, their "
    "eigenvalues to first order; null below 200 rows"
)
MEASURES = (
    Measure(
        "auc",
        lambda m: auc(m.sigma),
        "mean_j sum_{i<=j} sigma_i / sum sigma over j = 1..dim (arXiv 2209.15007, eq. 2); "
        "representations centred, not normalised; (dim+1)/(2 dim) for a flat spectrum, 1 for a "
        "single direction",
        label="AUC",
        collapse=1,
        normalised=True,
    ),
    Measure(
        "auc_low",
        lambda m: _end(m, 0),
        _INTERVAL,
        label="AUC, lower end of its interval",
        collapse=1,
    ),
    Measure(
        "auc_high",
        lambda m: _end(m, 1),
        _INTERVAL,
        label="AUC, upper end of its interval",
        collapse=1,
    ),
    Measure(
        "rankme",
        lambda m: spectral_entropy_rank(m.uncentred),
        "exp(-sum p log p), p = sigma / sum sigma, no epsilon (arXiv 2210.02885); "
        "representations not centred",
        label="RankMe",
        collapse=-1,
        normalised=True,
    ),
    Measure(
        "effective_rank",
        lambda m: spectral_entropy_rank(m.sigma),
        "as rankme, representations centred (Roy & Vetterli 2007)",
        label="Effective rank",
        collapse=-1,
        normalised=True,
    ),
    Measure(
        "participation_ratio",
        lambda m: participation_ratio(m.sigma),
        "(sum lambda)^2 / sum lambda^2, lambda = sigma^2; representations centred",
        label="Participation ratio",
        collapse=-1,
        normalised=True,
    ),
    Measure(
        "nesum",
        lambda m: nesum(m.sigma),
        "sum lambda / lambda_1, lambda = sigma^2 (stable rank); representations centred",
        label="NESum",
        collapse=-1,
        normalised=True,
    ),
    Measure(
        "alpha",
        lambda m: _alpha(m)[0],
        "minus the least-squares slope of log lambda_j on log j, ranks $alpha_first_rank to "
        "$alpha_last_rank as far as above the noise floor, at least ten; representations centred",
        label="Decay exponent (alpha-ReQ)",
        collapse=1,
        normalised=True,
    ),
    Measure(
        "alpha_r2",
        lambda m: _alpha(m)[1],
        "R^2 of that fit",
        label="R² of the alpha-ReQ fit",
        normalised=True,
    ),
    Measure(
        "numerical_rank",
        lambda m: numerical_rank(m.sigma, m.moments.n, m.floor),
        "number of sigma > max(max(n, dim) eps sigma_1, noise_floor), eps = 2^-52; "
        "representations centred",
        label="Numerical rank",
        collapse=-1,
        normalised=True,
    ),
)
