"""Small files of representations."""

from pathlib import Path

import numpy as np

from ssl_collapse.representations.file import write_representations


def save(path: Path, rows: object, targets: object, **attrs: object) -> Path:
    """Rows (n, D) and their targets (n,) as our HDF5."""
    rows = np.asarray(rows, dtype=np.float32)
    chunk = (rows, np.asarray(targets, dtype=np.int64), np.arange(len(rows)))
    write_representations(path, *rows.shape, [chunk], attrs)
    return path


def decaying(n: int, dim: int, seed: int = 0) -> np.ndarray:
    """Gaussian rows (n, dim), the d-th of their dimensions with the deviation 1 / d."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, dim)) / np.arange(1, dim + 1)).astype(np.float32)
