"""Copied results, damaged results, and reasons, on the finished smoke experiment."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake_runs import ROOT, SMOKE, snakemake, succeed


@pytest.fixture
def copy(smoke: Path, tmp_path: Path) -> Path:
    """The results alone, as a colleague would send them: no .snakemake/, all dates new."""
    shutil.copytree(smoke / "results", tmp_path / "results", copy_function=shutil.copyfile)
    return tmp_path


def plan(folder: Path, config: Path = SMOKE) -> str:
    return succeed(folder, "-n", config=config)


def test_copied_results_are_recognised_as_current(copy: Path):
    first = plan(copy)
    assert ", 0 stale" in first
    assert "Nothing to be done" in first
    second = plan(copy)
    assert "taken over" not in second
    assert "Nothing to be done" in second


def test_copied_results_of_another_recipe_are_named_and_made_again(copy: Path, tmp_path: Path):
    text = SMOKE.read_text()
    other = tmp_path / "other.yaml"
    other.write_text(text.replace("accumulate: {", "accumulate: {weight_decay: 0.1, "))
    answer = plan(copy, other)
    assert "stale: results/runs/accumulate/seed0/training.csv" in answer
    assert "stale: results/runs/iid/seed0/training.csv" not in answer
    assert "pretrain                 1" in answer


def test_a_measure_without_its_training_is_stale_if_the_training_would_be_another(
    copy: Path, tmp_path: Path
):
    # Only what was measured is copied, not the training: its own recipe (represent) still fits.
    for run in (copy / "results/runs").iterdir():
        for seed in run.iterdir():
            shutil.rmtree(seed / "checkpoints")
    other = tmp_path / "other.yaml"
    text = SMOKE.read_text()
    other.write_text(text.replace("accumulate: {", "accumulate: {weight_decay: 0.1, "))
    answer = plan(copy, other)
    assert "stale: results/runs/accumulate/seed0/epoch0004/representations-val.h5" in answer


def test_a_bare_and_a_changed_copy_are_named(copy: Path):
    epoch = copy / "results/runs/iid/seed0/epoch0004"
    (epoch / "collapse.json.provenance.json").unlink()
    (epoch / "knn.csv").write_text("metric,vote,k,accuracy\n")
    answer = plan(copy)
    assert "epoch0004/collapse.json: there is no collapse.json.provenance.json" in answer
    assert "epoch0004/knn.csv: it was changed after it was made" in answer
    assert "collapse         1" in answer and "knn              1" in answer


def test_why_names_key_and_values(smoke: Path, tmp_path: Path):
    other = tmp_path / "other.yaml"
    text = SMOKE.read_text()
    other.write_text(text.replace("accumulate: {", "accumulate: {base_lr: 0.1, "))
    command = [sys.executable, ROOT / "workflow/scripts/why.py", "--snakefile", ROOT / "Snakefile"]
    command += ["--directory", smoke, "--configfile", other]
    run = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
    lines = run.stdout.splitlines()
    assert "runs/accumulate/seed0: base_lr 0.05 -> 0.1" in lines
    assert not [line for line in lines if line.startswith("runs/iid")]


def test_verify_names_a_truncated_result(copy: Path):
    assert snakemake(copy, "verify", "--cores", "1", config=SMOKE).returncode == 0
    result = copy / "results/runs/iid/seed0/epoch0004/representations-val.h5"
    result.write_bytes(result.read_bytes()[:1000])
    answer = snakemake(copy, "verify", "--cores", "1", config=SMOKE)
    assert answer.returncode != 0
    assert "representations-val.h5: has 1000 bytes where" in answer.stdout
