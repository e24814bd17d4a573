"""The columns that a figure may name are those that the summary gets."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ssl_collapse.config.evaluation import CollapseSpec, KnnSpec, ProbeConfig, ProbeSpec
from ssl_collapse.config.experiment import EvaluationConfig
from ssl_collapse.evaluation.collapse import measure_collapse
from ssl_collapse.evaluation.knn import classify
from ssl_collapse.evaluation.probe import FailedSource, describe
from ssl_collapse.evaluation.proposals import CpuBackend
from ssl_collapse.plan.columns import accuracy_columns, measure_columns
from ssl_collapse.representations.file import Representations, open_representations
from ssl_collapse.tables import summary


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Representations:
    """300 rows in 16 dimensions, of three classes."""
    path = tmp_path_factory.mktemp("rows") / "rows.h5"
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file["representations"] = rng.normal(size=(300, 16)).astype(np.float32)
        file["targets"] = np.arange(300) % 3
    return open_representations(path)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"k_max": 10},
        {"k_max": 20, "metrics": ["l2"]},
        {"votes": ["weighted"]},
        {"votes": ["majority"], "metrics": ["cosine"], "k_max": 250},
    ],
)
def test_k_nn(settings: dict[str, Any], rows: Representations, tmp_path: Path):
    spec = KnnSpec.from_spec(json.dumps(settings))
    content = classify(rows, rows, spec, CpuBackend(1)).content
    (tmp_path / "knn.json").write_text(json.dumps(content))
    measured = summary.knn_columns(tmp_path / "knn.json")
    expected = [c for c, v in measured.items() if v is not None and not c.endswith("_oracle_k")]
    assert sorted(accuracy_columns(EvaluationConfig(knn=spec))) == sorted(expected)


@pytest.mark.parametrize("resamples", [0, 1, 2])
def test_measures(resamples: int, rows: Representations):
    spec = CollapseSpec(bootstrap_resamples=resamples, alpha_first_rank=1, alpha_last_rank=12)
    content = measure_collapse(rows, spec).content
    measured = {name for name, value in content.items() if value is not None}
    assert measured | {"loss"} >= set(measure_columns(EvaluationConfig(collapse=spec)))
    assert ("auc_low" in measured) == (
        "auc_low" in measure_columns(EvaluationConfig(collapse=spec))
    )


def test_the_probe():
    row = {"epoch": 0, "top1": 0.5, "top5": 1.0}
    content = describe(FailedSource(16, 3, 300, 300), ProbeSpec(epochs=1, batch_size=8), [row])
    accuracies = {f"probe_{name}" for name in content if name.startswith("top")}
    none = set(accuracy_columns(EvaluationConfig()))
    assert set(accuracy_columns(EvaluationConfig(probe=ProbeConfig()))) - none == accuracies
    both = ProbeConfig(cached=ProbeSpec(), full=ProbeSpec())
    accuracies |= {f"probe_cached_{name}" for name in content if name.startswith("top")}
    assert set(accuracy_columns(EvaluationConfig(probe=both))) - none == accuracies
