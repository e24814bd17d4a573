"""The representations that the benchmarks read: classes in a space of falling variance."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ssl_collapse.representations.file import Chunk, write_representations

CLASSES = 1000
ROWS = 10_000  # written at a time


def representation_file(folder: Path, n: int, dim: int, seed: int) -> Path:
    """A file of n rows, float32, with targets; written once per folder."""
    path = folder / f"{n}x{dim}-seed{seed}.h5"
    if not path.exists():
        write_representations(path, n, dim, _chunks(n, dim, seed), {"num_classes": CLASSES})
    return path


def _chunks(n: int, dim: int, seed: int) -> Iterator[Chunk]:
    """Rows round a centre per class; the variance of dimension j falls as 1 / j."""
    scale = (np.arange(1, dim + 1) ** -0.5).astype(np.float32)
    centres = np.random.default_rng(0).standard_normal((CLASSES, dim), dtype=np.float32)
    rng = np.random.default_rng([seed, 1])
    for start in range(0, n, ROWS):
        rows = min(ROWS, n - start)
        targets = rng.integers(CLASSES, size=rows)
        noise = rng.standard_normal((rows, dim), dtype=np.float32)
        yield (centres[targets] + 2 * noise) * scale, targets, np.arange(start, start + rows)
