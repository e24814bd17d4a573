"""Training, loading and extraction against what one would otherwise write, as ratios of rates.

    python benchmarks/training.py                   the sizes of the table in benchmarks/README.md
    python benchmarks/training.py --quick           tiny sizes: whether it runs, not how fast
    python benchmarks/training.py --lightly PYTHON  also against lightly, which that Python has

Every case runs in a process of its own, on the same images. The cases of a size alternate, every
other time in reverse order; a ratio is the median over the repeats of (ours / other). That per CPU
second leaves out the loader's workers, and is what keeps its meaning on a machine that is busy.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from data import image_folder
from turns import in_turn, markdown, options, ratio

HERE = Path(__file__).resolve().parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parent / "workflow"), "OMP_NUM_THREADS": "1"}
Rates = list[list[float]]  # by repeat: images per second, and per second of the CPU


@dataclass(frozen=True)
class Group:
    """Cases on the same images; the first is ours, the targets are of ours / the others."""

    name: str
    cases: dict[str, str]  # and the target of the ratio
    px: int  # of the crops
    height: int
    width: int
    steps: int
    batch: int = 64
    workers: int = 0
    arch: str = "resnet18"
    device: str = "cpu"
    precision: str = "float32"
    packed: bool = True  # as pixels with the shorter side of the images; else the files as they are

    @property
    def options(self) -> list[str]:
        """For training_case.py."""
        names = ("px", "batch", "steps", "workers", "arch", "device", "precision")
        return [text for name in names for text in (f"--{name}", str(getattr(self, name)))]


TRAINED = {"ours": "", "ceiling": "0.9", "textbook": "", "lightly": "1.2"}
BFLOAT = {"ours": "", "ceiling": "0.9", "lightly": "1.2"}  # which computes in float32
FILES = {"height": 375, "width": 500, "px": 224, "batch": 16}
FULL = [
    Group("training", TRAINED, px=32, height=32, width=32, steps=4, batch=16, workers=1),
    Group("training", TRAINED, px=64, height=64, width=64, steps=3, batch=8, workers=1),
    Group("bf16", BFLOAT, 32, 32, 32, steps=4, batch=16, workers=1, precision="bf16"),
    Group("views", {"our-views": "", "textbook-memory": "2"}, px=32, height=32, width=32, steps=20),
    Group("crops alone", {"our-crops": "", "textbook-views": "5"}, steps=8, packed=False, **FILES),
    Group("views", {"our-views": "", "textbook-views": "1.5"}, steps=8, packed=False, **FILES),
    Group("extraction", {"extraction": "", "forward": "0.95"}, 32, 32, 32, steps=8, workers=1),
]
QUICK = [
    Group("training", TRAINED, px=8, height=8, width=8, steps=1, batch=4, workers=1),
    Group("views", {"our-views": "", "textbook-memory": "2"}, 8, 8, 8, steps=1, batch=4),
    Group("crops alone", {"our-crops": "", "textbook-views": "5"}, 8, 8, 9, 1, 4, packed=False),
    Group("extraction", {"extraction": "", "forward": "0.95"}, 8, 8, 8, steps=1),
]


def measure(
    group: Group, folder: Path, repeats: int, pythons: dict[str, str], until: float = float("inf")
) -> list[list[str]]:
    """The lines of the table that a group gives; no repeats after `until` (time.monotonic)."""
    files = image_folder(folder, group.height, group.width, group.packed)
    cases = [case for case in group.cases if case != "lightly" or "lightly" in pythons]

    def run(i: int) -> list[float]:
        script = [str(HERE / "training_case.py"), cases[i], "--folder", str(files)]
        command = [pythons.get(cases[i], sys.executable), *script, *group.options]
        printed = subprocess.check_output(command, text=True, env=ENVIRONMENT)
        return list(json.loads(printed.splitlines()[-1]))

    ours, *others = in_turn(len(cases), repeats, run, until)
    return [line(group, case, ours, rates) for case, rates in zip(cases[1:], others, strict=True)]


def line(group: Group, other: str, ours: Rates, theirs: Rates) -> list[str]:
    """Ours against another case."""
    return [
        f"{group.name} / {other}",
        f"{group.arch}, {group.px} px",
        f"{group.width}x{group.height}",
        *(f"{median(rate for rate, _ in side):,.0f}" for side in (ours, theirs)),
        *(ratio([a[i] for a in ours], [b[i] for b in theirs]) for i in (0, 1)),
        group.cases[other],
    ]


HEADER = (
    *("ours / other", "network", "images", "ours /s", "other /s", "ratio (range)"),
    *("per CPU second", "target"),
)


def main() -> None:
    """Run the groups that were asked for."""
    parser = options(__doc__)
    parser.add_argument("--lightly", metavar="PYTHON", help="a Python that has lightly and torch")
    args = parser.parse_args()
    repeats = args.repeats or (1 if args.quick else 5)
    pythons = {"lightly": args.lightly} if args.lightly else {}
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for group in QUICK if args.quick else FULL:
            if args.only in f"{group.name} {group.px}":
                lines += measure(group, Path(folder), repeats, pythons)
                print("  ".join(lines[-1]), file=sys.stderr, flush=True)
    print(markdown(HEADER, lines))


if __name__ == "__main__":
    main()
