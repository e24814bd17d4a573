"""The interval of AUC: its width, its variance, and when there is none."""

import numpy as np
import pytest
import scipy.linalg
from representation_files import decaying

from ssl_collapse.evaluation.bootstrap import auc_interval
from ssl_collapse.evaluation.measures.spectral import auc
from ssl_collapse.evaluation.spectrum import singular_vectors


def interval_of(rows: np.ndarray, sample: int = 2048, **settings: int):
    """Estimate and interval from the first rows of a sample; the script draws them at random."""
    mean = rows.mean(axis=0, dtype=np.float64)
    sigma, vectors = singular_vectors((rows - mean).T @ (rows - mean))
    settings = {"resamples": 60, "seed": 0} | settings
    return auc(sigma), auc_interval(
        rows[:sample] - mean, vectors, len(rows), auc(sigma), **settings
    )


@pytest.mark.parametrize(
    ("n", "dim", "sample"),
    [(600, 24, 600), (600, 24, 200), (240, 200, 240)],
    ids=["all rows", "a third", "hardly more rows than dimensions"],
)
def test_interval_has_the_width_of_the_real_scatter(n: int, dim: int, sample: int) -> None:
    # AUC of 60 independent samples against the standard errors that each sample claims
    estimates, errors = [], []
    for seed in range(60):
        rows = decaying(n, dim, seed).astype(np.float64)
        estimate, interval = interval_of(rows, sample, seed=seed)
        assert interval is not None
        assert interval[0] < estimate < interval[1]
        estimates.append(estimate)
        errors.append((interval[1] - interval[0]) / 2 / 1.96)
    assert 0.75 < np.mean(errors) / np.std(estimates, ddof=1) < 1.35


def test_interval_is_the_infinitesimal_jackknife() -> None:
    # its variance is the mean square of AUC's derivative by the weight of each row, over n
    rows = decaying(800, 6).astype(np.float64)

    def weighted(weights: np.ndarray) -> float:
        mean = weights @ rows / weights.sum()
        return auc(scipy.linalg.svdvals(np.sqrt(weights)[:, None] * (rows - mean)))

    step = 1e-4
    plus = [weighted(1 + step * np.eye(1, 800, row)[0]) for row in range(800)]
    influence = (np.array(plus) - weighted(np.ones(800))) / step
    exact = np.sqrt(np.sum((influence - influence.mean()) ** 2))
    _, interval = interval_of(rows, resamples=3000)
    assert interval is not None
    assert (interval[1] - interval[0]) / 2 / 1.96 == pytest.approx(exact, rel=0.05)


def test_interval_needs_rows_and_resamples() -> None:
    assert interval_of(decaying(199, 8))[1] is None
    assert interval_of(decaying(400, 8), resamples=1)[1] is None


def test_a_collapsed_interval_stays_within_one() -> None:
    rows = decaying(400, 8) * [1, 1e-3, 0, 0, 0, 0, 0, 0]
    low, high = interval_of(rows)[1] or (0, 0)
    assert 0.9 < low < high <= 1.0
