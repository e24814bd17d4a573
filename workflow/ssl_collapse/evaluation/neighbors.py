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
from ssl_collapse.evaluation.proposals import Backend
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
        for piece in queries.chunks(query_rows or max(QUERY_ENTRIES // train.dim, 1)):
            asked = _Rows(piece, metric, centre, pool)
            asked.rough[:, -1] = 1.0
            numbers = np.arange(start, start + len(piece))
            found = Neighbors(start, np.empty((len(piece), 0), np.int64), np.empty((len(piece), 0)))
            first = 0
            for rows in train.chunks(block_rows or max(BLOCK_ENTRIES // train.dim, 1)):
                block = _Rows(rows, metric, centre, pool)
                itself = numbers - first if exclude_self else np.full(len(piece), -1)
                near, far = _nearest(asked, block, itself, k, backend, pool)
                # ties stand in order of row numbers, which a stable sort keeps
                near, far = np.hstack([found.index, near + first]), np.hstack([found.squared, far])
                order = np.argsort(far, axis=1, kind="stable")[:, :k]
                near, far = np.take_along_axis(near, order, 1), np.take_along_axis(far, order, 1)
                found = Neighbors(start, near, far)
                first += len(rows)
            yield found
            start += len(piece)


class _Rows:
    """Rows x (n, D) in the space of the metric, and `rough` (n, D + 1) float32 for the search.

    With c the centre, rough rows are x - c and then -|x - c|^2 / 2; `lengths` are |x - c|^2. With 1
    in that last place of a query q, the inner product is |q - c|^2 / 2 - |q - x|^2 / 2: the largest
    is the nearest.
    """

    def __init__(
        self, stored: FloatArray, metric: Metric, centre: Float64Array, pool: ThreadPoolExecutor
    ) -> None:
        self.stored, self.cosine = stored, metric == "cosine"
        self.factors, self.lengths = np.ones(len(stored)), np.empty(len(stored))
        self.rough = np.empty((len(stored), stored.shape[1] + 1), dtype=np.float32)
        step = max(STEP_ENTRIES // stored.shape[1], 1)

        def fill(start: int) -> None:
            part = slice(start, start + step)
            if self.cosine:
                self.factors[part] = _factors(stored[part])
            moved = self.exact(part)
            moved -= centre
            self.lengths[part] = np.vecdot(moved, moved)
            with np.errstate(over="ignore"):  # infinite, which `_nearest` looks after
                self.rough[part, :-1] = moved
                # a row of zeros is as far as one at a right angle
                self.rough[part, -1] = (self.lengths[part] + (self.factors[part] == 0)) / -2

        list(pool.map(fill, range(0, len(stored), step)))

    def exact(self, chosen: slice | IntArray) -> Float64Array:
        """Rows (m, D) in float64."""
        rows = self.stored[chosen].astype(np.float64)
        rows *= self.factors[chosen, None]
        return rows

    def squared_to(self, query: Float64Array, chosen: IntArray) -> Float64Array:
        """Comparable squared distances (m,) of the rows `chosen` (m,) to a query (D,)."""
        step = max(STEP_ENTRIES // len(query), 1)
        parts = (self.exact(chosen[i : i + step]) for i in range(0, len(chosen), step))
        squared = np.concatenate([np.vecdot(apart := part - query, apart) for part in parts])
        if self.cosine:
            squared[squared < SAME_DIRECTION] = 0.0
            squared[(self.factors[chosen] == 0) | (not query.any())] = 2.0
        return comparable(squared)


def _nearest(
    queries: _Rows,
    block: _Rows,
    itself: IntArray,
    k: int,
    backend: Backend,
    pool: ThreadPoolExecutor,
) -> tuple[IntArray, Float64Array]:
    """The k rows of the block nearest to each query, all if it has fewer, and their distances.

    `itself` (q,) are the rows that the queries must not find.
    """
    n, count = len(block.stored), k + 16 + k // 16
    attempts = [np.broadcast_to(np.arange(n), (len(itself), n))]
    if count < n and np.isfinite(block.rough[:, -1]).all():  # else a length is beyond float32
        attempts.insert(0, np.sort(backend.propose(queries.rough, block.rough, count), axis=1))
    index = np.empty((len(itself), min(k, n)), dtype=np.int64)
    squared = np.empty(index.shape)

    def measure(query: int) -> None:
        row = queries.exact(slice(query, query + 1))[0]
        for numbers in attempts:
            chosen = numbers[query]
            found = block.squared_to(row, chosen)
            edge = found.max()
            found[chosen == itself[query]] = np.inf
            order = np.argsort(found, kind="stable")[:k]
            # a row that was not proposed may be as near as the last proposal but for rounding
            rounding = RESOLUTION * (queries.lengths[query] + edge) + LEAST
            if found[order[-1]] < edge - rounding:
                break
        index[query], squared[query] = chosen[order], found[order]

    parts = np.array_split(np.arange(len(itself)), 4 * backend.threads)
    list(pool.map(lambda part: list(map(measure, part)), parts))
    return index, squared


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
