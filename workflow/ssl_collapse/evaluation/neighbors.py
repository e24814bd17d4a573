"""Exact nearest neighbours of one representation file in another, in bounded memory.

The training rows are read in blocks. In each block a fast float32 search (FAISS on the CPU, torch
on a GPU) proposes somewhat more candidates than are needed; their distances are then computed
again in float64, from differences, so that nothing cancels. An error bound on the float32 search
proves that no row outside the candidates can belong to the neighbours; where it cannot (many rows
equally far), that query's distances to the whole block are computed in float64.

So the result depends on no block size, thread count or device. Distances that differ by less than
about 1e-12 of themselves are ties; rows equally far are ordered by their number in the training
file.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.config.evaluation import Metric
from ssl_collapse.evaluation.space import Block, Queries, comparable, make_space
from ssl_collapse.representations.file import Representations

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

QUERY_ENTRIES = 2**25  # entries of a piece of queries: 65,536 rows at D = 512
BLOCK_ENTRIES = 2**27  # entries of a block of training rows: 262,144 rows at D = 512


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
    """The two costly steps, on the CPU or on a GPU; `threads` are for the work around them."""

    threads: int

    def propose(self, queries: Queries, block: Block, count: int) -> tuple[Float32Array, IntArray]:
        """Rough squared distances (q, count), ascending, and row numbers in the block."""

    def measure(
        self, queries: Queries, block: Block, rows: IntArray, wanted: NDArray[np.bool_]
    ) -> Float64Array:
        """Squared distances (q, count), from float64, of rows of the block; inf if unwanted."""


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

    `exclude_self` leaves out the row with the query's own number (leave-one-out, both files being
    the same). A row of zeros has cosine 0 with every row. Needs k <= rows that may be neighbours.
    """
    available = train.n - int(exclude_self)
    if not 1 <= k <= available:
        raise ValueError(f"k is {k}, expected 1 to {available}")
    query_rows = query_rows or max(QUERY_ENTRIES // train.dim, 1)
    block_rows = block_rows or max(BLOCK_ENTRIES // train.dim, 1)
    space = make_space(train, metric, backend.threads)
    start = 0
    for piece in queries.chunks(query_rows):
        asked = space.queries(piece)
        own = np.arange(start, start + len(piece)) if exclude_self else None
        best = Neighbors(
            start,
            np.empty((len(piece), 0), dtype=np.int64),
            np.empty((len(piece), 0)),
        )
        first = 0
        for rows in train.chunks(block_rows):
            best = _with_block(best, asked, space.block(rows), first, k, own, backend)
            first += len(rows)
        yield best
        start += len(piece)


def _with_block(
    best: Neighbors,
    queries: Queries,
    block: Block,
    first: int,
    k: int,
    own: IntArray | None,
    backend: Backend,
) -> Neighbors:
    """The k best of `best` and of `block`, whose rows have the numbers `first`, `first` + 1, ..."""
    count = min(k + 17 + k // 8, len(block.rows))
    rough, rows = backend.propose(queries, block, count)
    reach = _reach(best, k)
    enough = k + int(own is not None)  # so many proposals hold k that are not the query itself
    if enough <= count:
        reach = np.minimum(reach, queries.upper_bound(rough[:, enough - 1]))
    wanted = queries.lower_bound(rough) <= reach[:, None]
    # ascending row numbers: what makes a stable sort put the smaller of two equals first
    order = np.argsort(rows, axis=1)
    rows, wanted = np.take_along_axis(rows, order, 1), np.take_along_axis(wanted, order, 1)
    if own is not None:
        wanted &= rows + first != own[:, None]
    squared = comparable(backend.measure(queries, block, rows, wanted))
    merged = _merge(best, rows + first, squared, k)
    if count == len(block.rows):
        return merged
    # what was not proposed is rougher than the last proposal
    unsure = np.flatnonzero(queries.lower_bound(rough[:, -1:])[:, 0] <= _reach(merged, k))
    for query in unsure:
        everything = comparable(block.squared_to(queries, int(query)))
        if own is not None and 0 <= own[query] - first < len(everything):
            everything[own[query] - first] = np.inf
        nearest = np.sort(np.argsort(everything, kind="stable")[:k])
        one = Neighbors(0, best.index[[query]], best.squared[[query]])
        one = _merge(one, nearest[None] + first, everything[nearest][None], k)
        merged.index[query], merged.squared[query] = one.index[0], one.squared[0]
    return merged


def _reach(best: Neighbors, k: int) -> Float64Array:
    """The distance (q,) up to which a row is of interest: that of the k-th neighbour so far."""
    if best.squared.shape[1] < k:
        return np.full(len(best.squared), np.inf)
    reach: Float64Array = best.squared[:, k - 1]
    return reach


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


class CpuBackend:
    """FAISS for the rough search, numpy for the float64 distances."""

    def __init__(self, threads: int = 1) -> None:
        from ssl_collapse.evaluation.faiss_import import faiss

        self._faiss: Any = faiss
        self.threads = threads

    def propose(self, queries: Queries, block: Block, count: int) -> tuple[Float32Array, IntArray]:
        """See Backend."""
        self._faiss.omp_set_num_threads(self.threads)
        inner = self._faiss.METRIC_INNER_PRODUCT
        metric = inner if queries.inner else self._faiss.METRIC_L2
        found, rows = self._faiss.knn(queries.rough, block.rough, count, metric)
        return (2 - 2 * found if queries.inner else found), rows

    def measure(
        self, queries: Queries, block: Block, rows: IntArray, wanted: NDArray[np.bool_]
    ) -> Float64Array:
        """See Backend."""
        squared = np.full(rows.shape, np.inf)

        def fill(part: NDArray[np.int64]) -> None:
            for query in part:
                chosen = np.flatnonzero(wanted[query])
                if chosen.size:
                    squared[query, chosen] = block.squared_to(
                        queries, int(query), rows[query, chosen]
                    )

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(fill, np.array_split(np.arange(len(rows)), 4 * self.threads)))
        return squared
