"""Measures of the directions alone: of L2-normalised rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.evaluation.measures.distances import squared_distances
from ssl_collapse.evaluation.measures.measure import Measure
from ssl_collapse.evaluation.moments import unit_rows

FloatArray = NDArray[np.floating[Any]]


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
    near = squared_distances(units.astype(np.float64))
    np.exp(np.multiply(near, -t, out=near), out=near)
    np.fill_diagonal(near, 0.0)
    return float(np.log(near.sum() / (m * (m - 1))))


MEASURES = (
    Measure(
        "std_per_dimension",
        lambda m: std_per_dimension(m.unit.scatter, m.unit.n),
        "mean_d std(z_d / norm(z)), ddof 0; ideal 1/sqrt(dim)",
        label="Std per dimension",
        collapse=-1,
    ),
    Measure(
        "mean_cosine",
        lambda m: mean_cosine(m.unit.mean, m.unit.n, m.zero_rows),
        "(norm(sum u)^2 - n) / (n (n-1)), u = z / norm(z); not centred",
        label="Mean cosine similarity",
        collapse=1,
    ),
    Measure(
        "uniformity",
        lambda m: uniformity(unit_rows(m.sample)),
        "log mean_{i<j} exp(-2 norm(u_i - u_j)^2) over $uniformity_samples rows (or all, if fewer) "
        "drawn with seed $seed; u = z / norm(z)",
        label="Uniformity",
        collapse=1,
    ),
)
