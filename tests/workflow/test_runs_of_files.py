"""Runs that were trained elsewhere, through the whole workflow; where files lie changes nothing."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from snakemake_runs import snakemake, succeed, write_config

pytestmark = pytest.mark.thorough


def test_representations_a_spectrum_and_a_checkpoint_become_a_report(tmp_path: Path):
    rng, files = np.random.default_rng(0), tmp_path / "files"
    files.mkdir()
    for split, n in (("train", 240), ("val", 60)):
        targets = np.arange(n) % 3
        rows = rng.standard_normal((n, 8)) + 4 * np.eye(8)[targets]
        np.savez(files / f"{split}.npz", features=rows.astype(np.float16), labels=targets)
    torch.save({"stds": torch.tensor([4.0, 2, 1, 1])}, files / "sigma.pt")
    torch.save(torchvision.models.resnet18().state_dict(), files / "resnet18_epoch=30.pth")
    source = {"kind": "textures", "train_images": 60, "val_images": 20, "image_size": 16}
    config = {
        "datasets": {"textures": {"source": source}},
        "defaults": {"folder": str(files), "dataset": "textures"},
        "runs": {
            "rows": {"representations": {"train": "train.npz", "val": "val.npz"}},
            "sigma": {"spectrum": "sigma.pt"},
            "net": {"checkpoint": "resnet*.pth", "analyze": [0, "last"]},
        },
        "evaluation": {"knn": {"k_max": 20}, "probe": {"mode": "cached", "epochs": 2}},
        "figures": {"all": {"kind": "spectra", "runs": ["rows", "sigma", "net"]}},
    }
    succeed(tmp_path, "--cores", "2", config=write_config(tmp_path, config))
    results = tmp_path / "results"
    with (results / "tables/summary.csv").open() as file:
        table = list(csv.DictReader(file))
    rows_of = {row["run"]: row for row in table}
    assert [row["epoch"] for row in table if row["run"] == "net"] == ["0", "30"]
    assert rows_of["net"]["dataset"] == "textures" and not rows_of["net"]["method"]
    log = (results / "logs/net/seed0/epoch0030/import_encoder.log").read_text()
    assert "torchvision file, flat, ResNet-18, 120 of 120 tensors" in log
    assert float(rows_of["rows"]["knn_cosine_k20"]) > 0.9
    assert float(rows_of["rows"]["chance"]) == pytest.approx(1 / 3)
    assert rows_of["rows"]["probe_top1_last"] and not rows_of["sigma"]["probe_top1_last"]
    assert float(rows_of["sigma"]["auc"]) == (4 + 6 + 7 + 8) / 8 / 4
    collapse = json.loads((results / "runs/rows/seed0/epoch0001/collapse.json").read_text())
    assert collapse["dtype"] == "float16"  # whose rounding decides the noise floor
    assert "trained elsewhere" in (results / "report.html").read_text()
    assert (results / "figures/all.png").stat().st_size > 10_000

    files.rename(tmp_path / "moved")
    config["defaults"]["folder"] = str(tmp_path / "moved")
    again = succeed(tmp_path, "-n", config=write_config(tmp_path, config))
    assert "Nothing to be done" in again
    torch.save({"stds": torch.tensor([4.0, 2, 1, 0.5])}, tmp_path / "moved/sigma.pt")
    again = succeed(tmp_path, "-n", config=write_config(tmp_path, config))
    assert "import_spectrum" in again
    assert "import_representations" not in again and "import_encoder" not in again
    (tmp_path / "moved/sigma.pt").unlink()
    answer = snakemake(tmp_path, "-n", config=tmp_path / "config.yaml")
    assert answer.returncode == 2 and "error: runs.sigma.spectrum: " in answer.stdout
