"""`from ssl_collapse import measure, knn`: what the scripts write, of arrays and tensors."""

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import ssl_collapse
from ssl_collapse import knn, measure
from ssl_collapse.config.evaluation import CollapseSpec, KnnSpec
from ssl_collapse.evaluation import arrays
from ssl_collapse.evaluation.collapse import measure_collapse
from ssl_collapse.evaluation.knn import classify
from ssl_collapse.evaluation.proposals import CpuBackend
from ssl_collapse.representations.file import open_representations
from ssl_collapse.runtime.errors import UserError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 8)).astype(np.float32)
Y = RNG.integers(3, size=300)


def test_the_examples_of_the_docstrings() -> None:
    for module in (arrays, ssl_collapse):
        assert doctest.testmod(module).failed == 0
    assert doctest.testmod(arrays).attempted > 5


def test_they_give_the_content_of_the_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", representations=X, targets=Y)
    opened = open_representations(tmp_path / "r.npz")
    expected = measure_collapse(opened, CollapseSpec()).content
    leave_one_out = classify(opened, opened, KnnSpec(), CpuBackend()).content
    for rows, y in (
        (X, Y),
        (torch.tensor(X, requires_grad=True), torch.tensor(Y)),
        (X, Y.tolist()),
    ):
        assert measure(rows, y) == expected
        assert knn(rows, y) == knn(rows, y, rows, y) == leave_one_out
    # equal rows in another array are no leave-one-out: every row finds itself
    found = knn(X, Y, X.copy(), Y, metrics=["l2"], k_max=1)
    assert found["results"]["l2"]["majority"]["fixed_k"]["1"] == 1


def test_the_baseline_and_settings() -> None:
    found = measure(X, baseline=True, bootstrap_resamples=0)
    assert found["auc_low"] is None and abs(found["auc"] - found["baseline"]["auc"]) < 0.05


def test_classes_that_no_voter_has_are_told(caplog: pytest.LogCaptureFixture) -> None:
    knn(X, Y, X[:4], [0, 7, 1, 7], k_max=1)
    assert "2 of 4 rows count as wrong: no row of train_X" in caplog.text
    assert "class 7" in caplog.text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: measure(X[0]), r"X: 'representations' has shape \(8,\)"),
        (lambda: measure([[1.0], [1.0, 2.0]]), "X: no array"),
        (lambda: measure(X.astype(int)), "X: .*dtype int"),
        (lambda: measure(np.ma.masked_greater(X, 2)), "X: is a masked array"),
        (lambda: measure(X, alpha=1), "settings: .*\n.*alpha"),
        (lambda: knn(X, Y[:5]), r"train_X, train_y: 'targets' has shape \(5,\)"),
        (lambda: knn(X, Y, X), "both val_X and val_y"),
        (lambda: knn(X, Y, X[:, :2], Y), "val_X, val_y: has 2 dimensions"),
    ],
)
def test_wrong_input_is_named(call: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        call()  # type: ignore[operator]


def test_importing_the_package_loads_neither_numpy_nor_torch() -> None:
    code = "import ssl_collapse, sys; assert not {'numpy', 'torch', 'pydantic'} & set(sys.modules)"
    environment = {"PYTHONPATH": str(Path(ssl_collapse.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
