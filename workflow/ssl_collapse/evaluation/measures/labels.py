"""Measures that need labels: how far each class has collapsed to a point, and its classes apart."""

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.evaluation.classes import ClassSums
from ssl_collapse.evaluation.measures.distances import squared_distances
from ssl_collapse.evaluation.measures.measure import Measure
from ssl_collapse.evaluation.moments import Moments
from ssl_collapse.evaluation.spectrum import GRAM_ROUNDING

Float64Array = NDArray[np.float64]


def nc1(of: ClassSums, moments: Moments) -> float | None:
    """tr(S_W S_B^+) / C: the variability within classes against that between them.

    Papyan, Han & Donoho 2020 (arXiv 2008.08186), NC1. S_W (D, D) is the covariance of rows about
    the means of their C classes, S_B that of the class means about their mean, each class counting
    once. 0 where every class is one point (neural collapse). None with one class, or where all
    class means are equal.
    """
    means = of.means
    centred = means - means.mean(axis=0)
    # eigenvectors of C S_B from the smaller of the two products of the centred means
    wide = len(means) <= means.shape[1]
    squares, vectors = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    kept = squares > max(_rounding(squares.max()), _lost(means))
    if not kept.any():
        return None
    squares, vectors = squares[kept], vectors[:, kept]
    if wide:
        vectors = centred.T @ vectors / np.sqrt(squares)
    # S_W is the scatter of all rows less that of the class means about the mean of all rows
    whole = np.einsum("dk,dk->k", vectors, moments.scatter @ vectors)
    between = of.count @ ((means - moments.mean) @ vectors) ** 2
    return float(np.sum(np.clip(whole - between, 0.0, None) / squares) / moments.n)


def cdnv(means: Float64Array, variances: Float64Array) -> float | None:
    """Mean over pairs of classes of (v_a + v_b) / (2 norm(mu_a - mu_b)^2).

    Galanti, Gyorgy & Hutter 2022 (arXiv 2112.15121), class-distance normalised variance; v_a is
    the mean squared distance of a class's rows from their mean mu_a. 0 where every class is one
    point. None with one class, or where two class means are equal.
    """
    if len(means) < 2:
        return None
    pairs = np.triu_indices(len(means), k=1)
    distances = squared_distances(means - means.mean(axis=0))[pairs]
    if (distances <= _lost(means)).any():
        return None
    return float(np.mean((variances[pairs[0]] + variances[pairs[1]]) / (2 * distances)))


def _rounding(largest: float) -> float:
    return GRAM_ROUNDING * float(np.finfo(np.float64).eps) * largest


def _lost(means: Float64Array) -> float:
    """The squared distance that rounding of class means can put between them."""
    largest = float(np.abs(means).max())
    return float(means.shape[1] * _rounding(largest) ** 2)


MEASURES = (
    Measure(
        "nc1",
        lambda m: nc1(m.classes, m.moments) if m.classes else None,
        "tr(S_W S_B^+) / classes, S_W of rows about their class mean, S_B of the class means about "
        "their mean (arXiv 2008.08186); not normalised; null without labels, with one class, or "
        "where all class means are equal",
        label="Within-class variability (NC1)",
    ),
    Measure(
        "cdnv",
        lambda m: cdnv(m.classes.means, m.classes.variances) if m.classes else None,
        "mean over pairs of classes of (v_a + v_b) / (2 norm(mu_a - mu_b)^2), v the mean squared "
        "distance from the class mean mu (arXiv 2112.15121); not normalised; null as nc1, and "
        "where two class means are equal",
        label="Class-distance normalised variance",
    ),
)
