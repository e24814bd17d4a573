"""The benchmarks run and print their tables; how fast, only the full sizes say."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "benchmarks" / "bench.py"


@pytest.fixture(scope="module")
def tables() -> list[list[str]]:
    """The lines of the printed tables, as cells."""
    command = [sys.executable, str(BENCH), "--quick", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_comparison_has_its_ratio_and_both_memories(tables: list[list[str]]):
    header = tables[0]
    rows = {line[0]: dict(zip(header, line, strict=True)) for line in tables[2:5]}
    assert list(rows) == ["spectrum / torch.svd", "k-NN / textbook loop", "search / bare FAISS"]
    for row in rows.values():
        assert float(row["ratio (range)"].split("**")[1]) > 0
        assert float(row["ours MiB"]) > 0 and float(row["other MiB"]) > 0
        # float32 against float64; of 50 queries none is classified otherwise
        assert float(row["difference"]) < 1e-3


def test_growth_by_ten_rows(tables: list[list[str]]):
    header, _, line = tables[5:]
    assert header[-1] == "MiB, ten times"
    assert line[:2] == ["growth of neighbours", "500 to 5,000 rows of 32"]
    assert float(line[4]) > 0
