"""The float32 searches that propose neighbours: FAISS on the CPU, torch on a GPU."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]

PIECE_ENTRIES = 2**27  # inner products held on a GPU at a time


class Backend(Protocol):
    """A search; `threads` are for the work around it."""

    threads: int

    def propose(self, queries: Float32Array, rows: Float32Array, count: int) -> IntArray:
        """Numbers (q, count) of the rows with the largest inner products, in any order."""


class CpuBackend:
    """FAISS."""

    def __init__(self, threads: int = 1) -> None:
        self.threads, self._faiss = threads, load_faiss()

    def propose(self, queries: Float32Array, rows: Float32Array, count: int) -> IntArray:
        """See Backend."""
        self._faiss.omp_set_num_threads(self.threads)
        inner = self._faiss.METRIC_INNER_PRODUCT
        numbers: IntArray = self._faiss.knn(queries, rows, count, inner)[1]
        return numbers


class TorchBackend:
    """torch on `device` (torch.device), in pieces that bound its memory."""

    def __init__(self, device: Any, threads: int = 1) -> None:
        self.threads, self._device = threads, device

    def propose(self, queries: Float32Array, rows: Float32Array, count: int) -> IntArray:
        """See Backend."""
        import torch

        block = torch.from_numpy(rows).to(self._device)
        found = [
            (piece.to(self._device) @ block.T).topk(count, dim=1).indices.cpu()
            for piece in torch.split(torch.from_numpy(queries), max(PIECE_ENTRIES // len(rows), 1))
        ]
        numbers: IntArray = torch.cat(found).numpy()
        return numbers


def load_faiss() -> Any:
    """FAISS, with its linear algebra library told what the CPU offers.

    The PyPI wheel brings OpenBLAS 0.3.15, which does not know newer CPUs and falls back to SSE3.
    """
    cpuinfo = Path("/proc/cpuinfo")
    name = core_type(cpuinfo.read_text(encoding="utf-8")) if cpuinfo.exists() else None
    if name is None or "OPENBLAS_CORETYPE" in os.environ:
        return import_module("faiss")
    os.environ["OPENBLAS_CORETYPE"] = name
    try:
        return import_module("faiss")
    finally:
        del os.environ["OPENBLAS_CORETYPE"]  # no business of other libraries and processes


def core_type(cpuinfo: str) -> str | None:
    """OpenBLAS's name for the best kernels that a CPU with these /proc/cpuinfo flags can run."""
    flags = set(cpuinfo.split())
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"} <= flags:
        return "SkylakeX"
    return "Haswell" if {"avx2", "fma"} <= flags else None
