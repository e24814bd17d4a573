"""What Snakemake says before any job starts."""

from pathlib import Path

import pytest
import yaml
from conftest import ROOT, snakemake


def test_imagenet_is_planned_without_imagenet(tmp_path: Path):
    plan = snakemake(tmp_path, "-n", "--configfile", str(ROOT / "configs/imagenet.yaml"))
    assert plan.returncode == 0, plan.stdout[-3000:]
    # iid, single pass, cumulative, five shares and the hybrid
    assert "pretrain                 9" in plan.stdout


def test_the_hybrid_is_an_edge_of_the_dag(tmp_path: Path):
    plan = snakemake(tmp_path, "-n", "--configfile", str(ROOT / "configs/smoke.yaml"))
    inputs, current = {}, ""  # the textures rule has no input
    for line in plan.stdout.splitlines():
        if line.startswith("    input: "):
            current = line
        elif line.startswith("    output: "):
            inputs[line.split()[1].rstrip(",")] = current
    hybrid = inputs["results/runs/hybrid/seed0/training.csv"]
    assert "results/runs/current/seed0/checkpoints" in hybrid
    assert "checkpoints" not in inputs["results/runs/iid/seed0/training.csv"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"runs": {"iid": {"base_lr": "1e-3"}}}, "runs.iid.base_lr: '1e-3' is text to YAML"),
        ({"runs": {"iid": {"epoch": 3}}}, "runs.iid.epoch: unknown key; did you mean `epochs`?"),
        ({"runs": {"iid": {"share": 1}}}, "runs.iid.batch_size: schedule `last` leaves 4 of 400"),
        ({"runs": {"hybrid": {"start": {"run": "none", "epoch": 2}}}}, "no run is called `none`"),
    ],
)
def test_a_wrong_config_is_one_message_and_exit_code_2(tmp_path: Path, change: dict, expected: str):
    config = yaml.safe_load((ROOT / "configs/smoke.yaml").read_text())
    for run, keys in change["runs"].items():
        config["runs"][run].update(keys)
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(config))
    answer = snakemake(tmp_path, "--cores", "1", "--configfile", str(tmp_path / "wrong.yaml"))
    assert answer.returncode == 2, answer.stdout[-3000:]
    assert expected in answer.stdout
    assert "Traceback" not in answer.stdout
    assert not (tmp_path / "results").exists()
