"""A user's folder of JPEG and PNG files of all sizes, from class folders to figures."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from conftest import snakemake
from PIL import Image


def make_images(root: Path) -> None:
    """Two classes, dark and bright, 24 files each."""
    rng = np.random.default_rng(0)
    for name, low in (("dark", 0), ("bright", 150)):
        (root / name).mkdir(parents=True)
        for i in range(24):
            size = (int(rng.integers(20, 60)), int(rng.integers(20, 60)), 3)
            pixels = rng.integers(low, low + 100, size, dtype=np.uint8)
            suffix = "jpg" if i % 2 else "png"
            Image.fromarray(pixels).save(root / name / f"{i:02d}.{suffix}")


def config(root: Path) -> dict:
    return {
        "datasets": {
            "mine": {
                "source": {"kind": "imagefolder", "root": str(root), "val_fraction": 0.25},
                "resize": 20,
                "crop": 16,
            }
        },
        "defaults": {
            "dataset": "mine",
            "backbone": {"arch": "small_resnet", "width": 4, "blocks": [1]},
            "method": {"name": "simsiam", "projection_dim": 8, "predictor_hidden_dim": 4},
            "batch_size": 8,
            "epochs": 1,
        },
        "runs": {"plain": None},
        "evaluation": {"knn": {"k_max": 20}},
        "figures": {"spectra": {"kind": "spectra", "runs": ["plain"]}},
    }


def test_from_class_folders_to_figures(tmp_path: Path):
    make_images(tmp_path / "images")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config(tmp_path / "images")))
    arguments = ("--cores", "2", "--configfile", str(tmp_path / "config.yaml"))
    run = snakemake(tmp_path, *arguments)
    assert run.returncode == 0, run.stdout[-4000:]
    summary = pd.read_csv(tmp_path / "results/tables/summary.csv")
    assert summary["train_images"].item() == 36  # three quarters of 24, twice
    assert summary["chance"].item() == 0.5
    assert (tmp_path / "results/figures/spectra.png").exists()

    (tmp_path / "images").rename(tmp_path / "moved")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config(tmp_path / "moved")))
    assert "Nothing to be done" in snakemake(tmp_path, "-n", *arguments).stdout

    (tmp_path / "moved/dark/00.png").rename(tmp_path / "moved/bright/new.png")
    assert "pretrain" in snakemake(tmp_path, "-n", *arguments).stdout


def test_a_batch_larger_than_the_data_is_refused_before_any_job(tmp_path: Path):
    make_images(tmp_path / "images")
    wrong = config(tmp_path / "images")
    wrong["defaults"]["batch_size"] = 40
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(wrong))
    run = snakemake(tmp_path, "-n", "--configfile", str(tmp_path / "config.yaml"))
    assert run.returncode == 2
    assert "runs.plain.batch_size: schedule `iid` leaves 36 of 36 images" in run.stdout


def test_bad_files_stop_before_training_and_are_listed(tmp_path: Path):
    make_images(tmp_path / "images")
    (tmp_path / "images/dark/00.png").write_bytes(b"")
    (tmp_path / "images/bright/note.txt").write_text("no image")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config(tmp_path / "images")))
    run = snakemake(tmp_path, "--cores", "1", "--configfile", str(tmp_path / "config.yaml"))
    assert run.returncode != 0
    assert "2 bad files among the images" in run.stdout
    assert "dark/00.png" in run.stdout and "bright/note.txt" in run.stdout
    assert not (tmp_path / "results/runs").exists()
