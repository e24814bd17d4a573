"""Distances between all pairs of a few rows."""

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]


def squared_distances(rows: Float64Array) -> Float64Array:
    """Squared Euclidean distances (m, m) of rows (m, D), none negative."""
    norms = np.einsum("ij,ij->i", rows, rows)
    products = rows @ rows.T
    squared: Float64Array = np.add.outer(norms, norms)
    squared -= np.multiply(products, 2.0, out=products)
    np.clip(squared, 0.0, None, out=squared)
    return squared
