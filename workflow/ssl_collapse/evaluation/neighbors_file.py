"""The neighbours that k-NN found, kept in an HDF5 file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from ssl_collapse.config.evaluation import Metric
from ssl_collapse.evaluation.knn import Keep
from ssl_collapse.evaluation.neighbors import Neighbors
from ssl_collapse.runtime.files import atomic_path


@contextmanager
def keeping_neighbors(path: Path | None) -> Iterator[Keep]:
    """Yield what writes neighbours to `path`, whole or not at all; without a path, nothing.

    The file has a group for each metric: `index` int64 (n_val, k), row numbers in train, nearest
    first, and `distance` float64 (n_val, k): 1 - cosine, or Euclidean. Of a failed encoder, none.
    """
    if path is None:
        yield lambda metric, found: None
        return
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        yield lambda metric, found: _append(file, metric, found)


def _append(file: h5py.File, metric: Metric, found: Neighbors) -> None:
    distance = found.squared / 2 if metric == "cosine" else np.sqrt(found.squared)
    for name, rows in (("index", found.index), ("distance", distance)):
        k = rows.shape[1]
        group = file.require_group(metric)
        if name not in group:
            group.create_dataset(name, (0, k), rows.dtype, maxshape=(None, k))
        stored = group[name]
        stored.resize(found.start + len(rows), axis=0)
        stored[found.start :] = rows
