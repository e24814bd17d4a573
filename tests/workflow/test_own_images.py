"""A user's folder of JPEG and PNG files of all sizes, from class folders to figures."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from equal_results import contents, differences
from PIL import Image
from snakemake_runs import snakemake, succeed, write_config
from toy import experiment


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


def config(root: Path) -> dict[str, Any]:
    source = {"kind": "imagefolder", "root": str(root), "val_fraction": 0.25}
    return experiment(
        datasets={"mine": {"source": source, "resize": 20, "crop": 16}},
        defaults={"dataset": "mine", "batch_size": 8},
        runs={"plain": None},
        figures={"spectra": {"kind": "spectra", "runs": ["plain"]}},
    )


def run_all(folder: Path, images: Path, **runtime: object) -> Path:
    folder.mkdir()
    file = write_config(folder, {**config(images), "runtime": runtime})
    succeed(folder, "--cores", "2", config=file)
    return folder / "results"


@pytest.mark.thorough
def test_settings_of_speed_change_no_byte_of_any_result(tmp_path: Path):
    images, node = tmp_path / "images", tmp_path / "node"
    make_images(images)
    speed = {"workers": 1, "threads": 2, "extract_batch_size": 7, "log_every": 1, "device": "cpu"}
    plain = run_all(tmp_path / "plain", images)
    one, other = map(contents, (plain, run_all(tmp_path / "x", images, **speed, scratch=str(node))))
    assert len(list(node.glob("*/*.h5"))) == 2  # one copy of train, one of val
    assert len(one) > 30
    assert differences(other, one) == []
    summary = pd.read_csv(plain / "tables/summary.csv")
    assert summary["train_images"].item() == 36  # three quarters of 24, twice
    assert summary["chance"].item() == 0.5


def test_bad_files_stop_before_training_and_are_listed(tmp_path: Path):
    make_images(tmp_path / "images")
    (tmp_path / "images/dark/00.png").write_bytes(b"")
    (tmp_path / "images/bright/note.txt").write_text("no image")
    file = write_config(tmp_path, config(tmp_path / "images"))
    run = snakemake(tmp_path, "--cores", "1", config=file)
    assert run.returncode != 0
    assert "2 bad files among the images" in run.stdout
    assert "dark/00.png" in run.stdout and "bright/note.txt" in run.stdout
    assert not (tmp_path / "results/runs").exists()
