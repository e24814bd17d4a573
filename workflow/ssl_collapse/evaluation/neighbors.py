"""Exact nearest neighbours of one representation file in another, in bounded memory.

Both metrics are squared Euclidean distances, for cosine those of unit rows. The training rows come
in blocks. In each, a float32 search (FAISS on the CPU, torch on a GPU) proposes some rows more than
are wanted; these are measured again in float64, from differences, and sorted by distance and row
number. For the search all rows are moved by a mean, which changes no distance and keeps the digits
where rows differ little. Where float32 cannot tell the last proposal from a neighbour (many rows
equally far), the query is measured against the whole block. So the result depends on no block size,
thread count or device.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.config.evaluation import Metric
from ssl_collapse.representations.file import Representations

FloatArray = NDArray[np.floating[Any]]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

QUERY_ENTRIES = 2**25  # entries of a piece of queries: 65,536 rows at D = 512
BLOCK_ENTRIES = 2**27  # entries of a block of training rows: 262,144 rows at D = 512
STEP_ENTRIES = 2**17  # held in float64 at a time: a MiB, which stays in the cache
CENTRE_ROWS = 4096
# Float32 knows a squared distance to about this fraction of the squared lengths that it is of.
RESOLUTION = 1e-5
LEAST = 1e-30  # below it, squares lose digits to the least number of float32
# Closer than this on the unit sphere, two rows point the same way: far below what float32 tells.
SAME_DIRECTION = 1e-24


@dataclass(frozen=True)
class Neighbors:
    """The k nearest training rows of the queries start, start + 1, ..., nearest first.

    `index` int64 (q, k) are row numbers in the training file; `squared` float64 (q, k) squared
    Euclidean distances, for cosine of the normalised rows: cosine = 1 - squared / 2.
    """

    start: int
    index: IntArray
    squared: Float64Array


class Backend(Protocol):
    """The float32 search; `threads` are for the work around it."""

    threads: int

    def propose(self, queries: Float32Array, rows: Float32Array, count: int) -> IntArray:
        """Numbers (q, count) of the rows with the largest inner products, in any order."""


class CpuBackend:
    """FAISS."""

    def __init__(self, threads: int = 1) -> None:
        from ssl_collapse.evaluation.faiss_import import faiss

        self._faiss: Any = faiss
        self.threads = threads

    def propose(self, queries: Float32Array, rows: Float32Array, count: int) -> IntArray:
        """See Backend."""
        self._faiss.omp_set_num_threads(self.threads)
        inner = self._faiss.METRIC_INNER_PRODUCT
        numbers: IntArray = self._faiss.knn(queries, rows, count, inner)[1]
        return numbers


def find_neighbors(
    train: Representations,
    queries: Representations,
    metric: Metric,
    k: int,
    backend: Backend,
    exclude_self: bool = False,
    query_rows: int | None = None,
    block_rows: int | None = None,
) -> Iterator[Neighbors]:
    """Yield the k nearest training rows of all queries, piece by piece in the queries' order.

    Rows equally far are ordered by their number, and distances that differ by less than about
    1e-12 of themselves are equal. `exclude_self` leaves out the row with the query's own number
    (leave-one-out, both files being the same). A row of zeros has cosine 0 with every row. Needs
    k <= rows that may be neighbours.
    """
    available = train.n - int(exclude_self)
    if not 1 <= k <= available:
        raise ValueError(f"k is {k}, expected 1 to {available}")
    query_rows = query_rows or max(QUERY_ENTRIES // train.dim, 1)
    block_rows = block_rows or max(BLOCK_ENTRIES // train.dim, 1)
    head = next(train.chunks(CENTRE_ROWS))
    centre = _exact(head, _factors(head, metric)).mean(axis=0)
    with ThreadPoolExecutor(backend.threads) as pool:
        start = 0
        for piece in queries.chunks(query_rows):
            search = _Search(_Rows(piece, metric, centre, pool), k, backend, pool)
            best = Neighbors(start, np.empty((len(piece), 0), np.int64), np.empty((len(piece), 0)))
            first = 0
            for rows in train.chunks(block_rows):
                block = _Rows(rows, metric, centre, pool)
                itself = np.arange(len(piece)) + start - first if exclude_self else None
                best = search.with_block(best, block, first, itself)
                first += len(rows)
            yield best
            start += len(piece)


class _Rows:
    """Rows x (n, D) as `stored`, and `rough` (n, D + 1) float32 for the search.

    With c the centre, rough rows are x - c and then -|x - c|^2 / 2. With 1 in that last place of a
    query q, the inner product is |q - c|^2 / 2 - |q - x|^2 / 2: the largest is the nearest.
    """

    def __init__(
        self, stored: FloatArray, metric: Metric, centre: Float64Array, pool: ThreadPoolExecutor
    ) -> None:
        self.stored, step = stored, max(STEP_ENTRIES // stored.shape[1], 1)
        self.factors = np.ones(len(stored)) if metric == "cosine" else None
        self.rough = np.empty((len(stored), stored.shape[1] + 1), dtype=np.float32)

        def fill(start: int) -> None:
            part = slice(start, start + step)
            factors = _factors(stored[part], metric)
            moved = _exact(stored[part], factors)
            moved -= centre
            with np.errstate(over="ignore"):  # infinite, which is looked after
                self.rough[part, :-1] = moved
                self.rough[part, -1] = np.vecdot(moved, moved) / -2
            if self.factors is not None and factors is not None:
                self.factors[part] = factors
                self.rough[part, -1][factors == 0] -= 0.5  # as far as at a right angle

        list(pool.map(fill, range(0, len(stored), step)))

    def squared_to(self, query: Float64Array, chosen: IntArray) -> Float64Array:
        """Squared distances (m,) of the rows `chosen` (m,) to a query (D,); zeros are a row's."""
        squared, step = np.empty(len(chosen)), max(STEP_ENTRIES // len(query), 1)
        for start in range(0, len(chosen), step):
            part = chosen[start : start + step]
            factors = None if self.factors is None else self.factors[part]
            difference = _exact(self.stored.take(part, axis=0), factors)
            difference -= query
            squared[start : start + step] = np.vecdot(difference, difference)
        if self.factors is not None:
            squared[squared < SAME_DIRECTION] = 0.0
            squared[(self.factors[chosen] == 0) | (not query.any())] = 2.0
        return comparable(squared)


class _Search:
    """The search for one piece of queries, block after block of training rows."""

    def __init__(self, queries: _Rows, k: int, backend: Backend, pool: ThreadPoolExecutor) -> None:
        self.k, self.backend, self.pool = k, backend, pool
        self.rough = queries.rough
        self.lengths = -2.0 * self.rough[:, -1].astype(np.float64)  # squared, about the centre
        self.rough[:, -1] = 1.0
        self.exact = _exact(queries.stored, queries.factors)

    def with_block(
        self, best: Neighbors, block: _Rows, first: int, itself: IntArray | None
    ) -> Neighbors:
        """The k best of `best` and of `block`, whose rows are numbered from `first` on.

        `itself` (q,) are the places in the block that the queries must not find.
        """
        n, dim = len(block.stored), self.exact.shape[1]
        count = min(self.k + 16 + self.k // 16, n)
        if count < n:
            rows = self.backend.propose(self.rough, block.rough, count)
            rows.sort(axis=1)  # what makes a stable sort put the smaller of two equals first
        else:
            rows = np.tile(np.arange(n), (len(self.exact), 1))
        squared = np.empty(rows.shape)

        def measure(query: int) -> None:
            squared[query] = block.squared_to(self.exact[query], rows[query])

        def measure_all(query: int) -> None:
            every = block.squared_to(self.exact[query], np.arange(n))
            if itself is not None and 0 <= itself[query] < n:
                every[itself[query]] = np.inf
            rows[query] = np.sort(np.argsort(every, kind="stable")[:count])
            squared[query] = every[rows[query]]

        self._each(measure, range(len(rows)))
        edge = squared.max(axis=1)
        if itself is not None:
            squared[rows == itself[:, None]] = np.inf
        if count < n:
            reach = np.partition(np.hstack([best.squared, squared]), self.k - 1)[:, self.k - 1]
            # a row that was not proposed may be as near as the last proposal but for rounding
            sure = edge - RESOLUTION * (self.lengths + edge) - LEAST > reach
            sure &= np.isfinite(block.rough[:, dim]).all()  # or a length was beyond float32
            self._each(measure_all, np.flatnonzero(~sure))
        return _merge(best, rows + first, squared, self.k)

    def _each(self, function: Callable[[int], object], queries: Iterable[int]) -> None:
        parts = np.array_split(np.asarray(queries), 4 * self.backend.threads)
        list(self.pool.map(lambda part: [function(query) for query in part], parts))


def _merge(best: Neighbors, index: IntArray, squared: Float64Array, k: int) -> Neighbors:
    """Merge rows of higher numbers, ascending in each line, into `best`."""
    all_index = np.concatenate([best.index, index], axis=1)
    all_squared = np.concatenate([best.squared, squared], axis=1)
    order = np.argsort(all_squared, axis=1, kind="stable")[:, :k]
    return Neighbors(
        best.start,
        np.take_along_axis(all_index, order, 1),
        np.take_along_axis(all_squared, order, 1),
    )


def comparable(squared: Float64Array) -> Float64Array:
    """Round distances to 40 binary digits, a relative 1e-12.

    Distances that are equal on paper may differ in the last of float64's 53 digits, and must count
    as ties all the same.
    """
    # adding half of the digits' last unit and cutting off is rounding, in the bits of a float
    bits = np.ascontiguousarray(squared).view(np.int64)
    rounded: Float64Array = ((bits + (1 << 12)) & ~((1 << 13) - 1)).view(np.float64)
    return rounded


def _factors(rows: FloatArray, metric: Metric) -> Float64Array | None:
    """What gives rows (n, D) length 1, in float64; 0 for rows of zeros. None for L2."""
    if metric == "l2":
        return None
    largest = np.ones(len(rows))
    if rows.dtype == np.float64:  # whose squares may leave its range
        largest = np.abs(rows).max(axis=1)
        rows = rows / np.where(largest > 0, largest, 1.0)[:, None]
    exact = rows.astype(np.float64)
    lengths = largest * np.sqrt(np.vecdot(exact, exact))
    factors: Float64Array = np.divide(1.0, lengths, out=np.zeros(len(rows)), where=lengths > 0)
    return factors


def _exact(rows: FloatArray, factors: Float64Array | None) -> Float64Array:
    """Rows in float64, in the space of the metric."""
    return rows.astype(np.float64) if factors is None else rows * factors[:, None]
