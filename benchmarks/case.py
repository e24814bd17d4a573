"""Run one benchmark case in a process of its own; print seconds, CPU seconds and peak MiB as JSON.

Imports and preparations are not timed. The peak is what the case adds to the memory in use when
the imports are done.
"""

import os
import sys

if sys.argv[1] in ("ours-spectrum", "ours-collapse", "syrk64"):
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as collapse.py: the threads lie around the library

import argparse
import json
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

Timed = Callable[[], Any]


def ours_spectrum(args: argparse.Namespace) -> Timed:
    """Singular values alone: moments in chunks, as `collapse` takes them, and eigenvalues."""
    from ssl_collapse.evaluation.moments import Adder, rows_per_chunk, total
    from ssl_collapse.evaluation.spectrum import both_spectra
    from ssl_collapse.representations.file import open_representations

    def timed() -> Any:
        file = open_representations(args.train)
        parts = [Adder.empty(file.dim) for _ in range(args.threads)]
        with ThreadPoolExecutor(args.threads) as pool:
            chunks = file.chunks(rows_per_chunk(file.dim))
            following = pool.submit(next, chunks, None)
            while (chunk := following.result()) is not None:
                following = pool.submit(next, chunks, None)
                list(pool.map(Adder.add, parts, np.array_split(chunk, args.threads)))
        return both_spectra(total((part.moments for part in parts), file.dim))[0]

    return timed


def ours_collapse(args: argparse.Namespace) -> Timed:
    """Every measure of collapse.json, the interval of AUC and those of labels included."""
    from ssl_collapse.config.evaluation import CollapseSpec
    from ssl_collapse.evaluation.collapse import measure_collapse
    from ssl_collapse.representations.file import open_representations

    return lambda: measure_collapse(open_representations(args.train), CollapseSpec(), args.threads)


def torch_svd(args: argparse.Namespace) -> Timed:
    """torch.svd of the centred matrix."""
    import torch

    return _torch_spectrum(args, lambda rows: torch.svd(rows).S)


def torch_svdvals(args: argparse.Namespace) -> Timed:
    """The same without singular vectors, which torch.svd cannot leave out at this size."""
    import torch

    return _torch_spectrum(args, torch.linalg.svdvals)


def _torch_spectrum(args: argparse.Namespace, values: Callable[[Any], Any]) -> Timed:
    import torch

    torch.set_num_threads(args.threads)

    def timed() -> Any:
        rows = torch.from_numpy(_read(args.train)[0])
        rows -= rows.mean(dim=0)
        return values(rows).numpy()

    return timed


def ours_knn(args: argparse.Namespace) -> Timed:
    """From two files to the accuracy of the majority vote for every k."""
    from ssl_collapse.config.evaluation import KnnSpec
    from ssl_collapse.evaluation.knn import classify
    from ssl_collapse.evaluation.proposals import CpuBackend
    from ssl_collapse.representations.file import open_representations

    spec = KnnSpec(metrics=("cosine",), votes=("majority",), k_max=args.k)
    backend = CpuBackend(args.threads)

    def timed() -> Any:
        train, val = open_representations(args.train), open_representations(args.val)
        return classify(train, val, spec, backend).accuracy["cosine", "majority"]

    return timed


def textbook_knn(args: argparse.Namespace) -> Timed:
    """Normalise, multiply, topk, and one mode per k, for 256 queries at a time, in torch."""
    return _textbook(args, once=False)


def textbook_knn_once(args: argparse.Namespace) -> Timed:
    """The same, but the training rows are normalised once, before the loop."""
    return _textbook(args, once=True)


def _textbook(args: argparse.Namespace, once: bool) -> Timed:
    import torch
    from torch.nn.functional import normalize

    torch.set_num_threads(args.threads)

    def timed() -> Any:
        (rows, labels), (queries, truth) = (
            tuple(map(torch.from_numpy, _read(path))) for path in (args.train, args.val)
        )
        if once:
            rows = normalize(rows)
        correct = torch.zeros(args.k)
        for start in range(0, len(queries), 256):
            unit = rows if once else normalize(rows)
            similarity = normalize(queries[start : start + 256]) @ unit.T
            voters = labels[similarity.topk(args.k, dim=1).indices]
            for k in range(1, args.k + 1):
                predicted = voters[:, :k].mode(dim=1).values
                correct[k - 1] += (predicted == truth[start : start + 256]).sum()
        return (correct / len(queries)).numpy()

    return timed


