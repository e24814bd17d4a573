"""Neighbours are exact, and the same whatever the blocks, threads or backend."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from ssl_collapse.config.evaluation import Metric
from ssl_collapse.evaluation.knn import total_variance
from ssl_collapse.evaluation.neighbors import comparable, find_neighbors
from ssl_collapse.evaluation.proposals import Backend, CpuBackend, TorchBackend, kernel_of
from ssl_collapse.representations.file import of_arrays
from ssl_collapse.runtime.errors import UserError

METRICS: list[Metric] = ["cosine", "l2"]
BACKENDS = [CpuBackend(2), TorchBackend(torch.device("cpu"))]
backends = pytest.mark.parametrize("backend", BACKENDS, ids=["faiss", "torch"])
metrics = pytest.mark.parametrize("metric", METRICS)


def search(
    train: np.ndarray, val: np.ndarray, metric: Metric, k: int, backend: Backend, **more: int
) -> tuple[np.ndarray, np.ndarray]:
    found = list(find_neighbors(of_arrays(train), of_arrays(val), metric, k, backend, **more))
    ends = np.cumsum([len(part.index) for part in found])
    assert [part.start for part in found] == [0, *ends[:-1]]
    index, squared = ([getattr(p, name) for p in found] for name in ("index", "squared"))
    return np.concatenate(index), np.concatenate(squared)


def random(n: int, dim: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


@backends
def test_by_hand(backend: Backend) -> None:
    train = np.array([[3.0, 0], [0, 1], [10, 10], [0, 2]])
    val = np.array([[0.0, 1.5]])
    # L2: rows 1 and 3 both at 0.5, the smaller number first; cosine: rows 1 and 3 at 1, then 2
    index, squared = search(train, val, "l2", 3, backend)
    assert index.tolist() == [[1, 3, 0]]
    assert squared.tolist() == [[0.25, 0.25, 11.25]]
    index, squared = search(train, val, "cosine", 4, backend)
    assert index.tolist() == [[1, 3, 2, 0]]
    np.testing.assert_allclose(1 - squared / 2, [[1, 1, np.sqrt(0.5), 0]], atol=1e-11)


@backends
@metrics
@pytest.mark.parametrize("k", [1, 20, 200])
def test_against_scikit_learn(backend: Backend, metric: Metric, k: int) -> None:
    train, val = random(3000, 24), random(150, 24, seed=1)
    name = "cosine" if metric == "cosine" else "euclidean"
    oracle = NearestNeighbors(n_neighbors=k, metric=name, algorithm="brute")
    distance, expected = oracle.fit(train.astype(float)).kneighbors(val.astype(float))
    index, squared = search(train, val, metric, k, backend)
    np.testing.assert_array_equal(index, expected)
    measured = squared / 2 if metric == "cosine" else np.sqrt(squared)
    np.testing.assert_allclose(measured, distance, rtol=1e-6)


@metrics
def test_blocks_threads_and_backend_change_nothing(metric: Metric) -> None:
    train = random(2000, 16)
    train[500:700] = train[0]  # 200 rows equally far from everything
    train[1500:1600] *= 0
    val = np.concatenate([random(60, 16, seed=1), train[:3], train[1500:1501]])
    results = [
        search(train, val, metric, 30, backend, query_rows=queries, block_rows=block)
        for backend, queries, block in [
            (BACKENDS[0], 1000, 4000),
            (BACKENDS[0], 17, 333),
            (CpuBackend(1), 64, 31),
            (BACKENDS[1], 50, 700),
        ]
    ]
    for index, squared in results[1:]:
        np.testing.assert_array_equal(index, results[0][0])
        np.testing.assert_array_equal(squared, results[0][1])


@backends
@metrics
def test_more_equal_rows_than_candidates(backend: Backend, metric: Metric) -> None:
    # 1000 copies: the float32 search cannot know which of them are wanted; the first are
    train = np.concatenate([random(500, 8), np.tile(random(1, 8, seed=1), (1000, 1))])
    index, squared = search(train, train[700:702] * 1.0, metric, 50, backend)
    np.testing.assert_array_equal(index, np.tile(np.arange(500, 550), (2, 1)))
    assert squared.max() == 0.0


def tight_clusters() -> np.ndarray:
    # 500 rows within 1e-6 of each other: float32 cannot order them, and proposes any of them
    return random(4, 12, seed=2)[np.arange(2000) % 4] + 1e-6 * random(2000, 12).astype(float)


def shell() -> np.ndarray:
    # every tenth row lies 1 from the first, but for 1e-8: float32 cannot tell in which block the
    # nearest are, and proposes all of them, since there are few in each
    rows = 5 * random(2000, 12).astype(float)
    directions = rows[10::10] / np.linalg.norm(rows[10::10], axis=1, keepdims=True)
    rows[10::10] = rows[0] + directions * (1 + 1e-8 * random(199, 1).astype(float))
    return rows


def some_longer(factor: float) -> np.ndarray:
    # the squared length of the longest is beyond float32, and moves the mean far from the others
    return random(2000, 12) * np.where(np.arange(2000) % 97 == 7, factor, 1.0)[:, None]


@backends
@metrics
@pytest.mark.parametrize(
    "rows",
    [
        # 1 - cosine is 1e-6 and below: a float32 product of the rows as they are has no digit left
        random(2000, 12) + np.float32(1e3),
        random(2000, 12) + np.float32(1e5),
        tight_clusters(),
        shell(),
        *(some_longer(factor).astype(np.float32) for factor in (1e3, 1e18, 3e18, 1e25)),
    ],
    ids=[
        *("nearly parallel", "collapsed", "clusters", "shell"),
        *("longer", "long", "nearly beyond float32", "beyond float32"),
    ],
)
def test_hard_rows_against_float64(backend: Backend, metric: Metric, rows: np.ndarray) -> None:
    expected = exact_order(rows, rows[:40], metric, 25)
    for block in (2000, 300):
        index, _ = search(rows, rows[:40], metric, 25, backend, block_rows=block)
        np.testing.assert_array_equal(index, expected)


def exact_order(train: np.ndarray, val: np.ndarray, metric: Metric, k: int) -> np.ndarray:
    """The k nearest by float64 differences, all of them; rows equally far by their number."""
    train, val = train.astype(np.float64), val.astype(np.float64)
    if metric == "cosine":
        train, val = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (train, val))
    squared = ((val[:, None] - train[None]) ** 2).sum(axis=2)
    return np.argsort(squared, axis=1, kind="stable")[:, :k]


@backends
@metrics
def test_leave_one_out_never_finds_the_row_itself(backend: Backend, metric: Metric) -> None:
    rows = random(300, 6)
    rows[10] = rows[200]
    for block in (300, 70, 5):
        index, _ = search(rows, rows, metric, 299, backend, exclude_self=True, block_rows=block)
        for number, line in enumerate(index):
            assert sorted(line) == [other for other in range(300) if other != number]
        assert (index[10, 0], index[200, 0]) == (200, 10)


@backends
def test_a_row_of_zeros_has_cosine_zero_with_every_row(backend: Backend) -> None:
    train = np.array([[-1.0, 0], [0, 0], [1, 0], [0, 1]])
    index, squared = search(train, np.array([[1.0, 0], [0, 0]]), "cosine", 4, backend)
    assert index.tolist() == [[2, 1, 3, 0], [0, 1, 2, 3]]
    np.testing.assert_allclose(1 - squared / 2, [[1, 0, 0, -1], [0, 0, 0, 0]])


@backends
@pytest.mark.parametrize("offset", [0, 5])
def test_rows_of_zeros_among_spread_and_among_nearly_collapsed_rows(
    backend: Backend, offset: float
) -> None:
    train, val = (random(n, 8, seed=n) + np.float32(offset) for n in (500, 20))
    train[100:110] = 0
    val[3] = 0
    unit_train, unit_val = (
        rows / np.maximum(np.linalg.norm(rows.astype(float), axis=1, keepdims=True), 1e-9)
        for rows in (train, val)
    )
    expected = np.argsort(-(unit_val @ unit_train.T).round(12), axis=1, kind="stable")
    index, squared = search(train, val, "cosine", 500, backend)
    np.testing.assert_array_equal(index, expected)
    assert (squared[3] == 2).all()


@metrics
def test_doubles_keep_their_digits_and_their_range(metric: Metric) -> None:
    train, val = (random(n, 10, seed=n).astype(np.float64) for n in (400, 20))
    expected = exact_order(train, val, metric, 20)
    for factor in (1e-200, 1e200) if metric == "cosine" else (1e-100, 1e100):
        found, _ = search(factor * train, factor * val, metric, 20, BACKENDS[0])
        np.testing.assert_array_equal(found, expected)


@pytest.mark.filterwarnings("ignore:overflow")
def test_distances_beyond_float64_are_ties() -> None:
    index, squared = search(random(50, 3), np.full((1, 3), 1e200), "l2", 3, BACKENDS[0])
    assert index.tolist() == [[0, 1, 2]] and np.isinf(squared).all()


def test_distances_equal_on_paper_are_ties() -> None:
    # 0.1 + 0.2 and 0.3 differ in the last digit of float64, 1 and 1 + 1e-9 do not tie
    first, second = comparable(np.array([0.1 + 0.2, 0.3]))
    assert first == second
    first, second = comparable(np.array([1.0, 1.0 + 1e-9]))
    assert first < second
    assert comparable(np.array([0.0, 2.0, np.inf])).tolist() == [0.0, 2.0, np.inf]


@backends
def test_multiples_of_a_row_tie_by_cosine(backend: Backend) -> None:
    row = np.round(random(1, 8) * 100)  # whole numbers, so that the multiples are exact
    train = np.concatenate([-row, 3 * row, row, 7 * row])
    for query in (row, 5 * row):
        index, _ = search(train, query, "cosine", 4, backend)
        assert index.tolist() == [[1, 2, 3, 0]]


@backends
def test_the_length_of_a_row_is_nothing_to_the_cosine(backend: Backend) -> None:
    # powers of two change no digit; the squares of the outer ones are no float32 numbers
    train, val = random(60, 16), random(5, 16, seed=1)
    powers = np.array([2.0**-100, 2.0**-40, 1.0, 2.0**40, 2.0**100], dtype=np.float32)
    scaled = train * np.resize(powers, 60)[:, None]
    index, squared = search(train, val, "cosine", 20, backend)
    again, same = search(scaled, val, "cosine", 20, backend)
    assert again.tolist() == index.tolist()
    np.testing.assert_allclose(same, squared, rtol=1e-11)


def test_k_beyond_the_rows_is_refused() -> None:
    rows = random(5, 2)
    with pytest.raises(ValueError, match="expected 1 to 4"):
        search(rows, rows, "l2", 5, BACKENDS[0], exclude_self=True)


def test_total_variance() -> None:
    rows = random(9000, 3) * [1, 2, 3] + 50  # more than one step
    assert total_variance(of_arrays(rows)) == pytest.approx(rows.var(axis=0).sum(), rel=1e-10)


def test_squares_beyond_float64_are_named() -> None:
    with pytest.raises(UserError, match="so large that their squares overflow"):
        total_variance(of_arrays(random(10, 3).astype(np.float64) * 1e200))


def test_the_kernel_follows_the_flags() -> None:
    avx512 = "flags\t\t: fma avx2 avx512f avx512bw avx512dq avx512vl avx512cd\n"
    assert kernel_of("processor : 0\n" + avx512) == "SkylakeX"
    assert kernel_of("flags : sse2 avx2 fma\n") == "Haswell"
    assert kernel_of("flags : sse2\n") is None
    assert kernel_of("Features : asimd\n") is None
