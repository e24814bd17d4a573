"""Distances between all pairs of a few rows."""

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]


def squared_distances(rows: Float64Array) -> Float64Array:
    """Squared Euclidean distances (m, m) of rows (m, D), none negative."""
    norms = np.einsum("ij,ij->i", rows, rows)
    squared: Float64Array = norms[:, None] + norms[None, :] - 2.0 * (rows @ rows.T)
    np.clip(squared, 0.0, None, out=squared)
    return squared
