"""The order in which a data schedule walks through the training images."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import atomic_path
from ssl_collapse.runtime.folders import refuse_irregular

Ordering = npt.NDArray[np.int64]


def make_ordering(n: int, seed: int) -> Ordering:
    """A seeded permutation of 0..n-1: int64 (n,)."""
    permutation: Ordering = np.random.default_rng(seed).permutation(n).astype(np.int64)
    return permutation


def read_ordering(path: Path, n: int) -> Ordering:
    """Read a permutation of 0..n-1 from a .npy file of integers: int64 (n,). Runs no code of it.

    Raises UserError naming what is wrong: a pipe or the like, no .npy file, not integers, not one
    axis of length n, a number out of range, or one that comes twice.
    """
    try:
        refuse_irregular(path)
        # Mapping checks the announced size against the file's before any memory is taken.
        stored = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: cannot be read: {reason}; write it again") from None
    except Exception as error:  # a hostile header can fail in many ways
        raise UserError(f"{path}: not a .npy file of integers ({error}); write it again") from None
    if not np.issubdtype(stored.dtype, np.integer):
        raise UserError(
            f"{path}: holds {stored.dtype}; an ordering is made of integers; save it as int64"
        )
    if stored.shape != (n,):
        raise UserError(
            f"{path}: has shape {stored.shape}; an ordering of this dataset is ({n},), every "
            "training image once"
        )
    outside = np.flatnonzero((stored < 0) | (stored >= n))
    if outside.size:
        row = int(outside[0])
        raise UserError(f"{path}: row {row} is {stored[row]}; the images are numbered 0 to {n - 1}")
    ordering: Ordering = stored.astype(np.int64)
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
