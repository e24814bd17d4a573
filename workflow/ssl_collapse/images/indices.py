"""Files that name images by their numbers."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.folders import refuse_irregular

Indices = npt.NDArray[np.int64]


def read_indices(path: Path, n: int) -> Indices:
    """Read numbers of n images, 0..n-1, from a .npy file of integers: int64 (k,). Runs no code.

    Raises UserError naming what is wrong: a pipe or the like, no .npy file, not integers, not one
    axis, or a number out of range.
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
            f"{path}: holds {stored.dtype}; images are named by integers; save it as int64"
        )
    if stored.ndim != 1:
        raise UserError(f"{path}: has shape {stored.shape}; save it with one axis")
    outside = np.flatnonzero((stored < 0) | (stored >= n))
    if outside.size:
        row = int(outside[0])
        raise UserError(f"{path}: row {row} is {stored[row]}; the images are numbered 0 to {n - 1}")
    indices: Indices = stored.astype(np.int64)
    return indices
