"""Measures of representations (n, q, D): of q augmented views of each of n images."""

from typing import Any

import numpy as np
import scipy  # whose modules are imported when they are used: planning reads this file
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]


def lidar(views: FloatArray, delta: float) -> float | None:
    """exp(-sum p log p), p = lambda / sum lambda: how many directions tell images apart.

    Thilak et al. 2024 (LiDAR, arXiv 2312.04000): lambda are the eigenvalues of
    S_w^-1/2 S_b S_w^-1/2, S_b the covariance of the images' means, S_w that of views about the
    mean of their image plus `delta` on the diagonal (divisors n and n q). 1 to min(n - 1, D). Their
    epsilon in p is left out (0 log 0 = 0). None where all images have one mean.
    """
    n, q, dim = views.shape
    z = views.astype(np.float64)
    means = z.mean(axis=1)
    within = (z - means[:, None]).reshape(n * q, dim)
    between = means - means.mean(axis=0)
    s_w = within.T @ within / (n * q) + delta * np.eye(dim)
    values = np.clip(scipy.linalg.eigvalsh(between.T @ between / n, s_w), 0.0, None)
    if values.sum() <= 0:
        return None
    p = values / values.sum()
    p = p[p > 0]
    return float(np.exp(-np.sum(p * np.log(p))))


def alignment(units: FloatArray) -> float:
    """mean norm(u - u+)^2 over all pairs of views of an image, of L2-normalised rows (n, q, D).

    Wang & Isola 2020 (arXiv 2005.10242), sec. 4.1, with alpha = 2. 0 when views agree, 2 when they
    are at right angles.
    """
    q = units.shape[1]
    u = units.astype(np.float64)
    squares, sums = np.einsum("iqd,iqd->i", u, u), u.sum(axis=1)
    # sum over pairs i, j of norm(u_i - u_j)^2 = 2 q sum norm(u_i)^2 - 2 norm(sum u_i)^2
    pairs = 2 * (q * squares - np.einsum("id,id->i", sums, sums)) / (q * (q - 1))
    return float(np.clip(pairs, 0.0, None).mean())


# name -> label, direction (as of Measure), convention
VIEW_MEASURES = {
    "lidar": (
        "LiDAR",
        -1,
        "exp(-sum p log p), p = lambda / sum lambda, lambda of S_w^-1/2 S_b S_w^-1/2, S_b of the "
        "images' means, S_w of views about them plus delta (arXiv 2312.04000), no epsilon; not "
        "normalised; null where all images have one mean",
    ),
    "alignment": (
        "Alignment",
        0,
        "mean norm(u - u+)^2 over all pairs of views of an image (arXiv 2005.10242), "
        "u = z / norm(z)",
    ),
}
