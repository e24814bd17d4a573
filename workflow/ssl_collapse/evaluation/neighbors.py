"""Exact nearest neighbours of one representation file in another, in bounded memory.

Both metrics are squared Euclidean distances, for cosine those of unit rows. In each block of
training rows a float32 search proposes a few more rows than are wanted; they are measured again in
float64, from differences, and sorted by distance and row number. For the search all rows are moved
by a mean, which changes no distance and keeps the digits where rows are nearly parallel.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.config.evaluation import Metric
from ssl_collapse.evaluation.proposals import Backend, Proposals
from ssl_collapse.representations.file import Representations

FloatArray = NDArray[np.floating[Any]]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

QUERY_ENTRIES = 2**25  # entries of a piece of queries: 65,536 rows at D = 512
BLOCK_ENTRIES = 2**27  # entries of a block of training rows: 262,144 rows at D = 512
STEP_ENTRIES = 2**16  # held in float64 at a time: half a MiB, which stays in the cache
CENTRE_ROWS = 4096
# Float32 knows a squared distance to this fraction of the squared lengths, and no better than LEAST
RESOLUTION, LEAST = 1e-5, 1e-30
LARGEST = 1e37  # squared length, so that no inner product leaves float32
SAME_DIRECTION = 1e-24  # closer on the unit sphere, two rows are multiples of each other


@dataclass(frozen=True)
class Neighbors:
    """The k nearest training rows of the queries start, start + 1, ..., nearest first.

    `index` int64 (q, k) are row numbers in the training file; `squared` float64 (q, k) squared
    Euclidean distances, for cosine of the normalised rows: cosine = 1 - squared / 2.
    """

    start: int
    index: IntArray
    squared: Float64Array


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
    1e-12 of themselves are equal. Where float32 finds more rows equally far than the slack holds
    (copies, a collapsed encoder), the query is measured against all rows: slower, and as exact.
    `exclude_self` leaves out the row with the query's own number (leave-one-out, both files being
    the same). A row of zeros has cosine 0 with every row. Needs k <= rows that may be neighbours.
    """
    available = train.n - int(exclude_self)
    if not 1 <= k <= available:
        raise ValueError(f"k is {k}, expected 1 to {available}")
    with ThreadPoolExecutor(backend.threads) as pool:
        head = _Rows(next(train.chunks(CENTRE_ROWS)), metric, np.zeros(train.dim), pool)
        centre, start = head.exact(slice(None)).mean(axis=0), 0
        for stored in queries.chunks(query_rows or max(QUERY_ENTRIES // train.dim, 1)):
            piece = _Rows(stored, metric, centre, pool)
            piece.rough[:, -1] = 1.0
            shape, first = (len(stored), k), 0
            found = Neighbors(start, np.full(shape, -1), np.full(shape, np.nan))
            for rows in train.chunks(block_rows or max(BLOCK_ENTRIES // train.dim, 1)):
                block = _Rows(rows, metric, centre, pool)
                _improve(found, piece, block, first, exclude_self, backend, pool)
                first += len(rows)
            yield found
            start += len(stored)


class _Rows:
    """Rows x (n, D) in the space of the metric, and `rough` (n, D + 1) float32 for the search.

    With c the centre, rough rows are x - c and then -|x - c|^2 / 2; `lengths` float32 (n,) are
    |x - c|^2. With 1 in that last place of a query q, the inner product is
    |q - c|^2 / 2 - |q - x|^2 / 2: the largest is the nearest.
    """

    def __init__(
        self, stored: FloatArray, metric: Metric, centre: Float64Array, pool: ThreadPoolExecutor
    ) -> None:
        self.stored, self.cosine = stored, metric == "cosine"
        self.factors, self.lengths = np.ones(len(stored)), np.empty(len(stored), np.float32)
        self.rough = np.empty((len(stored), stored.shape[1] + 1), np.float32)
        step = max(STEP_ENTRIES // stored.shape[1], 1)

        def fill(start: int) -> None:
            part = slice(start, start + step)
            if self.cosine:
                self.factors[part] = _factors(stored[part])
            moved = self.exact(part)
            moved -= centre
            with np.errstate(over="ignore"):  # a row beyond float32 is not searched for
                self.rough[part, :-1] = moved
                # a row of zeros is as far from a row as one at a right angle
                self.lengths[part] = np.vecdot(moved, moved) + (self.factors[part] == 0)

        list(pool.map(fill, range(0, len(stored), step)))
        self.rough[:, -1] = self.lengths / -2
        self.lengths[self.lengths > LARGEST] = np.inf

    def exact(self, chosen: slice | IntArray) -> Float64Array:
        """Rows (m, D) in float64."""
        rows = self.stored[chosen].astype(np.float64)
        rows *= self.factors[chosen, None]
        return rows

    def squared_to(self, query: Float64Array, chosen: IntArray) -> Float64Array:
        """Comparable squared distances (m,) of the rows `chosen` (m,) to a query (D,)."""
        squared, step = np.empty(len(chosen)), max(STEP_ENTRIES // len(query), 1)
        for start in range(0, len(chosen), step):
            apart = self.exact(chosen[start : start + step])
            apart -= query
            squared[start : start + step] = np.vecdot(apart, apart)
        if self.cosine:
            squared[squared < SAME_DIRECTION] = 0.0
            squared[(self.factors[chosen] == 0) | (not query.any())] = 2.0
        return comparable(squared)


def _improve(
    found: Neighbors,
    queries: _Rows,
    block: _Rows,
    first: int,
    exclude_self: bool,
    backend: Backend,
    pool: ThreadPoolExecutor,
) -> None:
    """Take the rows first, first + 1, ... of the block among the found where they are nearer."""
    n, k = len(block.stored), found.index.shape[1]
    count, all_rows = k + 16 + k // 16, np.arange(n)
    proposed: Proposals | None = None
    if count < n and np.isfinite(block.lengths).all():
        proposed = backend.propose(queries.rough, block.rough, count)

    def measure(query: int) -> None:
        row, length = queries.exact(slice(query, query + 1))[0], queries.lengths[query]
        index, squared = found.index[query].copy(), found.squared[query].copy()
        attempts = [(all_rows, np.inf)]
        if proposed is not None and length < np.inf:
            far = length - 2.0 * proposed[0][query].astype(np.float64)
            near = ~(far > _reach(squared[-1], length))
            attempts.insert(0, (np.sort(proposed[1][query, near]), far[-1]))
        for chosen, edge in attempts:  # beyond the edge lie the rows that were not chosen
            numbers, far = chosen + first, block.squared_to(row, chosen)
            if exclude_self:
                far[numbers == found.start + query] = np.nan
            # no row is NaN, which sorts last; ties stand in order of row numbers, which stays
            numbers, far = np.concatenate([index, numbers]), np.concatenate([squared, far])
            order = np.argsort(far, kind="stable")[:k]
            found.index[query], found.squared[query] = numbers[order], far[order]
            if _reach(far[order[-1]], length) < edge:
                break

    parts = np.array_split(np.arange(len(found.index)), 4 * backend.threads)
    list(pool.map(lambda part: list(map(measure, part)), parts))


def _reach(squared: float, length: float) -> float:
    """The most that float32 may give for a squared distance to a query of squared `length`."""
    return squared + RESOLUTION * (length + squared) + LEAST


def comparable(squared: Float64Array) -> Float64Array:
    """Round distances to 40 binary digits, a relative 1e-12.

    Distances that are equal on paper may differ in the last of float64's 53 digits, and must count
    as ties all the same.
    """
    # adding half of the digits' last unit and cutting off is rounding, in the bits of a float
    rounded: Float64Array = ((squared.view(np.int64) + (1 << 12)) & -(1 << 13)).view(np.float64)
    return rounded


def _factors(rows: FloatArray) -> Float64Array:
    """What gives rows (n, D) length 1, in float64; 0 for rows of zeros."""
    exact, largest = rows.astype(np.float64), np.ones(len(rows))
    if rows.dtype == np.float64:  # whose squares may leave its range
        largest = np.abs(rows).max(axis=1)
        exact /= np.where(largest > 0, largest, 1.0)[:, None]
    lengths = largest * np.sqrt(np.vecdot(exact, exact))
    factors: Float64Array = np.divide(1.0, lengths, out=np.zeros(len(rows)), where=lengths > 0)
    return factors
