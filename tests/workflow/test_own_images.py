"""A user's folder of JPEG and PNG files of all sizes, from class folders to figures."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
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


def run_all(folder: Path, images: Path, **runtime: object) -> None:
    folder.mkdir(exist_ok=True)
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump({**config(images), "runtime": runtime}))
    run = snakemake(folder, "--cores", "2", "--configfile", str(file))
    assert run.returncode == 0, run.stdout[-4000:]


TIMED = "speed.csv"  # how long an epoch took: no result


def results_of(folder: Path) -> dict[str, bytes]:
    """Every result that must not depend on anything but its recipe: path -> bytes."""
    root = folder / "results"
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
        and not {"logs", "state"} & set(path.relative_to(root).parts)
        and path.name not in (TIMED, "source.json", "inventory.json", ".snakemake_timestamp")
    }


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished experiment on the user's images."""
    folder = tmp_path_factory.mktemp("own")
    make_images(folder / "images")
    run_all(folder, folder / "images")
    return folder


def test_settings_of_speed_change_no_byte_of_any_result(own: Path, tmp_path: Path):
    speed = {"workers": 1, "threads": 2, "extract_batch_size": 7, "log_every": 1, "device": "cpu"}
    run_all(tmp_path, own / "images", **speed, scratch=str(tmp_path / "node"))
    assert len(list((tmp_path / "node").glob("*/*.h5"))) == 2  # one copy of train, one of val
    one, other = results_of(own), results_of(tmp_path)
    assert len(one) > 30
    assert sorted(one) == sorted(other)
    assert [name for name in one if one[name] != other[name]] == []


def test_from_class_folders_to_figures(own: Path):
    summary = pd.read_csv(own / "results/tables/summary.csv")
    assert summary["train_images"].item() == 36  # three quarters of 24, twice
    assert summary["chance"].item() == 0.5
    assert (own / "results/figures/spectra.png").exists()


def test_moved_images_are_the_same_and_a_relabelled_one_is_not(own: Path, tmp_path: Path):
    shutil.copytree(own, tmp_path, dirs_exist_ok=True)
    arguments = ("--configfile", str(tmp_path / "config.yaml"))
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


def test_an_older_dataset_of_the_same_name_decides_nothing(tmp_path: Path):
    make_images(tmp_path / "images")
    described = tmp_path / "results/data/mine/dataset.json"
    described.parent.mkdir(parents=True)
    images = {"train": {"images": 4, "per_class": {"x": 4}, "digest": "0"}}
    images["val"] = images["train"]
    content = {"dataset": "mine", "classes": ["x"], "splits": images, "source": {}, "skipped": []}
    described.write_text(json.dumps({**content, "fingerprint": "0" * 64}))
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(config(tmp_path / "images")))  # batches of 8 of 36 images
    plan = snakemake(tmp_path, "-n", "--configfile", str(file))
    assert plan.returncode == 0, plan.stdout
    assert "pretrain" in plan.stdout
