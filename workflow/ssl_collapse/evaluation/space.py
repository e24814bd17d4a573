"""The space in which neighbours are searched: distances of rows (L2) or of unit rows (cosine).

Both metrics become squared Euclidean distances. For the float32 search the rows are moved by a
mean first, which changes no distance and keeps the digits where rows differ little from each other.
Unit rows that differ much stay where they are: an inner product finds their neighbours, in less
time than a distance.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.config.evaluation import Metric
from ssl_collapse.representations.file import Representations

FloatArray = NDArray[np.floating[Any]]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

SHIFT_ROWS = 4096
STEP_ENTRIES = 2**16  # held in float64 at a time: half a MiB, which stays in the cache
TASK_STEPS = 32  # steps that a thread takes at a time
# Unit rows whose mean has a smaller squared length differ enough to stay where they are.
SPREAD_MEAN = 0.5
# Sums of squares in this range lose no digits of float32 to its least and largest numbers.
SAFE = (1e-20, 1e20)
# Closer than this on the unit sphere, two rows point the same way: far below what float32 tells.
SAME_DIRECTION = 1e-24


@dataclass(frozen=True)
class Queries:
    """`exact` float64 (q, D) rows (for cosine: unit rows), `rough` float32 for the fast search.

    `zero` (q,) marks rows of zeros. `inner`: the rough rows have length 1 (or are zeros), so that
    their squared distance is 2 - 2 times their inner product; rows of zeros come out right, too.
    """

    exact: Float64Array
    rough: Float32Array
    zero: NDArray[np.bool_]
    inner: bool

    def lower_bound(self, squared: Float32Array) -> Float64Array:
        """Least true squared distance (q, m) of rows whose rough one is `squared` (q, m).

        With unit roundoff u = 2^-24, inner products of length D carry an error of at most
        8 sqrt(D) u |x| |q| but with probability 2 D exp(-32) (Higham & Mary 2019, thm. 3.1), and
        a length that float32 has normalised one of 4 sqrt(D) u, so a rough squared distance one
        of b (|x|^2 + |q|^2), b = (24 sqrt(D) + 24) u, the rounding of x and q to float32
        included. Here |x| <= |q| + d, so that the bound needs no |x|: b (3 |q|^2 + 2 d^2).
        """
        b, slack = self._error()
        # 1e-9 pays for the rounding of the distances that are compared
        bound: Float64Array = (squared - slack[:, None]) / (1.0 + 2.0 * b + 1e-9)
        return bound

    def upper_bound(self, squared: Float32Array) -> Float64Array:
        """Largest true squared distance (q,) of one row each with rough distance `squared` (q,)."""
        b, slack = self._error()
        bound: Float64Array = (squared + slack) / (1.0 - 2.0 * b - 1e-9)
        return bound

    def _error(self) -> tuple[float, Float64Array]:
        """b, and b 3 |q|^2 of each query."""
        b = (24.0 * np.sqrt(self.rough.shape[1]) + 24.0) * 2.0**-24
        return b, 3.0 * b * np.einsum("ij,ij->i", self.rough, self.rough, dtype=np.float64)


@dataclass(frozen=True)
class Block:
    """Training rows (n, D) as stored, and `rough` float32."""

    rows: FloatArray
    rough: Float32Array
    metric: Metric

    def squared_to(
        self, queries: Queries, query: int, chosen: IntArray | None = None
    ) -> Float64Array:
        """Squared distances of one query to the rows `chosen` (m,), or to all."""
        if chosen is None:
            chosen = np.arange(len(self.rows))
        squared = np.empty(len(chosen))
        rows = rows_per_step(self.rows.shape[1])
        for start in range(0, len(chosen), rows):
            step = chosen[start : start + rows]
            difference = self.rows.take(step, axis=0).astype(np.float64)
            part = squared[start : start + rows]
            if self.metric == "cosine":
                norms = row_norms(difference)
                difference *= _reciprocals(norms)
            difference -= queries.exact[query]
            np.vecdot(difference, difference, out=part)
            if self.metric == "cosine":
                part[part < SAME_DIRECTION] = 0.0
                part[(norms == 0) | queries.zero[query]] = 2.0
        return squared


@dataclass(frozen=True)
class Space:
    """A metric, and the mean (D,) that the rough rows are moved by; zeros where they are not."""

    metric: Metric
    shift: Float64Array
    threads: int = 1

    @property
    def inner(self) -> bool:
        """Whether neighbours are searched by inner product."""
        return self.metric == "cosine" and not self.shift.any()

    def queries(self, rows: FloatArray) -> Queries:
        """Prepare queries (q, D)."""
        exact = rows.astype(np.float64)
        norms = row_norms(exact)
        if self.metric == "cosine":
            exact *= _reciprocals(norms)
        rough = self._empty_rough(len(rows))
        self._fill_rough(rough, exact.copy(), norms, slot=1)
        return Queries(exact, rough, norms == 0, self.inner)

    def block(self, rows: FloatArray) -> Block:
        """Prepare training rows (n, D)."""
        rough = self._empty_rough(len(rows))
        count = rows_per_step(rows.shape[1])
        # Nothing but a search by inner product bears lengths that float32 has rounded.
        fill_step = self._normalize if self.inner and rows.dtype == np.float32 else self._fill

        def fill(task: int) -> None:
            for start in range(task, min(task + TASK_STEPS * count, len(rows)), count):
                fill_step(rough[start : start + count], rows[start : start + count])

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(fill, range(0, len(rows), TASK_STEPS * count)))
        return Block(rows, rough, self.metric)

    def _normalize(self, rough: Float32Array, rows: FloatArray) -> None:
        """Fill in unit rows, in float32 alone; those whose squares it cannot hold in float64."""
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            squared = np.vecdot(rows, rows)
            np.multiply(rows, (1 / np.sqrt(squared))[:, None], out=rough)
        outside = np.flatnonzero((squared < SAFE[0]) | (squared > SAFE[1]))
        if outside.size:
            exact = np.empty((len(outside), rows.shape[1]), dtype=np.float32)
            self._fill(exact, rows[outside])
            rough[outside] = exact

    def _fill(self, rough: Float32Array, rows: FloatArray) -> None:
        exact = rows.astype(np.float64)
        norms = row_norms(exact)
        if self.metric == "cosine":
            exact *= _reciprocals(norms)
        self._fill_rough(rough, exact, norms, slot=0)

    def _empty_rough(self, rows: int) -> Float32Array:
        return np.empty((rows, len(self.shift) + self._slots), dtype=np.float32)

    @property
    def _slots(self) -> int:
        """Dimensions that are added for rows of zeros."""
        return 2 if self.metric == "cosine" and not self.inner else 0

    def _fill_rough(
        self, rough: Float32Array, exact: Float64Array, norms: Float64Array, slot: int
    ) -> None:
        """Fill in float32 rows, moved by the mean.

        `exact` is overwritten: moved in float64, so that each number is rounded once. A unit row
        that is moved gets two more dimensions: a row of zeros becomes a unit vector in one of them
        (`slot`), at a right angle to all others, so that its cosine with every row is 0.
        """
        dim = len(self.shift)
        if not self.inner:
            exact -= self.shift
        rough[:, :dim] = exact
        if self._slots:
            rough[:, dim:] = 0.0
            rough[norms == 0, dim + slot] = 1.0


def rows_per_step(dim: int) -> int:
    """Rows of `dim` dimensions that are held in float64 at a time."""
    return max(STEP_ENTRIES // dim, 1)


def make_space(train: Representations, metric: Metric, threads: int = 1) -> Space:
    """The space of a metric, with the mean of the first rows of `train`."""
    rows = next(train.chunks(SHIFT_ROWS)).astype(np.float64)
    if metric == "cosine":
        rows *= _reciprocals(row_norms(rows))
    mean = rows.mean(axis=0)
    if metric == "cosine" and mean @ mean < SPREAD_MEAN:
        mean[:] = 0.0
    return Space(metric, mean, threads)


def comparable(squared: Float64Array) -> Float64Array:
    """Round distances to 40 binary digits, a relative 1e-12.

    Distances that are equal on paper may differ in the last of float64's 53 digits, and must count
    as ties all the same.
    """
    # adding half of the digits' last unit and cutting off is rounding, in the bits of a float
    bits = np.ascontiguousarray(squared).view(np.int64)
    rounded: Float64Array = ((bits + (1 << 12)) & ~((1 << 13) - 1)).view(np.float64)
    return rounded


def row_norms(rows: Float64Array) -> Float64Array:
    """Euclidean norms (n,) of rows (n, D)."""
    norms: Float64Array = np.sqrt(np.vecdot(rows, rows))
    return norms


def _reciprocals(norms: Float64Array) -> Float64Array:
    """1 / norms (n, 1), to multiply rows by; 1 for rows of zeros, which stay as they are."""
    return (1.0 / np.where(norms > 0, norms, 1.0))[:, None]


def total_variance(train: Representations) -> float:
    """Mean squared distance of the training rows from their mean, in one pass."""
    n, mean, spread = 0, np.zeros(train.dim), 0.0
    for chunk in train.chunks(SHIFT_ROWS):
        rows = chunk.astype(np.float64)
        own = rows.mean(axis=0)
        rows -= own
        difference = own - mean
        weight = n * len(rows) / (n + len(rows))
        spread += float(np.einsum("ij,ij->", rows, rows) + weight * (difference @ difference))
        n += len(rows)
        mean += difference * (len(rows) / n)
    return spread / n
