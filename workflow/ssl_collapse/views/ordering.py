"""The order in which a data schedule walks through the training images."""

import io
from pathlib import Path

import numpy as np

from ssl_collapse.images.indices import Indices as Ordering
from ssl_collapse.images.indices import read_indices
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import atomic_path


def make_ordering(n: int, seed: int) -> Ordering:
    """A seeded permutation of 0..n-1: int64 (n,)."""
    permutation: Ordering = np.random.default_rng(seed).permutation(n).astype(np.int64)
    return permutation


def read_ordering(path: Path, n: int) -> Ordering:
    """Read a permutation of 0..n-1 from a .npy file of integers: int64 (n,). Runs no code of it.

    Raises UserError naming what is wrong: a pipe or the like, no .npy file, not integers, not one
    axis of length n, a number out of range, or one that comes twice.
    """
    ordering = read_indices(path, n)
    if ordering.shape != (n,):
        raise UserError(
            f"{path}: has shape {ordering.shape}; an ordering of this dataset is ({n},), every "
            "training image once"
        )
    counts = np.bincount(ordering, minlength=n)
    if (counts != 1).any():
        raise UserError(
            f"{path}: {int(np.argmax(counts))} comes {counts.max()} times and "
            f"{int(np.argmin(counts))} never; an ordering names every training image once"
        )
    return ordering


def write_ordering(path: Path, ordering: Ordering) -> None:
    """Write `ordering` as .npy, whole or not at all."""
    # To a real file numpy writes through C's stdio, and overlooks that the disk is full.
    content = io.BytesIO()
    np.save(content, ordering, allow_pickle=False)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getvalue())
