"""First and second moments in one pass, in memory that does not grow with N.

Each piece of rows is centred by its own mean in float64 before it is squared, and pieces are
merged exactly (Chan, Golub & LeVeque 1983), so that a mean that is large against the
spread costs no digits.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.evaluation.classes import ClassSums

FloatArray = NDArray[np.floating[Any]]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

PARTS = 2  # of a chunk, each as it is and normalised: they keep up to four threads busy
CHUNK_BYTES = 2**26


@dataclass
class Moments:
    """Count, mean (D,) and scatter (D, D) = sum of (x - mean)(x - mean)^T, all float64."""

    n: int
    mean: Float64Array
    scatter: Float64Array

    @classmethod
    def empty(cls, dim: int) -> "Moments":
        """Moments of no rows of `dim` dimensions."""
        return cls(0, np.zeros(dim), np.zeros((dim, dim)))

    def add(self, rows: Float64Array) -> None:
        """Take in `rows` (n, D), which are overwritten."""
        if len(rows) == 0:
            return
        mean = rows.mean(axis=0)
        rows -= mean
        # numpy passes A.T @ A to SYRK: half the work of a general product
        self.merge(Moments(len(rows), mean, rows.T @ rows))

    def merge(self, other: "Moments") -> None:
        """Take in the rows behind `other`, whose scatter is overwritten."""
        if other.n == 0:
            return
        n = self.n + other.n
        difference = other.mean - self.mean
        self.scatter += other.scatter
        if self.n:
            # the product's memory is at hand in the other scatter
            np.outer((self.n * other.n / n) * difference, difference, out=other.scatter)
            self.scatter += other.scatter
        self.mean = self.mean + (other.n / n) * difference
        self.n = n

    def uncentred(self) -> Float64Array:
        """Sum of x x^T, shape (D, D)."""
        return self.scatter + self.n * np.outer(self.mean, self.mean)


def total(parts: Iterable[Moments], dim: int) -> Moments:
    """Moments of all rows behind `parts`, whose scatters are overwritten."""
    whole = Moments.empty(dim)
    for part in parts:
        whole.merge(part)
    return whole


def unit_rows(rows: FloatArray) -> Float64Array:
    """Rows (n, D) divided by their Euclidean norm, in float64; a row of zeros stays zero."""
    units = rows.astype(np.float64)
    _normalise(units, rows.dtype == np.float64)
    return units


def _normalise(rows: Float64Array, wide: bool) -> None:
    """Divide rows by their norms; wide: their squares may leave the range of float64."""
    if wide:
        rows /= _divisors(np.abs(rows).max(axis=1))
    rows /= _divisors(np.sqrt(np.einsum("ij,ij->i", rows, rows)))


def _divisors(sizes: Float64Array) -> Float64Array:
    return np.where(sizes > 0, sizes, 1.0)[:, None]


@dataclass
class Adder:
    """Moments of parts of chunks, and the memory in which each part is squared."""

    moments: Moments
    work: Float64Array

    @classmethod
    def empty(cls, dim: int) -> "Adder":
        """Of no rows yet."""
        return cls(Moments.empty(dim), np.empty((0, dim)))

    def add(self, rows: FloatArray) -> None:
        """Take in `rows` (n, D)."""
        self.moments.add(self._float64(rows))

    def add_unit(self, rows: FloatArray) -> int:
        """Add the normalised rows and return how many of them are zero."""
        work = self._float64(rows)
        _normalise(work, rows.dtype == np.float64)
        self.moments.add(work)
        return int((~rows.any(axis=1)).sum())

    def _float64(self, rows: FloatArray) -> Float64Array:
        if len(rows) > len(self.work):
            self.work = np.empty(rows.shape)
        np.copyto(self.work[: len(rows)], rows)
        return self.work[: len(rows)]


@dataclass
class PassResult:
    """What one pass over the representations leaves.

    Moments of all rows, `raw`, and of all rows after L2 normalisation, `unit`; `zero_rows` counts
    rows of zeros; `sample` (m, D) holds the rows whose numbers were asked for, and `classes` the
    sums of every class where labels were given.
    """

    raw: Moments
    unit: Moments
    zero_rows: int
    sample: Float64Array
    classes: ClassSums | None


def rows_per_chunk(dim: int) -> int:
    """Rows that make 64 MiB of float32: large enough for SYRK to run at full speed per part."""
    return max(CHUNK_BYTES // (4 * dim), 1)


def accumulate(
    chunks: Iterator[FloatArray],
    dim: int,
    sample: IntArray,
    threads: int = 1,
    labels: IntArray | None = None,
) -> PassResult:
    """Pass once over `chunks`, the rows of D dimensions in order.

    `sample` holds sorted row numbers, `labels` (N,) the class of every row. Threads share parts of
    a chunk, never one sum, so their number changes no bit of the result, provided that the linear
    algebra library itself uses one thread.
    """
    raw, unit = ([Adder.empty(dim) for _ in range(PARTS)] for _ in range(2))
    classes = None if labels is None else ClassSums.empty(labels, dim)
    sampled = np.zeros((len(sample), dim))
    zero_rows = start = 0
    with ThreadPoolExecutor(threads) as pool:
        following = pool.submit(next, chunks, None)
        while (chunk := following.result()) is not None:
            following = pool.submit(next, chunks, None)  # read while this one is added
            stop = start + len(chunk)
            parts = np.array_split(chunk, PARTS)
            jobs = [pool.submit(Adder.add, *pair) for pair in zip(raw, parts, strict=True)]
            if classes is not None and labels is not None:
                jobs.append(pool.submit(classes.add, chunk, labels[start:stop]))
            zero_rows += sum(pool.map(Adder.add_unit, unit, parts))
            first, last = np.searchsorted(sample, (start, stop))
            sampled[first:last] = chunk[sample[first:last] - start]
            for job in jobs:
                job.result()
            start = stop
    whole, units = (total((part.moments for part in parts), dim) for parts in (raw, unit))
    return PassResult(whole, units, zero_rows, sampled, classes)
