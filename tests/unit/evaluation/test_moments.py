"""One pass of moments, and the singular values they give, against NumPy and SciPy on the whole."""

from collections.abc import Iterator

import numpy as np
import pytest
import scipy.linalg

from ssl_collapse.evaluation.moments import (
    Moments,
    accumulate,
    rows_per_chunk,
    total,
    unit_rows,
)
from ssl_collapse.evaluation.spectrum import (
    both_spectra,
    explained,
    gram_floor,
    rounding_floor,
    singular_vectors,
)

NO_SAMPLE = np.array([], dtype=np.int64)


def chunks(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def moments_of(rows: np.ndarray) -> Moments:
    moments = Moments.empty(rows.shape[1])
    moments.add(rows.astype(np.float64))
    return moments


def low_rank(n: int, dim: int, rank: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, rank)) @ rng.standard_normal((rank, dim))


def test_moments_by_hand() -> None:
    moments = moments_of(np.array([[1.0, 0.0], [3.0, 4.0]]))
    assert moments.n == 2
    assert moments.mean.tolist() == [2.0, 2.0]
    assert moments.scatter.tolist() == [[2.0, 4.0], [4.0, 8.0]]
    assert moments.uncentred().tolist() == [[10.0, 12.0], [12.0, 16.0]]


def test_merging_is_as_if_seen_at_once() -> None:
    rows = np.random.default_rng(0).standard_normal((101, 5)) + np.arange(5)
    parts = [
        moments_of(rows[s]) for s in (slice(0, 1), slice(1, 40), slice(40, 40), slice(40, 101))
    ]
    whole = total(parts, 5)
    assert whole.n == 101
    np.testing.assert_allclose(whole.mean, rows.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(whole.scatter / 101, np.cov(rows.T, ddof=0), rtol=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e7])
def test_singular_values_survive_a_large_mean(offset: float) -> None:
    # The oracle centres exactly: the rows are multiples of 2^-20 and the offset is a whole number.
    rng = np.random.default_rng(0)
    spread = np.round(rng.standard_normal((3000, 40)) * np.linspace(1, 0.01, 40) * 2**20) / 2**20
    expected = scipy.linalg.svdvals(spread - spread.mean(axis=0))
    passed = accumulate(chunks(spread + offset, 700), 40, NO_SAMPLE)
    np.testing.assert_allclose(both_spectra(passed.raw)[0], expected, rtol=1e-8)


def test_a_mean_that_drifts_through_the_file_costs_nothing() -> None:
    # as in a file sorted by class: the first chunk is 1e6 spreads away from the last
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((2000, 8))
    rows[1000:, 0] += 1e6
    passed = accumulate(chunks(rows, 500), 8, NO_SAMPLE)
    expected = scipy.linalg.svdvals(rows - rows.mean(axis=0))
    # eigenvalues carry an error of about eps sigma_1^2: relative to sigma = 40 it is large
    got = both_spectra(passed.raw)[0]
    assert got[0] == pytest.approx(expected[0], rel=1e-12)
    np.testing.assert_allclose(got[1:], expected[1:], atol=gram_floor(got))


def test_normalised_uncentred_and_sampled_rows() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((500, 6)).astype(np.float32) + 1
    rows[7] = 0.0
    units = rows / np.where(np.arange(500) == 7, 1, np.linalg.norm(rows, axis=1))[:, None]
    sample = np.array([3, 7, 199, 200, 499])
    passed = accumulate(chunks(rows, 200), 6, sample)
    assert passed.zero_rows == 1
    np.testing.assert_array_equal(passed.sample, rows[sample])
    for moments, matrix in [(passed.raw, rows.astype(np.float64)), (passed.unit, units)]:
        centred = matrix - matrix.mean(axis=0, dtype=np.float64)
        for got, whole in zip(both_spectra(moments), (centred, matrix), strict=True):
            np.testing.assert_allclose(got, scipy.linalg.svdvals(whole), rtol=1e-5)


@pytest.mark.parametrize(("n", "dim"), [(5, 1), (2, 3), (30, 40), (500, 40)])
@pytest.mark.parametrize("mean", [0.0, -1e-6, 1.0, 1e3])
def test_both_spectra_of_one_reduction(n: int, dim: int, mean: float) -> None:
    rows = np.random.default_rng(0).standard_normal((n, dim)) / np.arange(1, dim + 1)
    rows -= rows.mean(axis=0)
    moments = Moments(n, np.full(dim, mean), rows.T @ rows)
    for got, whole in zip(both_spectra(moments), (rows, rows + mean), strict=True):
        exact = np.zeros(dim)
        exact[: min(n, dim)] = scipy.linalg.svdvals(whole)
        np.testing.assert_allclose(got, exact, atol=gram_floor(got))
    sigma, vectors = singular_vectors(moments.scatter)
    np.testing.assert_allclose(
        np.sort(np.linalg.norm(rows @ vectors, axis=0))[::-1], sigma, atol=gram_floor(sigma)
    )


def test_threads_change_no_bit() -> None:
    rows = np.random.default_rng(0).standard_normal((2000, 33)).astype(np.float32)
    one, four = (
        accumulate(chunks(rows, 600), 33, NO_SAMPLE, threads=threads) for threads in (1, 4)
    )
    for a, b in [(one.raw, four.raw), (one.unit, four.unit)]:
        assert a.scatter.tobytes() == b.scatter.tobytes()
        assert a.mean.tobytes() == b.mean.tobytes()


def test_sums_of_classes() -> None:
    # classes 0: (0, 0), (2, 0), variance 1; and 5: (1, 7); no rows of the others
    rows, labels = np.array([[0.0, 0], [1, 7], [2, 0]]), np.array([0, 5, 0])
    of = accumulate(chunks(rows, 2), 2, NO_SAMPLE, labels=labels).classes
    assert of is not None
    assert (of.count.tolist(), of.means.tolist()) == ([2, 1], [[1, 0], [1, 7]])
    assert of.variances.tolist() == [1, 0]
    assert rows_per_chunk(512) * 512 * 4 == 2**26


def test_unit_rows_of_any_scale() -> None:
    rows = np.array([[3e-200, 4e-200], [3e200, -4e200], [0, 0]])
    np.testing.assert_allclose(unit_rows(rows), [[0.6, 0.8], [0.6, -0.8], [0, 0]])


@pytest.mark.parametrize(("n", "dim", "rank"), [(2000, 64, 3), (5000, 256, 5), (40, 64, 39)])
def test_gram_floor_lies_just_above_what_true_zeros_become(n: int, dim: int, rank: int) -> None:
    rows = low_rank(n, dim, rank)
    sigma = both_spectra(moments_of(rows))[0]
    assert sigma[rank - 1] > gram_floor(sigma) > sigma[rank]
    assert sigma[rank] > gram_floor(sigma) / 20  # the floor is no gross exaggeration
    exact = scipy.linalg.svdvals(rows - rows.mean(axis=0))
    np.testing.assert_allclose(sigma[:rank], exact[:rank], rtol=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_rounding_floor_is_what_storage_adds(dtype: str, offset: float) -> None:
    # rank 3 as float64; the fourth singular value is made by storing it
    rows = (low_rank(3000, 50, 3) + offset).astype(dtype)
    exact = rows.astype(np.float64)
    sigma = scipy.linalg.svdvals(exact - exact.mean(axis=0))
    floor = rounding_floor(moments_of(rows), dtype)
    assert floor / 3 < sigma[3] < floor


def test_explained() -> None:
    assert explained(np.array([2.0, 1.0, 1.0])).tolist() == [0.5, 0.75, 1.0]
