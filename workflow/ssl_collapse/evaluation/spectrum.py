"""Singular values from a second moment, and the floor below which they are rounding noise."""

from functools import partial
from typing import Any

import numpy as np
import scipy  # whose modules are imported when they are used: planning reads this file
from numpy.typing import NDArray

from ssl_collapse.evaluation.moments import Moments
from ssl_collapse.representations.rounding import rounding_norm

Float64Array = NDArray[np.float64]

# Computed zero eigenvalues reach about 3 eps lambda_1 for D up to 2048 (random low-rank matrices);
# 8 leaves room for other shapes, 8 eps being (4.2e-8)^2.
GRAM_ROUNDING = 8.0


def singular_vectors(
    second_moment: NDArray[np.floating[Any]],
) -> tuple[Float64Array, Float64Array]:
    """Singular values (D,) of an N x D matrix A, largest first, and right singular vectors.

    From the second moment A^T A (D, D). All D values, also if N < D, where D - N of them are zero
    up to rounding: the square roots of the eigenvalues; negative ones, which are rounding, become
    0. The vectors are the columns of (D, D), in any order.
    """
    eigenvalues, vectors = np.linalg.eigh(second_moment)
    return _roots(eigenvalues), vectors


def both_spectra(moments: Moments) -> tuple[Float64Array, Float64Array]:
    """Singular values (D,) of the centred rows, and of the rows as they are, largest first.

    Both for little more than one: S, the scatter, is reflected so that the mean m lies along the
    first axis, which the reduction of the reflected S to a tridiagonal T leaves where it is. Then
    S + n m m^T has the eigenvalues of T with n norm(m)^2 added to its first entry.
    """
    scatter, norm = moments.scatter, float(np.linalg.norm(moments.mean))
    if norm > 0:
        # Householder's reflection I - 2 u u^T takes the mean to the first axis
        u = moments.mean / norm
        u[0] += np.copysign(1.0, u[0])
        u /= np.linalg.norm(u)
        image = scatter @ u
        image -= (u @ image) * u
        scatter = scatter - 2 * (np.outer(u, image) + np.outer(image, u))
    lapack = scipy.linalg.lapack
    work = int(lapack.dsytrd_lwork(len(scatter), lower=1)[0])
    _, diagonal, beside, _, _ = lapack.dsytrd(scatter.T, lower=1, lwork=work)
    of_tridiagonal = partial(scipy.linalg.eigvalsh_tridiagonal, e=beside, lapack_driver="sterf")
    centred = of_tridiagonal(diagonal)
    diagonal[0] += moments.n * norm**2
    return _roots(centred), _roots(of_tridiagonal(diagonal))


def _roots(eigenvalues: NDArray[np.floating[Any]]) -> Float64Array:
    sigma: Float64Array = np.sqrt(np.clip(eigenvalues[::-1], 0.0, None))
    return sigma


def gram_floor(sigma: Float64Array) -> float:
    """Smallest singular value that eigenvalues of A^T A in float64 can tell from zero.

    eigvalsh is backward stable: every eigenvalue lambda = sigma^2 carries an error of a few
    eps lambda_1, eps = 2^-52 (Golub & Van Loan, 4th ed., ch. 8). A true zero can
    therefore come out as sqrt(8 eps) sigma_1 = 4.2e-8 sigma_1. A value well above the floor is
    far better than that: its error is about eps sigma_1^2 / sigma.
    """
    return float(np.sqrt(GRAM_ROUNDING * np.finfo(np.float64).eps) * sigma[0])


def rounding_floor(moments: Moments, dtype: str) -> float:
    """Largest singular value that storing the representations in `dtype` can create by itself.

    See `rounding_norm`.
    """
    return rounding_norm(np.diag(moments.scatter), moments.mean, moments.n, dtype)


def explained(sigma: Float64Array) -> Float64Array:
    """explained(j) = sum_{i<=j} sigma_i / sum sigma, shape (D,); the curve behind eq. 2."""
    cumulative = np.cumsum(sigma)
    curve: Float64Array = cumulative / cumulative[-1]
    return curve
