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

FloatArray = NDArray[np.floating[Any]]
Float64Array = NDArray[np.float64]

# The normalised rows need no groups; four parts keep up to four threads busy.
UNIT_PARTS = 4
MOST_GROUPS = 50
FEWEST_GROUPS = 10
ROWS_PER_GROUP = 20  # fewer would make a group's moment too rough to be resampled
GROUP_BYTES = 2**28
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

    def add(self, rows: FloatArray) -> None:
        """Take in `rows` (n, D)."""
        if len(rows) == 0:
            return
        centred = rows.astype(np.float64)
        mean = centred.mean(axis=0)
        centred -= mean
        # numpy passes A.T @ A to SYRK: half the work of a general product
        self.merge(Moments(len(rows), mean, centred.T @ centred))

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
    """Moments of all rows behind `parts`, which stay as they are."""
    whole = Moments.empty(dim)
    for part in parts:
        whole.merge(Moments(part.n, part.mean, part.scatter.copy()))
    return whole


def unit_rows(rows: FloatArray) -> Float64Array:
    """Rows (n, D) divided by their Euclidean norm, in float64; a row of zeros stays zero."""
    units = rows.astype(np.float64)
    # dividing by the largest entry first keeps the squares within range
    largest = np.abs(units).max(axis=1, keepdims=True)
    units /= np.where(largest > 0, largest, 1.0)
    norms = np.sqrt(np.einsum("ij,ij->i", units, units))[:, None]
    units /= np.where(norms > 0, norms, 1.0)
    return units


@dataclass
class PassResult:
    """What one pass over the representations leaves.

    `groups` are the moments of disjoint random groups of rows (one group if N is small), `raw` of
    all rows, `unit` of all rows after L2 normalisation; `zero_rows` counts rows of zeros and
    `sample` holds the L2-normalised rows (m, D) whose numbers were asked for.
    """

    groups: list[Moments]
    raw: Moments
    unit: Moments
    zero_rows: int
    sample: Float64Array


def number_of_groups(n: int, dim: int) -> int:
    """How many groups of rows are kept apart for the bootstrap: 10 to 50, or 1 if N < 200.

    Their moments take at most 256 MiB, or ten times 8 D^2 bytes where that is more.
    """
    affordable = max(GROUP_BYTES // (8 * dim * dim), FEWEST_GROUPS)
    groups = min(MOST_GROUPS, affordable, n // ROWS_PER_GROUP)
    return int(groups) if groups >= FEWEST_GROUPS else 1


def rows_per_chunk(dim: int) -> int:
    """Rows that make 64 MiB of float32: large enough for SYRK to run at full speed per group."""
    return max(CHUNK_BYTES // (4 * dim), 1)


def accumulate(
    chunks: Iterator[FloatArray],
    n: int,
    dim: int,
    sample: NDArray[np.int64],
    seed: int,
    threads: int = 1,
) -> PassResult:
    """Pass once over `chunks`, the N rows of D dimensions in order.

    Each row is assigned to a group at random (seeded): files are often sorted by class, and a
    group of neighbouring rows would not be a random sample. `sample` holds sorted row numbers.
    Threads share groups, never one sum, so their number changes no bit of the result, provided
    that the linear algebra library itself uses one thread.
    """
    rng = np.random.default_rng([seed, 0])
    groups = [Moments.empty(dim) for _ in range(number_of_groups(n, dim))]
    units = [Moments.empty(dim) for _ in range(UNIT_PARTS)]
    sampled = np.zeros((len(sample), dim))
    zero_rows = start = 0
    with ThreadPoolExecutor(threads) as pool:
        for chunk in chunks:
            stop = start + len(chunk)
            group = rng.permutation(np.arange(start, stop) % len(groups))
            jobs = [
                pool.submit(_add, moments, np.flatnonzero(group == number), chunk)
                for number, moments in enumerate(groups)
            ]
            parts = np.array_split(chunk, UNIT_PARTS)
            counts = list(pool.map(_add_unit, units, parts))
            for job in jobs:
                job.result()
            zero_rows += sum(counts)
            first, last = np.searchsorted(sample, (start, stop))
            sampled[first:last] = unit_rows(chunk[sample[first:last] - start])
            start = stop
    return PassResult(groups, total(groups, dim), total(units, dim), zero_rows, sampled)


def _add(moments: Moments, members: NDArray[np.int64], chunk: FloatArray) -> None:
    moments.add(chunk[members])


def _add_unit(moments: Moments, rows: FloatArray) -> int:
    """Add the normalised rows and return how many of them are zero."""
    moments.add(unit_rows(rows) if len(rows) else rows)
    return int((~rows.any(axis=1)).sum())
