"""Label-free measures of collapse, each a pure function of singular values or of moments.

`sigma` is always the whole spectrum: D singular values, none negative, largest first, zeros of
dead dimensions included. What the spectrum was taken of (centred, normalised) is the caller's
choice and named in each docstring as the convention of the measure.

A spectrum of zeros alone (all representations equal) has no shape to measure: ValueError.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.evaluation.spectrum import explained

Float64Array = NDArray[np.float64]
FloatArray = NDArray[np.floating[Any]]

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


def std_per_dimension(scatter: FloatArray, n: int) -> float:
    """mean_d std(u_d) of u = z / norm(z), from the centred scatter (D, D) of N normalised rows.

    Chen & He 2021 (SimSiam, arXiv 2011.10566), sec. 4.1. With ddof = 0: 1/sqrt(D) is then exactly
    the value of a distribution with mean zero and equal variances, and the largest possible. 0
    when all representations point one way.
    """
    return float(np.sqrt(np.clip(np.diag(scatter), 0.0, None) / n).mean())


def mean_cosine(mean: FloatArray, n: int, zero_rows: int = 0) -> float:
    """Mean cosine similarity of all pairs of different rows, from the mean (D,) of unit rows.

    (norm(sum_i u_i)^2 - N) / (N (N - 1)). Convention: L2-normalised, not centred. 1 when all point
    one way. A row of zeros has cosine 0 with every other, and the N that is subtracted becomes
    N - `zero_rows`. Needs N >= 2.
    """
    if n < 2:
        raise ValueError(f"mean cosine needs two rows or more, there is {n}")
    squared = float(n * n * (mean.astype(np.float64) @ mean))
    return (squared - (n - zero_rows)) / (n * (n - 1))


def uniformity(units: FloatArray, t: float = 2.0) -> float:
    """log mean exp(-t norm(u_i - u_j)^2) over all pairs i < j of unit rows (m, D).

    Wang & Isola 2020 (arXiv 2005.10242), sec. 4.1, with t = 2. Convention: L2-normalised
    rows. 0 when all rows are equal, more negative the more evenly they lie on the sphere. Needs
    m >= 2.
    """
    m = len(units)
    if m < 2:
        raise ValueError(f"uniformity needs two rows or more, there is {m}")
    units = units.astype(np.float64)
    norms = np.einsum("ij,ij->i", units, units)
    squared = norms[:, None] + norms[None, :] - 2.0 * (units @ units.T)
    pairs = np.clip(squared[np.triu_indices(m, k=1)], 0.0, None)
    return float(np.log(np.mean(np.exp(-t * pairs))))


def alignment(units: FloatArray, positives: FloatArray) -> float:
    """mean norm(u - u+)^2 over unit rows and their positives, both (m, D), row by row.

    Wang & Isola 2020 (arXiv 2005.10242), sec. 4.1, with alpha = 2. 0 when views agree, 2 when they
    are at right angles.
    """
    if units.shape != positives.shape or len(units) == 0:
        raise ValueError(f"alignment needs pairs, got shapes {units.shape} and {positives.shape}")
    difference = units.astype(np.float64) - positives
    return float(np.einsum("ij,ij->i", difference, difference).mean())


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
