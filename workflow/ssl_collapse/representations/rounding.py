"""How far storing representations in a floating-point type can move their singular values."""

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]


def rounding_norm(scatter: Float64Array, mean: Float64Array, n: int, dtype: str) -> float:
    """Largest singular value that storing N x D representations in `dtype` can create by itself.

    Rounding x to a type with machine epsilon eps moves it by at most eps |x| / 2, about uniformly:
    a standard deviation of at most s_d = eps / sqrt(12) rms(x_d) in dimension d. Errors of
    different dimensions are as good as independent, and an N x D matrix of independent errors has
    a norm of at most (sqrt(N) + sqrt(D)) max_d s_d (Davidson & Szarek 2001, thm. II.13). `x` is
    not centred here: a large mean costs digits of the spread.

    Args:
        scatter: sums of squares about the mean, (D,).
        mean: (D,).
        n: rows N.
    """
    eps = float(np.finfo(np.dtype(dtype)).eps)
    mean_square = float(np.max(scatter / n + mean**2))
    return float(eps / np.sqrt(12.0) * np.sqrt(mean_square) * (np.sqrt(n) + np.sqrt(len(mean))))
