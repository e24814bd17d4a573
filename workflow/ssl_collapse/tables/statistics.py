"""Means, confidence bands and tests over seeds; every seed of a run is one independent sample."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # whose modules are imported when they are used: planning reads this file
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95  # of every interval in the figures and the report


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval; `low` and `high` are NaN where there is none."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def half_width(self) -> float:
        """Half the interval's width: the number behind a plus-minus sign."""
        return (self.high - self.low) / 2


def t_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """Mean and Student t interval: mean +- t(n - 1) s / sqrt(n), s with n - 1 degrees of freedom.

    values: shape (n,). Values that are not finite are left out. One value, or values that are all
    equal, have no interval (NaN bounds); none at all gives NaN throughout.
    """
    samples = np.asarray(values, dtype=np.float64)
    samples = samples[np.isfinite(samples)]
    n = samples.size
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean, low, high = t_band(samples[:, None], level)
    if np.ptp(samples) == 0:  # a tie says nothing of how far the seeds lie apart
        low, high = np.array([math.nan]), np.array([math.nan])
    return Interval(float(mean[0]), float(low[0]), float(high[0]), n)


def t_band(
    samples: NDArray[np.float64], level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean, lower and upper bound of the t interval of every column, each of shape (D,).

    samples: shape (n seeds, D), finite. With one seed the bounds are NaN.
    """
    n = samples.shape[0]
    mean = samples.mean(axis=0)
    if n == 1:
        missing = np.full_like(mean, np.nan)
        return mean, missing, missing.copy()
    half = scipy.stats.t.ppf((1 + level) / 2, n - 1) * samples.std(axis=0, ddof=1) / math.sqrt(n)
    return mean, mean - half, mean + half


def log_t_band(
    samples: NDArray[np.float64], level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """As `t_band`, on the logarithm: geometric mean and bounds, which stay positive.

    samples: shape (n seeds, D), positive.
    """
    mean, low, high = t_band(np.log(samples), level)
    return np.exp(mean), np.exp(low), np.exp(high)


def welch_difference(a: ArrayLike, b: ArrayLike, level: float = LEVEL) -> Interval:
    """mean(a) - mean(b) with Welch's interval (unequal variances, Welch-Satterthwaite freedom).

    a, b: shapes (n_a,), (n_b,); values that are not finite are left out. Seeds are not paired:
    the same seed draws the same permutation, but nothing says that its runs are otherwise alike.
    `n` is the smaller group; below 2 the bounds are NaN.
    """
    left, right = (np.asarray(v, dtype=np.float64) for v in (a, b))
    left, right = left[np.isfinite(left)], right[np.isfinite(right)]
    n = min(left.size, right.size)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    difference = float(left.mean() - right.mean())
    if n < 2:
        return Interval(difference, math.nan, math.nan, n)
    parts = [v.var(ddof=1) / v.size for v in (left, right)]
    error = math.sqrt(sum(parts))
    if error == 0:  # ties in both groups are no interval of zero width
        return Interval(difference, math.nan, math.nan, n)
    freedom = sum(parts) ** 2 / sum(
        part**2 / (v.size - 1) for part, v in zip(parts, (left, right), strict=True)
    )
    half = float(scipy.stats.t.ppf((1 + level) / 2, freedom)) * error
    return Interval(difference, difference - half, difference + half, n)


def log_slope(shares: Sequence[float], values: Sequence[float], level: float = LEVEL) -> Interval:
    """Least-squares slope of `values` on log10(`shares`): the change per tenfold data.

    shares, values: shape (n runs,), every seed of every share one point; values that are not
    finite are left out. The interval is the t interval of the slope with n - 2 degrees of freedom;
    the bounds are NaN when no share has two seeds, since then curvature cannot be told from noise.
    `n` is the number of points. Needs two different shares (else NaN).
    """
    x = np.log10(np.asarray(shares, dtype=np.float64))
    y = np.asarray(values, dtype=np.float64)
    x, y = x[np.isfinite(y)], y[np.isfinite(y)]
    distinct = np.unique(x).size
    if distinct < 2:
        return Interval(math.nan, math.nan, math.nan, x.size)
    fit = scipy.stats.linregress(x, y)
    slope = float(fit.slope)
    if distinct == x.size or x.size < 3 or fit.stderr == 0:
        return Interval(slope, math.nan, math.nan, x.size)
    half = float(scipy.stats.t.ppf((1 + level) / 2, x.size - 2) * fit.stderr)
    return Interval(slope, slope - half, slope + half, x.size)
