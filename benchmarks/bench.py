"""The measurements against what a user would otherwise write, as one table of ratios.

Every case runs in a process of its own and reads the same file. The two sides of a comparison
alternate, and the ratio is the median over the repeats of (other / ours), so that a machine which
is busy for a while hits both sides.

    python benchmarks/bench.py                    the sizes of the tables in benchmarks/README.md
    python benchmarks/bench.py --quick            tiny sizes: whether it runs, not how fast
    python benchmarks/bench.py --only search      comparisons whose name contains the word
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from data import representation_file
from turns import in_turn, markdown, options, ratio

HERE = Path(__file__).resolve().parent
WORKFLOW = HERE.parent / "workflow"


@dataclass(frozen=True)
class Comparison:
    """Two cases on the same data: `n` rows of `dim` dimensions, and queries for a search."""

    name: str
    ours: str
    other: str
    n: int
    dim: int
    target: str = ""
    queries: int = 0
    k: int = 200
    ceiling: str = ""  # the case whose rate bounds ours

    @property
    def size(self) -> str:
        """The size for the table."""
        searched = f"{self.queries:,} x " if self.queries else ""
        return f"{searched}{self.n:,} x {self.dim}"

    @property
    def operations(self) -> float:
        """Floating-point operations that ours cannot do without."""
        if self.queries:
            return 2.0 * self.queries * self.n * self.dim
        return float(self.n) * self.dim * self.dim


@dataclass(frozen=True)
class Growth:
    """One case on `n` rows and on ten times as many."""

    name: str
    case: str
    n: int
    dim: int
    queries: int = 0
    k: int = 200
    block: int | None = None


SVD = {"ours": "ours-spectrum", "other": "torch-svd", "ceiling": "syrk64"}
SVDVALS = {"ours": "ours-spectrum", "other": "torch-svdvals"}
MEASURES = {"ours": "ours-collapse", "other": "ours-spectrum"}
KNN = {"ours": "ours-knn", "other": "textbook-knn", "ceiling": "gemm32"}
KNN_ONCE = {"ours": "ours-knn", "other": "textbook-knn-once", "ceiling": "gemm32"}
FILES = {"ours": "ours-neighbors", "other": "faiss-neighbors", "ceiling": "gemm32"}
SEARCH = {"ours": "ours-search", "other": "faiss-search", "ceiling": "gemm32"}

FULL: list[Comparison | Growth] = [
    Comparison("spectrum / torch.svd", n=100_000, dim=512, target="3", **SVD),
    Comparison("spectrum / svdvals", n=100_000, dim=512, **SVDVALS),
    Comparison("all measures / spectrum alone", n=100_000, dim=512, target="0.5", **MEASURES),
    Comparison("wide spectrum / torch.svd", n=50_000, dim=2048, target="3.5", **SVD),
    Comparison("wide spectrum / svdvals", n=50_000, dim=2048, **SVDVALS),
    Comparison("wide, all measures / spectrum alone", n=50_000, dim=2048, target="0.5", **MEASURES),
    Comparison("k-NN / textbook loop", n=200_000, dim=512, queries=2000, target="3", **KNN),
    Comparison("k-NN / loop, rows normalised once", n=200_000, dim=512, queries=2000, **KNN_ONCE),
    Comparison("search / bare FAISS", n=200_000, dim=512, queries=2000, target="0.83", **SEARCH),
    Comparison("neighbours / FAISS, from files", n=200_000, dim=512, queries=2000, **FILES),
    Growth("growth of spectrum", "ours-spectrum", n=100_000, dim=512),
    Growth("growth of neighbours", "ours-neighbors", n=20_000, dim=512, queries=2000, block=20_000),
]
QUICK: list[Comparison | Growth] = [
    Comparison("spectrum / torch.svd", n=4000, dim=64, target="3", **SVD),
    Comparison("k-NN / textbook loop", n=3000, dim=32, queries=50, k=20, target="3", **KNN),
    Comparison("search / bare FAISS", n=3000, dim=32, queries=50, k=20, target="0.83", **SEARCH),
    Growth("growth of neighbours", "ours-neighbors", n=500, dim=32, queries=50, k=20, block=500),
]
RATES = {"syrk64": 16384 * 1024**2, "gemm32": 2 * 4096**3}  # operations


Measured = dict[str, list[float]]  # seconds, CPU seconds and peak MiB, one entry per repeat


class Bench:
    """Runs cases on generated files in `folder`."""

    def __init__(self, folder: Path, threads: int, repeats: int) -> None:
        self.folder, self.threads, self.repeats = folder, threads, repeats

    def alternate(self, cases: Sequence[tuple[str, Sequence[str]]]) -> list[Measured]:
        """Run the cases in turn."""

        def run(i: int) -> dict[str, float]:
            case, arguments = cases[i]
            return self.run(case, [*arguments, "--save", str(self.result(i))])

        measured = in_turn(len(cases), self.repeats, run)
        return [{key: [one[key] for one in ones] for key in ones[0]} for ones in measured]

    def run(self, case: str, arguments: Sequence[str] = ()) -> dict[str, float]:
        """One case in a process of its own."""
        command = [sys.executable, str(HERE / "case.py"), case, *arguments]
        threads = str(self.threads)
        environment = {**os.environ, "PYTHONPATH": str(WORKFLOW), "OPENBLAS_NUM_THREADS": threads}
        command += ["--threads", threads]
        return dict(json.loads(subprocess.check_output(command, text=True, env=environment)))

    def result(self, i: int) -> Path:
        """Where the i-th case of a comparison leaves what it computed."""
        return self.folder / f"result{i}.npy"

    def arguments(self, n: int, dim: int, queries: int, k: int) -> list[str]:
        """The files of a size, written on first use."""
        train = representation_file(self.folder, n, dim, seed=1)
        arguments = ["--train", str(train), "--k", str(k)]
        if queries:
            arguments += ["--val", str(representation_file(self.folder, queries, dim, seed=2))]
        return arguments

    def rates(self) -> dict[str, float]:
        """Operations per second of this machine."""
        cases = [(case, []) for case in RATES]
        rates = {}
        for (case, _), one in zip(cases, self.alternate(cases), strict=True):
            threads = self.threads if case == "syrk64" else 1
            rates[case] = threads * RATES[case] / median(one["seconds"])
        return rates

    def compare(self, it: Comparison, rates: dict[str, float]) -> list[str]:
        """One line of the table."""
        files = self.arguments(it.n, it.dim, it.queries, it.k)
        ours, other = self.alternate([(it.ours, files), (it.other, files)])
        share = ""
        if it.ceiling:
            least = it.operations / rates[it.ceiling]
            share = f"{100 * least / median(ours['seconds']):.0f} %"
        return [
            it.name,
            it.size,
            f"{median(ours['seconds']):.2f}",
            f"{median(other['seconds']):.2f}",
            ratio(other["seconds"], ours["seconds"]),
            ratio(other["cpu"], ours["cpu"]),
            it.target,
            f"{median(ours['peak_mib']):,.0f}",
            f"{median(other['peak_mib']):,.0f}",
            share,
            self.difference(it),
        ]

    def difference(self, it: Comparison) -> str:
        """How far the two results lie apart."""
        if it.ours == "ours-collapse":
            return ""
        ours, other = (np.load(self.result(i)).astype(np.float64) for i in (0, 1))
        unit = other.max() if "spectrum" in it.ours else 1.0
        return f"{np.abs(ours - other).max() / unit:.0e}"

    def grow(self, it: Growth) -> list[str]:
        """One line of the table of growth."""
        block = [] if it.block is None else ["--block", str(it.block)]
        small, large = self.alternate(
            [
                (it.case, [*self.arguments(n, it.dim, it.queries, it.k), *block])
                for n in (it.n, 10 * it.n)
            ]
        )
        times = median(b / a for a, b in zip(small["seconds"], large["seconds"], strict=True))
        return [
            it.name,
            f"{it.n:,} to {10 * it.n:,} rows of {it.dim}",
            f"{median(small['seconds']):.2f}",
            f"{median(large['seconds']):.2f}",
            f"{times:.1f}",
            f"{median(small['peak_mib']):,.0f}",
            f"{median(large['peak_mib']):,.0f}",
        ]


COMPARED = (
    *("ours / other", "size", "ours s", "other s", "ratio (range)", "of CPU seconds", "target"),
    *("ours MiB", "other MiB", "of ceiling", "difference"),
)
GROWN = ("case", "size", "s", "s, ten times", "ratio", "MiB", "MiB, ten times")


def report(bench: Bench, chosen: Sequence[Comparison | Growth]) -> None:
    """Measure and print, each comparison to stderr as soon as it is done."""
    rates = bench.rates()
    compared, grown = [], []
    for it in chosen:
        is_growth = isinstance(it, Growth)
        line = bench.grow(it) if isinstance(it, Growth) else bench.compare(it, rates)
        (grown if is_growth else compared).append(line)
        print("  ".join(line), file=sys.stderr, flush=True)
    print(
        f"{bench.threads} threads, median of {bench.repeats}; this machine: "
        f"SYRK {rates['syrk64'] / 1e9:.0f} Gflop/s in float64, "
        f"GEMM {rates['gemm32'] / 1e9:.0f} Gflop/s in float32\n"
    )
    for header, lines in ((COMPARED, compared), (GROWN, grown)):
        if lines:
            print(markdown(header, lines) + "\n")


def main() -> None:
    """Run the benchmarks that were asked for."""
    parser = options(__doc__)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="default: all")
    parser.add_argument("--folder", type=Path, help="keep the generated files here (3 GB)")
    args = parser.parse_args()
    repeats = args.repeats or (1 if args.quick else 5)
    chosen = [it for it in (QUICK if args.quick else FULL) if args.only in it.name]
    if not chosen:
        parser.error(f"--only {args.only}: no such name")
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report(Bench(folder, args.threads, repeats), chosen)


if __name__ == "__main__":
    main()
