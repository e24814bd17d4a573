"""A confidence interval for AUC from the moments of groups of rows, without reading again."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.evaluation.measures.spectral import auc
from ssl_collapse.evaluation.moments import FEWEST_GROUPS, Moments
from ssl_collapse.evaluation.spectrum import singular_values

Float64Array = NDArray[np.float64]

NORMAL_975 = 1.959963984540054
BATCH_BYTES = 2**26


def auc_interval(
    groups: Sequence[Moments], estimate: float, resamples: int, seed: int, threads: int = 1
) -> tuple[float, float] | None:
    """95 % interval of AUC: estimate -+ 1.96 standard errors from half-samples, cut to [0, 1].

    Each resample is a random half of the groups, drawn without replacement; the standard deviation
    of its AUC, scaled for the half, is the standard error (Shao & Wu 1989, Ann. Statist. 17, the
    delete-d jackknife). Drawing with replacement and taking percentiles fails here: with about
    37 % of the rows missing and others doubled, AUC comes out too large unless N is far above D,
    and the percentiles lie above the estimate. The interval covers the choice of the N rows, not
    that of the training run. None if there are fewer than ten groups or two resamples.
    """
    if len(groups) < FEWEST_GROUPS or resamples < 2:
        return None
    values = resampled_auc(groups, resamples, seed, threads)
    half = len(groups) // 2
    error = float(values.std(ddof=1)) * np.sqrt(half / (len(groups) - half))
    margin = NORMAL_975 * float(error)
    return max(estimate - margin, 0.0), min(estimate + margin, 1.0)


def resampled_auc(
    groups: Sequence[Moments], resamples: int, seed: int, threads: int = 1
) -> Float64Array:
    """AUC (resamples,) of random halves of the groups."""
    dim = len(groups[0].mean)
    rng = np.random.default_rng([seed, 1])
    half = np.arange(len(groups)) < len(groups) // 2
    draws = np.stack([rng.permutation(half) for _ in range(resamples)])
    batch = max(BATCH_BYTES // (8 * dim * dim), 1)
    scatters = np.stack([group.scatter for group in groups]).reshape(len(groups), -1)
    values: list[float] = []
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, resamples, batch):
            weights = draws[start : start + batch].astype(np.float64)
            within = (weights @ scatters).reshape(-1, dim, dim)
            between = [_between(groups, row) for row in weights]
            values += pool.map(_auc_of_moment, map(np.add, within, between))
    return np.array(values)


def _between(groups: Sequence[Moments], weights: Float64Array) -> Float64Array:
    """Scatter (D, D) of the group means about the mean of the resample."""
    counts = weights * np.array([group.n for group in groups])
    means = np.stack([group.mean for group in groups])
    means = means - counts @ means / counts.sum()
    scatter: Float64Array = means.T @ (counts[:, None] * means)
    return scatter


def _auc_of_moment(moment: NDArray[np.floating[Any]]) -> float:
    return auc(singular_values(moment))
