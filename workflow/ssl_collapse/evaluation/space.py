"""The space in which neighbours are searched: distances of rows (L2) or of unit rows (cosine).

Both metrics become squared Euclidean distances. For the float32 search the rows are moved by a
mean first, which changes no distance and keeps the digits where rows differ little from each other.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.config.knn import Metric
from ssl_collapse.storage.representations import Representations

FloatArray = NDArray[np.floating[Any]]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

SHIFT_ROWS = 4096
STEP_ROWS = 1024  # rows held in float64 at a time: a piece that stays in the cache
# Closer than this on the unit sphere, two rows point the same way: far below what float32 tells.
SAME_DIRECTION = 1e-24


@dataclass(frozen=True)
class Queries:
    """`exact` float64 (q, D) rows (for cosine: unit rows), `rough` float32 for the fast search.

    `zero` (q,) marks rows of zeros.
    """

    exact: Float64Array
    rough: Float32Array
    zero: NDArray[np.bool_]

    def lower_bound(self, squared: Float32Array) -> Float64Array:
        """Least true squared distance (q, m) of rows whose rough one is `squared` (q, m).

        With unit roundoff u = 2^-24, inner products of length D carry an error of at most
        8 sqrt(D) u |x| |q| but with probability 2 D exp(-32) (Higham & Mary 2019, thm. 3.1), so
        a rough squared distance one of b (|x|^2 + |q|^2), b = (16 sqrt(D) + 16) u, the rounding
        of x and q to float32 included. Here |x| <= |q| + d, so that the bound needs no |x|:
        b (3 |q|^2 + 2 d^2).
        """
        dim = self.rough.shape[1]
        b = (16.0 * np.sqrt(dim) + 16.0) * 2.0**-24
        norms = np.einsum("ij,ij->i", self.rough, self.rough, dtype=np.float64)
        # 1e-9 pays for the rounding of the distances that are compared
        bound: Float64Array = (squared - 3.0 * b * norms[:, None]) / (1.0 + 2.0 * b + 1e-9)
        return bound


@dataclass(frozen=True)
class Block:
    """Training rows (n, D) as stored, their `norms` (n,) for cosine, and `rough` float32."""

    rows: FloatArray
    norms: Float64Array | None
    rough: Float32Array

    def squared_to(
        self, queries: Queries, query: int, chosen: IntArray | None = None
    ) -> Float64Array:
        """Squared distances of one query to the rows `chosen` (m,), or to all."""
        if chosen is None:
            chosen = np.arange(len(self.rows))
        squared = np.empty(len(chosen))
        for start in range(0, len(chosen), STEP_ROWS):
            step = chosen[start : start + STEP_ROWS]
            difference = self.rows[step].astype(np.float64)
            if self.norms is not None:
                difference /= _divisors(self.norms[step])
            difference -= queries.exact[query]
            part = squared[start : start + STEP_ROWS]
            np.einsum("ij,ij->i", difference, difference, out=part)
            if self.norms is not None:
                part[part < SAME_DIRECTION] = 0.0
                part[(self.norms[step] == 0) | queries.zero[query]] = 2.0
        return squared


@dataclass(frozen=True)
class Space:
    """A metric and the mean that the rough rows are moved by."""

    metric: Metric
    shift: Float64Array
    threads: int = 1

    def queries(self, rows: FloatArray) -> Queries:
        """Prepare queries (q, D)."""
        exact = rows.astype(np.float64)
        norms = row_norms(exact)
        if self.metric == "cosine":
            exact /= _divisors(norms)
        rough = np.empty((len(rows), len(self.shift) + self._slots), dtype=np.float32)
        self._fill_rough(rough, exact, norms, slot=1)
        return Queries(exact, rough, norms == 0)

    def block(self, rows: FloatArray) -> Block:
        """Prepare training rows (n, D)."""
        rough = np.empty((len(rows), len(self.shift) + self._slots), dtype=np.float32)
        norms = np.empty(len(rows))

        def fill(start: int) -> None:
            step = slice(start, start + STEP_ROWS)
            if self.metric == "l2":
                self._fill_rough(rough[step], rows[step], norms[step], slot=0)
                return
            exact = rows[step].astype(np.float64)
            norms[step] = row_norms(exact)
            exact /= _divisors(norms[step])
            self._fill_rough(rough[step], exact, norms[step], slot=0)

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(fill, range(0, len(rows), STEP_ROWS)))
        return Block(rows, norms if self.metric == "cosine" else None, rough)

    @property
    def _slots(self) -> int:
        """Dimensions that are added for rows of zeros."""
        return 2 if self.metric == "cosine" else 0

    def _fill_rough(
        self, rough: Float32Array, rows: FloatArray, norms: Float64Array, slot: int
    ) -> None:
        """Fill in float32 rows moved by the mean; for cosine with two more dimensions.

        A row of zeros becomes a unit vector in one of them (`slot`), at a right angle to all
        others: its cosine with every row is then 0, as it should be.
        """
        dim = len(self.shift)
        # subtracted in float64, rounded once
        np.subtract(rows, self.shift, out=rough[:, :dim], dtype=np.float64, casting="same_kind")
        rough[:, dim:] = 0.0
        if self.metric == "cosine":
            rough[norms == 0, dim + slot] = 1.0


def make_space(train: Representations, metric: Metric, threads: int = 1) -> Space:
    """The space of a metric, moved by the mean of the first rows of `train`."""
    rows = next(train.chunks(SHIFT_ROWS)).astype(np.float64)
    if metric == "cosine":
        rows /= _divisors(row_norms(rows))
    return Space(metric, rows.mean(axis=0), threads)


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
    norms: Float64Array = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return norms


def _divisors(norms: Float64Array) -> Float64Array:
    """Norms (n, 1) to divide rows by; 1 for rows of zeros, which stay as they are."""
    return np.where(norms > 0, norms, 1.0)[:, None]


def total_variance(train: Representations) -> float:
    """Mean squared distance of the training rows from their mean, in one pass."""
    n, mean, spread = 0, np.zeros(train.dim), 0.0
    for chunk in train.chunks(STEP_ROWS):
        rows = chunk.astype(np.float64)
        own = rows.mean(axis=0)
        rows -= own
        difference = own - mean
        weight = n * len(rows) / (n + len(rows))
        spread += float(np.einsum("ij,ij->", rows, rows) + weight * (difference @ difference))
        n += len(rows)
        mean += difference * (len(rows) / n)
    return spread / n
