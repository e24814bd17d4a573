"""The smoke config through Snakemake: every output is there, opens, and agrees with the others."""

import csv
import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors import safe_open
from snakemake_runs import SMOKE, succeed
from torch import load

SEEDS = {
    "iid": [0, 1],
    "current": [0],
    "accumulate": [0],
    "shares-share25": [0, 1],
    "hybrid": [0],
}


@pytest.fixture(scope="session")
def results(smoke: Path) -> Path:
    return smoke / "results"


def each_seed(results: Path):
    return [
        (run, seed, results / f"runs/{run}/seed{seed}")
        for run, seeds in SEEDS.items()
        for seed in seeds
    ]


def test_dataset(results: Path):
    data = results / "data/textures"
    description = json.loads((data / "dataset.json").read_text())
    assert len(description["classes"]) == 10
    assert description["splits"]["train"]["images"] == 400
    assert description["splits"]["val"]["per_class"]["waves"] == 10
    for split, n in (("train", 400), ("val", 100)):
        with h5py.File(data / f"{split}.h5") as file:
            assert file["shape"][:].tolist() == [[16, 16]] * n
            assert len(file["pixels"]) == n * 16 * 16 * 3
            assert file.attrs["fingerprint"] == description["fingerprint"]
    for seed in (0, 1):
        ordering = np.load(data / f"ordering-seed{seed}.npy")
        assert sorted(ordering) == list(range(400))


def test_training(results: Path):
    for run, _, folder in each_seed(results):
        rows = list(csv.DictReader((folder / "training.csv").open()))
        # the hybrid starts after epoch 2 of the single pass
        assert [int(row["epoch"]) for row in rows] == ([3, 4] if run == "hybrid" else [1, 2, 3, 4])
        names = sorted(path.name for path in (folder / "checkpoints").glob("*.pt"))
        kept = [3, 4] if run == "hybrid" else [0, 1, 2, 3, 4]  # 0: before training
        assert names == [f"epoch{epoch:04d}.pt" for epoch in kept]
        last = load(folder / "checkpoints/epoch0004.pt", weights_only=True)
        assert set(last) == {"model", "optimizer", "rng", "recipe", "epoch"}
        assert json.loads(last["recipe"])["schedule"] in ("iid", "current", "accumulate", "last")
    assert not list((results / "state").glob("*/seed*")), "the state goes after success"


def test_encoders_hold_the_checkpoints_backbone(results: Path):
    for _, _, folder in each_seed(results):
        model = load(folder / "checkpoints/epoch0004.pt", weights_only=True)["model"]
        with safe_open(folder / "epoch0004/encoder.safetensors", framework="np") as file:
            assert file.metadata()["arch"] == "small_resnet"
            assert file.metadata()["feature_dim"] == "16"
            weight = model["backbone.conv1.weight"].contiguous().numpy()
            np.testing.assert_array_equal(file.get_tensor("conv1.weight"), weight)


def test_representations(results: Path):
    fingerprint = json.loads((results / "data/textures/dataset.json").read_text())["fingerprint"]
    for run, seed, folder in each_seed(results):
        for split, n in (("train", 400), ("val", 100)):
            with h5py.File(folder / f"epoch0004/representations-{split}.h5") as file:
                assert file["representations"].shape == (n, 16)
                assert file["representations"].dtype == np.float32
                assert file["index"][:].tolist() == list(range(n))
                assert np.bincount(file["targets"][:]).tolist() == [n // 10] * 10
                assert file.attrs["run"] == f"{run}/seed{seed}"
                assert (file.attrs["epoch"], file.attrs["split"]) == (4, split)
                assert file.attrs["dataset_fingerprint"] == fingerprint


def test_spectrum_and_auc_agree_with_numpys_svd(results: Path):
    for _, _, folder in each_seed(results):
        epoch = folder / "epoch0004"
        with h5py.File(epoch / "representations-train.h5") as file:
            x = file["representations"][:].astype(np.float64)
        sigma = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
        table = pd.read_csv(epoch / "spectrum.csv")
        np.testing.assert_allclose(table["singular_value"], sigma, rtol=1e-6)
        np.testing.assert_allclose(table["cumulative"], np.cumsum(sigma) / sigma.sum(), rtol=1e-6)
        auc = json.loads((epoch / "collapse.json").read_text())["auc"]
        assert auc == pytest.approx(np.mean(np.cumsum(sigma) / sigma.sum()), abs=1e-6)


def test_knn_covers_both_metrics_and_every_k(results: Path):
    for _, _, folder in each_seed(results):
        table = pd.read_csv(folder / "epoch0004/knn.csv")
        for metric in ("cosine", "l2"):
            majority = table[(table["metric"] == metric) & (table["vote"] == "majority")]
            assert majority["k"].tolist() == list(range(1, 51))
            assert majority["accuracy"].between(0, 1).all()


def test_summary_repeats_the_measures(results: Path):
    summary = pd.read_csv(results / "tables/summary.csv")
    assert list(zip(summary["run"], summary["seed"], strict=True)) == [
        (run, seed) for run, seed, _ in each_seed(results)
    ]
    shares = summary.set_index(["run", "seed"])["share"]
    assert shares["shares-share25", 0] == 25
    assert shares["iid", 0] == 100
    for (run, seed), row in summary.set_index(["run", "seed"]).iterrows():
        epoch = results / f"runs/{run}/seed{seed}/epoch0004"
        assert row["auc"] == json.loads((epoch / "collapse.json").read_text())["auc"]
        knn = pd.read_csv(epoch / "knn.csv")
        same = (knn["metric"] == "cosine") & (knn["vote"] == "majority") & (knn["k"] == 20)
        assert row["knn_cosine_k20"] == knn[same]["accuracy"].item()


def test_figures_and_report(results: Path):
    report = (results / "report.html").read_text()
    for name in ("figure3", "shares", "schedules"):
        base = results / "figures" / name
        assert base.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
        with Image.open(base.with_suffix(".png")) as image:
            assert min(image.size) > 400
        assert len(pd.read_csv(base.with_suffix(".csv"))) > 4
        title, *paragraphs = base.with_suffix(".txt").read_text().split("\n\n")
        assert title in report and paragraphs
    assert report.count("data:image/png;base64,") == 3


def test_snakemakes_own_report_has_captions_and_categories(smoke: Path, tmp_path: Path):
    succeed(smoke, "--report", str(tmp_path / "page.html"), config=SMOKE)
    page = (tmp_path / "page.html").read_text()
    for name in ("Figures", "Tables", "Report"):
        assert f'"{name}": {{' in page
    for name in ("figure3", "shares", "schedules"):
        caption = (smoke / f"results/figures/{name}.txt").read_text().split("\n\n")[1]
        first = caption.partition(". ")[0]
        assert f"<p>{first}" in page.replace("\\n", " ").replace("\n", " ")
