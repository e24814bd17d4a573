"""The float32 searches that propose neighbours: FAISS on the CPU, torch on a GPU.

Both give the largest inner products, float32 (q, count), the largest first, and the numbers of
their rows; `threads` are for the work around it, too.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Proposals = tuple[Float32Array, NDArray[np.int64]]

PIECE_ENTRIES = 2**27  # inner products held on a GPU at a time
# OpenBLAS's names for its kernels, best first, and the flags of a CPU that can run them
KERNELS = {
    "SkylakeX": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"},
    "Haswell": {"avx2", "fma"},
}


def load_faiss() -> Any:
    """FAISS, with its linear algebra library told what the CPU offers.

    The PyPI wheel brings OpenBLAS 0.3.15, which does not know newer CPUs and falls back to SSE3.
    """
    cpuinfo = Path("/proc/cpuinfo")
    kernel = kernel_of(cpuinfo.read_text(encoding="utf-8")) if cpuinfo.exists() else None
    if kernel is None or "OPENBLAS_CORETYPE" in os.environ:
        return import_module("faiss")
    os.environ["OPENBLAS_CORETYPE"] = kernel
    try:
        return import_module("faiss")
    finally:
        del os.environ["OPENBLAS_CORETYPE"]  # no business of other libraries and processes


def kernel_of(cpuinfo: str) -> str | None:
    """The best kernel that a CPU with these flags can run; None for what OpenBLAS itself takes."""
    flags = set(cpuinfo.split())
    return next((name for name, needed in KERNELS.items() if needed <= flags), None)


@dataclass(frozen=True)
class CpuBackend:
    """FAISS, the queries divided among threads: with its own, the threads of its products and of
    its selection wait for each other at every 1,024 rows.
    """

    threads: int = 1
    faiss: Any = field(default_factory=load_faiss)

    def propose(self, queries: Float32Array, rows: Float32Array, count: int) -> Proposals:
        """The search."""
        # by products also where queries are few, unless there are less than about four
        self.faiss.cvar.distance_compute_blas_threshold = 4 * rows.shape[1]
        inner, parts = self.faiss.METRIC_INNER_PRODUCT, np.array_split(queries, 2 * self.threads)
        with ThreadPoolExecutor(self.threads, "", self.faiss.omp_set_num_threads, (1,)) as pool:
            found = list(pool.map(lambda part: self.faiss.knn(part, rows, count, inner), parts))
        products, numbers = (np.concatenate(one) for one in zip(*found, strict=True))
        return products, numbers


@dataclass(frozen=True)
class TorchBackend:
    """torch on `device` (torch.device), in pieces that bound its memory."""

    device: Any
    threads: int = 1

    def propose(self, queries: Float32Array, rows: Float32Array, count: int) -> Proposals:
        """The search."""
        import torch

        block = torch.from_numpy(rows).to(self.device)
        found = [
            (piece.to(self.device) @ block.T).topk(count, dim=1)
            for piece in torch.split(torch.from_numpy(queries), max(PIECE_ENTRIES // len(rows), 1))
        ]
        products, numbers = (torch.cat(one).cpu().numpy() for one in zip(*found, strict=True))
        return products, numbers


Backend = CpuBackend | TorchBackend
