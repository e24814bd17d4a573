"""The benchmarks run and print their tables; how fast, only the full sizes say."""

import argparse
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def printed(script: str, *arguments: str) -> str:
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rows(text: str) -> list[list[str]]:
    """The lines of printed tables, as cells."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.fixture(scope="module")
def tables() -> list[list[str]]:
    return rows(printed("bench.py", "--quick", "--threads", "1"))


def test_every_comparison_has_its_ratio_and_both_memories(tables: list[list[str]]):
    header = tables[0]
    by_name = {line[0]: dict(zip(header, line, strict=True)) for line in tables[2:5]}
    assert list(by_name) == ["spectrum / torch.svd", "k-NN / textbook loop", "search / bare FAISS"]
    for row in by_name.values():
        assert float(row["ratio (range)"].split("**")[1]) > 0
        assert float(row["ours MiB"]) > 0 and float(row["other MiB"]) > 0
        # float32 against float64; of 50 queries none is classified otherwise
        assert float(row["difference"]) < 1e-3


def test_growth_by_ten_rows(tables: list[list[str]]):
    header, _, line = tables[5:]
    assert header[-1] == "MiB, ten times"
    assert line[:2] == ["growth of neighbours", "500 to 5,000 rows of 32"]
    assert float(line[4]) > 0


def check_rates(text: str, names: list[str]) -> None:
    """A line for each of `names`, with both rates above zero, and ratios (which may round to 0)."""
    _, _, *lines = rows(text)
    assert [line[0] for line in lines] == names
    for line in lines:
        assert all(float(cell.replace(",", "")) > 0 for cell in line[3:5])
        assert all(float(cell.split("**")[1]) >= 0 for cell in line[5:7])


def test_extraction_against_the_forward_rate():
    text = printed("training.py", "--quick", "--only", "extraction")
    check_rates(text, ["extraction / forward"])


@pytest.mark.thorough
def test_training_and_loading_against_the_usual_ways():
    names = ["training / ceiling", "training / textbook", "views / textbook-memory"]
    names += ["crops alone / textbook-views", "extraction / forward"]
    check_rates(printed("training.py", "--quick"), names)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is visible: the checks would run")
def test_without_a_gpu_its_checks_are_told():
    text = printed("gpu.py")
    assert "No GPU is visible" in text and "a GPU that is held is not given twice" in text
    assert "training: resnet50 at 224 px: ours / ceiling / textbook" in text


@pytest.mark.thorough
def test_the_checks_of_a_gpu_pass_on_the_cpu():
    text = printed("gpu.py", "--rehearse")
    assert "FAILED" not in text
    check_rates(text, ["training / ceiling", "training / textbook", "step / augmentation"])


@pytest.mark.thorough
def test_a_simulated_lab_is_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    lab = importlib.import_module("lab")
    lab.prepare(tmp_path / "lab", argparse.Namespace(runs=2, seeds=1, epochs=2))
    assert re.fullmatch(r"[1-9]\d* jobs in \d+ s \(\d+ s of a core\)", lab.plan(tmp_path / "lab"))
