"""The float32 search on a GPU, in pieces that bound its memory."""

import numpy as np
import torch
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]

PIECE_BYTES = 2**29


class TorchBackend:
    """Chunked torch on `device`; the neighbours are those of the CPU."""

    def __init__(self, device: torch.device, threads: int = 1) -> None:
        self._device = device
        self.threads = threads

    def propose(self, queries: Float32Array, rows: Float32Array, count: int) -> IntArray:
        """Numbers (q, count) of the rows with the largest inner products."""
        # TF32 keeps 10 bits of the fraction; the search counts on all 23
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = False
        try:
            block = torch.from_numpy(rows).to(self._device)
            step = max(PIECE_BYTES // (4 * len(rows)), 1)
            found = []
            for start in range(0, len(queries), step):
                piece = torch.from_numpy(queries[start : start + step]).to(self._device)
                found.append((piece @ block.T).topk(count, dim=1).indices.cpu())
        finally:
            torch.backends.cuda.matmul.allow_tf32 = before
        numbers: IntArray = torch.cat(found).numpy()
        return numbers