def ours_search(args: argparse.Namespace) -> Timed:
    """Exact neighbours by cosine of rows that are in memory."""
    from dataclasses import replace

    from ssl_collapse.representations.file import open_representations

    (rows, _), (queries, _) = _read(args.train), _read(args.val)
    train, val = (
        replace(open_representations(path), read=lambda start, stop, held=held: held[start:stop])
        for path, held in ((args.train, rows), (args.val, queries))
    )
    return lambda: _search(train, val, args)


def ours_neighbors(args: argparse.Namespace) -> Timed:
    """Exact neighbours by cosine, from two files."""
    from ssl_collapse.representations.file import open_representations

    return lambda: _search(*map(open_representations, (args.train, args.val)), args)


def _search(train: Any, val: Any, args: argparse.Namespace) -> Any:
    from ssl_collapse.evaluation.neighbors import find_neighbors
    from ssl_collapse.evaluation.proposals import CpuBackend

    backend = CpuBackend(args.threads)
    found = find_neighbors(train, val, "cosine", args.k, backend, block_rows=args.block)
    return np.concatenate([1 - part.squared / 2 for part in found])


def faiss_search(args: argparse.Namespace) -> Timed:
    """The search of an IndexFlat alone: the rows are in memory, normalised and added before."""
    index, queries = _faiss_index(args)
    return lambda: index.search(queries, args.k)[0]


def faiss_neighbors(args: argparse.Namespace) -> Timed:
    """The same with FAISS alone: read, normalise, add to an IndexFlat, search."""

    def timed() -> Any:
        index, queries = _faiss_index(args)
        return index.search(queries, args.k)[0]

    return timed


def _faiss_index(args: argparse.Namespace) -> tuple[Any, Any]:
    from ssl_collapse.evaluation.proposals import load_faiss

    faiss = load_faiss()
    faiss.omp_set_num_threads(args.threads)
    (rows, _), (queries, _) = _read(args.train), _read(args.val)
    faiss.normalize_L2(rows)
    faiss.normalize_L2(queries)
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    return index, queries


def gemm32(args: argparse.Namespace) -> Timed:
    """A float32 matrix product of 2 * 4096^3 operations: what bounds a neighbour search."""
    a = np.random.default_rng(0).standard_normal((4096, 4096), dtype=np.float32)
    b = a.copy()
    a[:256] @ b  # starts the threads
    return lambda: a @ b


def syrk64(args: argparse.Namespace) -> Timed:
    """A float64 product A^T A, 16384 x 1024, in each thread: what bounds a spectrum."""
    a = np.random.default_rng(0).standard_normal((16384, 1024))

    def timed() -> Any:
        with ThreadPoolExecutor(args.threads) as pool:
            return list(pool.map(lambda _: a.T @ a, range(args.threads)))

    return timed


def _read(path: Path) -> tuple[Any, Any]:
    """All rows and targets of a file, as any user would read them."""
    import h5py

    with h5py.File(path, "r") as file:
        return file["representations"][:], file["targets"][:]


OURS = ("ssl_collapse.evaluation.collapse", "ssl_collapse.evaluation.proposals")
MODULES = {  # that a case needs, by how its name begins
    **dict.fromkeys(("ours", "faiss"), OURS),
    **dict.fromkeys(("torch", "textbook"), ("torch", "h5py")),
}
CASES = {
    case.__name__.replace("_", "-"): case
    for case in (
        *(ours_spectrum, ours_collapse, ours_knn, ours_search, ours_neighbors, syrk64, gemm32),
        *(torch_svd, torch_svdvals, textbook_knn, textbook_knn_once),
        *(faiss_search, faiss_neighbors),
    )
}


def resident() -> float:
    """MiB of memory in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    """Prepare, time, report; with --save, the result goes into an .npy file to be compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--val", type=Path)
    parser.add_argument("--k", type=int, default=200)
    parser.add_argument("--block", type=int, help="rows of train held at a time; default: all")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--save", type=Path)
    args = parser.parse_args()
    modules = MODULES.get(args.case.partition("-")[0], ())
    for module in modules:
        import_module(module)
    if modules is OURS:
        import_module("ssl_collapse.evaluation.proposals").load_faiss()
    before = resident()
    timed = CASES[args.case](args)
    start, cpu_start = time.perf_counter(), time.process_time()
    result = timed()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    if args.save:
        np.save(args.save, result)
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mib": peak}))


if __name__ == "__main__":
    main()
