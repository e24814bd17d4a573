"""Sums of the rows of each class, gathered in the pass over the representations."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_BYTES = 2**28  # of the sums: 16,384 classes of 2,048 dimensions


@dataclass
class ClassSums:
    """Of the C classes that have rows: count (C,), sum of rows (C, D), of squared norms (C,).

    `number` (labels,) is the place of a label among them.
    """

    number: IntArray
    count: Float64Array
    total: Float64Array
    squares: Float64Array

    @classmethod
    def empty(cls, labels: IntArray, dim: int) -> "ClassSums | None":
        """No rows yet, of classes that `labels` (N,) name; None if they take too much memory."""
        there = np.bincount(labels) > 0
        classes = int(there.sum())
        if 8 * classes * dim > MOST_BYTES:
            return None
        empty = (np.zeros(classes), np.zeros((classes, dim)), np.zeros(classes))
        return cls(np.cumsum(there) - 1, *empty)

    def add(self, rows: FloatArray, labels: IntArray) -> None:
        """Take in `rows` (n, D) and their `labels` (n,)."""
        number, classes = self.number[labels], len(self.count)
        squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
        self.squares += np.bincount(number, squares, classes)
        count = np.bincount(number, minlength=classes)
        self.count += count
        order, end = np.argsort(number, kind="stable"), np.cumsum(count)
        for one in np.flatnonzero(count):
            own = rows[order[end[one] - count[one] : end[one]]]
            self.total[one] += own.sum(axis=0, dtype=np.float64)

    @property
    def means(self) -> Float64Array:
        """Mean of each class, (C, D)."""
        means: Float64Array = self.total / self.count[:, None]
        return means

    @property
    def variances(self) -> Float64Array:
        """Mean squared distance of each class's rows from their mean, (C,)."""
        spread = self.squares / self.count - np.einsum("ij,ij->i", self.means, self.means)
        variances: Float64Array = np.clip(spread, 0.0, None)
        return variances
