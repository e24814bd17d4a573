"""A run whose loss becomes NaN: Snakemake succeeds, and tables, figures and report mark the run."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from snakemake_runs import succeed, write_config
from toy import experiment

# The learning rate rises from 0 in the first epoch to 1.6e28 in the second, of three steps each.
CONFIG = experiment(
    datasets={
        "textures": {
            "source": {"kind": "textures", "train_images": 60, "val_images": 20, "image_size": 16}
        }
    },
    defaults={"epochs": 3},
    runs={"wild": {"final_lr": 1.0e30, "analyze": [1, "last"]}},
    figures={
        "figure3": {"kind": "spectra", "title": "Spectra", "runs": ["wild"]},
        "schedules": {"kind": "schedules", "title": "Schedules", "runs": ["wild"]},
    },
)
MEASURES = ["auc", "rankme", "std_per_dimension", "knn_cosine_k20", "knn_l2_oracle"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diverged")
    printed = succeed(folder, "--cores", "2", config=write_config(folder, CONFIG))
    assert "wild/seed0: the loss is nan in epoch 2, step 2; training ends here" in printed
    return folder / "results"


def test_training_has_a_row_per_epoch_and_one_failing_state(results: Path):
    folder = results / "runs/wild/seed0"
    rows = pd.read_csv(folder / "training.csv")
    assert rows["epoch"].tolist() == [1, 2, 3]
    assert rows["loss"].isna().tolist() == [False, True, True]
    names = sorted(path.name for path in (folder / "checkpoints").glob("*.pt"))
    assert names == ["diverged.pt", "epoch0000.pt", "epoch0001.pt"]


def test_epochs_before_the_failure_are_measured_and_later_ones_marked(results: Path):
    summary = pd.read_csv(results / "tables/summary.csv").set_index("epoch")
    assert summary["diverged"].tolist() == [False, True]
    assert summary.loc[1, [*MEASURES, "loss"]].notna().all()
    assert summary.loc[3, [*MEASURES, "loss"]].isna().all()
    assert summary.loc[3, "failure"] == "the loss is nan in epoch 2, step 2"
    epoch = results / "runs/wild/seed0/epoch0003"
    with h5py.File(epoch / "representations-val.h5") as file:
        assert file["representations"].shape == (20, 4)
        assert np.isnan(file["representations"][:]).all()
        assert file.attrs["failure"] == "the loss is nan in epoch 2, step 2"
        assert file.attrs["epoch"] == 3


def test_figures_and_report_say_so(results: Path):
    reason = "wild seed 0: the loss is nan in epoch 2, step 2"
    seeds = pd.read_csv(results / "figures/schedules.csv").query("statistic == 'seed'")
    assert seeds["diverged"].tolist() == [True, True]
    assert seeds["value"].isna().all()
    caption = (results / "figures/schedules.txt").read_text()
    assert f"Red crosses mark diverged training ({reason})" in caption
    caption = (results / "figures/figure3.txt").read_text()
    assert f"leave out 1 of 1 trainings, which diverged ({reason})" in caption
    page = (results / "report.html").read_text()
    assert "1, diverged: seed 0 (the loss is nan in epoch 2, step 2)" in page
