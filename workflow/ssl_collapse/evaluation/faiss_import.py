"""FAISS, imported so that its linear algebra library uses what the CPU offers.

The PyPI wheel brings OpenBLAS 0.3.15, which does not know newer CPUs and falls back to SSE3: a
search then takes several times as long. Naming the instruction set while it is loaded helps.
"""

import importlib
import os
from pathlib import Path
from typing import Any

VARIABLE = "OPENBLAS_CORETYPE"


def core_type(cpuinfo: str) -> str | None:
    """OpenBLAS's name for the best kernels that a CPU with these /proc/cpuinfo flags can run."""
    flags = set()
    for line in cpuinfo.splitlines():
        if line.startswith("flags"):
            flags = set(line.split(":", 1)[1].split())
            break
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"} <= flags:
        return "SkylakeX"
    return "Haswell" if {"avx2", "fma"} <= flags else None


def _load() -> Any:
    cpuinfo = Path("/proc/cpuinfo")
    name = core_type(cpuinfo.read_text(encoding="utf-8")) if cpuinfo.exists() else None
    if name is None or VARIABLE in os.environ:
        return importlib.import_module("faiss")
    os.environ[VARIABLE] = name
    try:
        return importlib.import_module("faiss")
    finally:
        del os.environ[VARIABLE]  # no business of other libraries and child processes


faiss = _load()
