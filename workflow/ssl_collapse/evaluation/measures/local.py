"""Measures of a sample of rows: how many dimensions, how easily clustered, how far from Gaussian.

`rows` (m, D) are some of all rows, drawn at random, about the mean of all; `squared` (m, m) their
squared Euclidean distances.
"""

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.evaluation.measures.measure import Measure

Float64Array = NDArray[np.float64]

EQUAL = 1e-13  # of the mean squared distance: what rounding leaves between equal rows
DISCARDED = 0.1  # of the ratios, the largest: as in the paper and its code
CLUSTERS, ROWS_PER_CLUSTER, LLOYD_STEPS = 32, 20, 20
DIRECTIONS, KNOTS, LAST_KNOT = 256, 17, 3.0


def intrinsic_dimension(squared: Float64Array) -> float | None:
    """TwoNN: the dimension in which the ratio of the two nearest distances is distributed so.

    Facco, d'Errico, Rodriguez & Laio 2017 (Sci. Rep. 7, 12140): mu = r2 / r1 of every row has
    P(mu > x) = x^-d; d is the slope through the origin of -log(1 - F(mu)) on log mu without the
    largest tenth. Rows that another row equals are left out. From below D it falls short in high
    dimensions, the more so the fewer rows. None where fewer than 10 ratios are left, or all are 1.
    """
    apart = squared + np.diag(np.full(len(squared), np.inf))
    nearest = np.partition(apart, 1, axis=1)[:, :2] if len(squared) > 2 else np.zeros((0, 2))
    nearest = nearest[nearest[:, 0] > EQUAL * squared.mean()]
    if len(nearest) < 10:
        return None
    log_mu = np.sort(np.log(nearest[:, 1] / nearest[:, 0]) / 2)
    kept = int(len(log_mu) * (1 - DISCARDED))
    x, y = log_mu[:kept], -np.log1p(-np.arange(1, kept + 1) / len(log_mu))
    return float(x @ y / (x @ x)) if x @ x > EQUAL else None


def cluster_learnability(rows: Float64Array, squared: Float64Array, seed: int) -> float | None:
    """How often the nearest earlier row has the same k-means cluster, rows in random order.

    Lu et al. 2023 (CLID, arXiv 2206.01251), cluster learnability: how fast nearest neighbours
    learn the labels that k-means gives, here the share of right predictions of one neighbour, each
    row predicted from those before it. k-means++ with at most 32 clusters, 20 rows each or more.
    From about 1 / clusters to 1. None with fewer than 40 rows that differ.
    """
    repeated = np.tril(squared <= EQUAL * squared.mean(), k=-1).any(axis=1)
    clusters = min(CLUSTERS, int((~repeated).sum()) // ROWS_PER_CLUSTER)
    if clusters < 2:
        return None
    rng = np.random.default_rng([seed, 3])
    cluster = k_means(rows, plus_plus(squared, clusters, rng))
    order = rng.permutation(len(rows))
    label, distance = cluster[order], squared[np.ix_(order, order)]
    distance[np.triu_indices(len(rows))] = np.inf  # itself and what comes later
    return float(np.mean(label[distance[1:].argmin(axis=1)] == label[1:]))


def plus_plus(squared: Float64Array, clusters: int, rng: np.random.Generator) -> list[int]:
    """Rows to start k-means from: each far from those before (Arthur & Vassilvitskii 2007)."""
    chosen = [int(rng.integers(len(squared)))]
    nearest = squared[chosen[0]].copy()
    while len(chosen) < clusters:
        chosen.append(int(rng.choice(len(nearest), p=nearest / nearest.sum())))
        np.minimum(nearest, squared[chosen[-1]], out=nearest)
    return chosen


def k_means(rows: Float64Array, start: list[int]) -> NDArray[np.int64]:
    """The cluster (m,) of each row by Lloyd's algorithm from the rows `start`, at most 20 steps."""
    centres = rows[start]
    cluster = np.full(len(rows), -1)
    for _ in range(LLOYD_STEPS):
        norms = np.einsum("ij,ij->i", centres, centres)
        moved = np.argmin(norms - 2 * (rows @ centres.T), axis=1)
        if (moved == cluster).all():
            break
        cluster = moved
        members = (cluster == np.arange(len(centres))[:, None]).astype(np.float64)
        count = members.sum(axis=1)[:, None]
        # a cluster that has lost all rows stays where it is
        centres = np.where(count > 0, members @ rows / np.maximum(count, 1), centres)
    return cluster


def epps_pulley(rows: Float64Array, variance: float, seed: int) -> float:
    """Distance of random projections from a Gaussian, by their characteristic functions.

    SIGReg's statistic (Balestriero & LeCun 2025, LeJEPA, arXiv 2511.08544; Epps & Pulley 1983)
    without its factor N: the mean over 256 random unit directions of the integral over t in [-3, 3]
    of |mean exp(i t x) - exp(-t^2/2)|^2 exp(-t^2/2), trapezoid rule on 17 knots of [0, 3].
    Convention: centred and divided by the square root of `variance`, the mean over the dimensions
    of all rows, so that scale and place do not count. About 1.06 / m where the representations are
    an isotropic Gaussian, larger for a spectrum that is not flat or clusters, 1.8 at the most.
    """
    rng = np.random.default_rng([seed, 4])
    directions = rng.standard_normal((rows.shape[1], DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    t = np.linspace(0, LAST_KNOT, KNOTS)
    step = np.exp(1j * t[1] * (rows @ directions) / np.sqrt(variance))
    power, found = np.ones_like(step), []
    for _ in t:  # power: exp(i t x), (m, directions)
        found.append(power.mean(axis=0))
        power *= step
    gaussian = np.exp(-(t**2) / 2)
    weights = 2 * t[1] * gaussian
    weights[[0, -1]] /= 2
    errors = np.abs(np.stack(found) - gaussian[:, None]) ** 2
    return float((weights @ errors).mean())


_SAMPLE = "on $uniformity_samples rows (or all, if fewer) drawn with seed $seed"
MEASURES = (
    Measure(
        "intrinsic_dimension",
        lambda m: intrinsic_dimension(m.distances),
        f"TwoNN (Facco et al. 2017) without the largest tenth of the ratios, {_SAMPLE}; not "
        "normalised; null where fewer than ten differ from their neighbours",
        label="Intrinsic dimension (TwoNN)",
        collapse=-1,
    ),
    Measure(
        "cluster_learnability",
        lambda m: cluster_learnability(m.rows, m.distances, m.spec.seed),
        "share of rows whose nearest earlier row, in random order, has the same of at most 32 "
        f"k-means clusters (arXiv 2206.01251, there summed with the intrinsic dimension), {_SAMPLE}"
        "; not normalised; null with fewer than 40",
        label="Cluster learnability",
    ),
    Measure(
        "epps_pulley",
        lambda m: epps_pulley(
            m.rows, float(np.trace(m.moments.scatter)) / m.moments.n / len(m.sigma), m.spec.seed
        ),
        "integral of |mean exp(itx) - exp(-t^2/2)|^2 exp(-t^2/2) over [-3, 3], 17 knots, mean over "
        f"256 random directions (arXiv 2511.08544, there times n), {_SAMPLE}; centred, divided by "
        "the root of the mean variance",
        label="Distance from an isotropic Gaussian (Epps-Pulley)",
        collapse=1,
    ),
)
