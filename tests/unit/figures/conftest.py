"""Small summaries and spectra whose statistics can be worked out by hand."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ssl_collapse.figures import claims

RunRows = Callable[..., pd.DataFrame]
DEFAULTS: dict[str, Any] = {
    "epoch": 20, "final": True, "dataset": "toy", "method": "simsiam", "arch": "resnet",
    "schedule": "iid", "share": 100.0, "start_run": None, "start_epoch": None,
    "train_images": 1000, "epochs": 20, "steps": 60, "batch_size": 256, "loss": -0.9,
    "knn_cosine_k20": 0.4, "auc": 0.75, "diverged": False,
}  # fmt: skip


@pytest.fixture
def run_rows() -> RunRows:
    """Summary rows of one run, one per seed: run_rows("iid", auc=[.7, .8], share=5.0)."""

    def build(run: str, **columns: object) -> pd.DataFrame:
        lengths = [len(v) for v in columns.values() if isinstance(v, list)]
        n = lengths[0] if lengths else 1
        return pd.DataFrame({"run": run, "seed": range(n), **DEFAULTS, **columns}, index=range(n))

    return build


@pytest.fixture
def write_spectrum(tmp_path: Path) -> Callable[..., Path]:
    """Write a spectrum.csv of these singular values where the pipeline would."""

    def write(
        run: str,
        seed: int,
        values: Sequence[float],
        above: Sequence[bool] | None = None,
        epoch: int = 20,
    ) -> Path:
        path = tmp_path / f"results/runs/{run}/seed{seed}/epoch{epoch:04d}/spectrum.csv"
        path.parent.mkdir(parents=True)
        sigma = np.asarray(values, dtype=np.float64)
        table = pd.DataFrame(
            {
                "index": np.arange(1, sigma.size + 1),
                "singular_value": sigma,
                "normalized": sigma / sigma[0],
                "cumulative": np.cumsum(sigma) / sigma.sum(),
            }
        )
        if above is not None:
            table["above_noise_floor"] = list(above)
        table.to_csv(path, index=False)
        return path

    return write


@pytest.fixture
def two_seeds_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """For verdicts on what can be worked out by hand."""
    monkeypatch.setattr(claims, "FEWEST", 2)


@pytest.fixture
def sweep(run_rows) -> pd.DataFrame:
    runs = {
        "s1": run_rows("s1", share=1.0, auc=[0.70, 0.71], knn_cosine_k20=[0.40, 0.42]),
        "s10": run_rows("s10", share=10.0, auc=[0.75, 0.76], knn_cosine_k20=[0.38, 0.43]),
        "s100": run_rows("s100", share=100.0, auc=[0.80, 0.81], knn_cosine_k20=[0.41, 0.40]),
    }
    return pd.concat([rows.assign(chance=0.1) for rows in runs.values()], ignore_index=True)


@pytest.fixture
def schedules(run_rows) -> pd.DataFrame:
    start = {"start_run": "single", "start_epoch": 8}
    runs = [
        run_rows("iid", auc=[0.80, 0.81], knn_cosine_k20=[0.30, 0.31]),
        run_rows("single", auc=[0.60, 0.61], knn_cosine_k20=[0.40, 0.41], schedule="current"),
        run_rows("hybrid", auc=[0.75, 0.76], knn_cosine_k20=[0.60, 0.61], **start),
    ]
    return pd.concat(runs, ignore_index=True)
