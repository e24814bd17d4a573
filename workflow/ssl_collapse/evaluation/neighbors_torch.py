"""The two costly steps of the neighbour search on a GPU, in chunks that bound its memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ssl_collapse.evaluation.space import SAME_DIRECTION, Block, Queries

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

PIECE_BYTES = 2**29


class TorchBackend:
    """Chunked torch on `device`; the results are those of the CPU."""

    def __init__(self, device: torch.device, threads: int = 1) -> None:
        self._device = device
        self.threads = threads

    def _to(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

    def propose(self, queries: Queries, block: Block, count: int) -> tuple[Float32Array, IntArray]:
        """Rough squared distances (q, count), ascending, and row numbers in the block."""
        # TF32 keeps 10 bits of the fraction: the error bound of the search needs all 23
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = False
        try:
            rows = self._to(block.rough)
            norms = rows.square().sum(dim=1)
            found = []
            for piece in _pieces(len(queries.rough), 4 * len(rows)):
                asked = self._to(queries.rough[piece])
                lengths = 2.0 if queries.inner else asked.square().sum(dim=1, keepdim=True) + norms
                squared = lengths - 2 * (asked @ rows.T)
                best = squared.topk(count, dim=1, largest=False, sorted=True)
                found.append((best.values.cpu().numpy(), best.indices.cpu().numpy()))
        finally:
            torch.backends.cuda.matmul.allow_tf32 = before
        squares, numbers = zip(*found, strict=True)
        return np.concatenate(squares), np.concatenate(numbers)

    def measure(
        self, queries: Queries, block: Block, rows: IntArray, wanted: NDArray[np.bool_]
    ) -> Float64Array:
        """Squared distances (q, count), from float64, of rows of the block; inf if unwanted."""
        stored = self._to(block.rows)
        squared = np.empty(rows.shape)
        for piece in _pieces(len(rows), 16 * rows.shape[1] * stored.shape[1]):
            chosen = self._to(rows[piece])
            difference = stored[chosen].double()
            if block.metric == "cosine":
                length = difference.square().sum(dim=2).sqrt()
                difference *= (1.0 / torch.where(length > 0, length, 1.0))[:, :, None]
            difference -= self._to(queries.exact[piece])[:, None]
            part = difference.square_().sum(dim=2)
            if block.metric == "cosine":
                part[part < SAME_DIRECTION] = 0.0
                part[(length == 0) | self._to(queries.zero[piece])[:, None]] = 2.0
            part[~self._to(wanted[piece])] = torch.inf
            squared[piece] = part.cpu().numpy()
        return squared


def _pieces(count: int, bytes_each: int) -> Iterator[slice]:
    """Slices of `count` queries that take at most half a GiB each."""
    step = max(PIECE_BYTES // bytes_each, 1)
    for start in range(0, count, step):
        yield slice(start, start + step)
