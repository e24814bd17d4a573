"""The linear probe on representations: toy cases with known accuracy, bad input, the command."""

import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import representation_files
import torch
from commands import call, run_here
from safetensors.numpy import load_file
from sklearn.linear_model import LogisticRegression
from torch import nn
from trainings import CPU

from ssl_collapse.config.evaluation import ProbeSpec
from ssl_collapse.evaluation.probe import (
    Probe,
    accuracy,
    build_classifier,
    epoch_batches,
    epoch_lr,
    target_ranks,
)
from ssl_collapse.evaluation.probe_cached import CachedFeatures, probe_cached
from ssl_collapse.representations.file import (
    open_representations,
    write_failed_representations,
)
from ssl_collapse.runtime.errors import UserError

command = partial(run_here, "probe")


def save(path: Path, rows: Any, targets: Any, **attrs: Any) -> Path:
    return representation_files.save(path, rows, targets, **{"num_classes": 3, **attrs})


def corners(n: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three classes round the three unit vectors."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 3
    return np.eye(3)[targets] + noise * rng.standard_normal((n, 3)), targets


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    train = save(tmp_path / "train.h5", *corners(90, 0.6, seed=1))
    return train, save(tmp_path / "val.h5", *corners(60, 0.6, seed=2))


def cached(train: Path, val: Path, num_classes: int | None = None, **settings: Any) -> Any:
    spec = ProbeSpec(**{"mode": "cached", "batch_size": 32, "epochs": 4, **settings})
    files = open_representations(train), open_representations(val)
    return probe_cached(CachedFeatures(*files, spec, num_classes), CPU)


# --- the numbers


def test_separable_classes_are_told_apart_on_fresh_rows(tmp_path: Path):
    train = save(tmp_path / "train.h5", *corners(90, 0.05, seed=1))
    val = save(tmp_path / "val.h5", *corners(60, 0.05, seed=2))
    for optimizer, base_lr in (("sgd", 10.0), ("lars", 40.0)):
        result = cached(train, val, optimizer=optimizer, base_lr=base_lr, epochs=100)
        assert result["top1_last"] == 1.0, optimizer


def test_the_minimum_that_scikit_learn_finds(files: tuple[Path, Path]):
    # weight decay makes the optimum unique; C = 1 / (n decay), with decay on the bias as well,
    # so that a constant column stands for the bias on either side
    rows, targets = corners(90, 0.6, seed=1)
    rows = np.concatenate([rows, np.ones((90, 1))], axis=1).astype(np.float32)
    train = save(files[0].parent / "ones.h5", rows, targets)
    spec = ProbeSpec(mode="cached", batch_size=90, epochs=200, base_lr=3.0, weight_decay=0.1)
    file = open_representations(train)
    probe = Probe(CachedFeatures(file, file, spec), spec, CPU)
    probe.classifier.bias.requires_grad_(False)
    probe.run()
    oracle = LogisticRegression(C=1 / (90 * 0.1), fit_intercept=False, tol=1e-10, max_iter=10_000)
    oracle.fit(rows, targets)
    # the softmax knows weights up to a vector common to all classes, which decay takes away
    found = probe.classifier.weight.detach().numpy()
    np.testing.assert_allclose(found, oracle.coef_, atol=1e-4)


def test_the_classifier_that_is_kept_has_the_accuracies_that_are_reported(
    files: tuple[Path, Path], tmp_path: Path
):
    # A rate of 1e-9 leaves the classifier as it starts, so that the accuracy of the batches before
    # their steps is that of the whole training set.
    train, val = (open_representations(path) for path in files)
    spec = ProbeSpec(mode="cached", batch_size=32, epochs=2, base_lr=1e-9, train_accuracy=True)
    result = probe_cached(CachedFeatures(train, val, spec), CPU, None, tmp_path / "c.safetensors")
    kept = load_file(tmp_path / "c.safetensors")
    for file, name in ((train, "train_top1"), (val, "top1")):
        scores = file.read(0, file.n) @ kept["weight"].T + kept["bias"]
        hits = (scores.argmax(axis=1) == file.labels()).mean()
        assert [row[name] for row in result["epochs"]] == pytest.approx([hits, hits])
    assert [row["train_top5"] for row in result["epochs"]] == [1.0, 1.0]  # of three classes


def test_ranks_by_hand():
    scores = torch.tensor([[0.1, 0.5, 0.3, 0.5], [0.1, 0.5, 0.3, 0.5], [2.0, 2.0, 2.0, 2.0]])
    # class 3 ties with class 1, which comes first; class 2 stands behind both
    assert target_ranks(scores, torch.tensor([3, 2, 2])).tolist() == [1, 2, 2]


def test_top5_by_hand_and_with_few_classes():
    # the features are the scores; the target is in place 0, 4 and 5 of six classes
    scores = torch.tensor([[6.0, 5, 4, 3, 2, 1]] * 3)
    assert accuracy(nn.Identity(), scores, torch.tensor([0, 4, 5])) == (1 / 3, 2 / 3)
    # of four classes, all are among the first five
    assert accuracy(nn.Identity(), scores[:, :4], torch.tensor([1, 2, 3])) == (0.0, 1.0)


def test_half_cosine_from_the_scaled_rate_down():
    spec = ProbeSpec(base_lr=0.1, batch_size=512, epochs=4)
    # 0.1 * 512 / 256 = 0.2, times (1 + cos(pi e / 4)) / 2
    expected = [0.2, 0.1 + 0.1 * np.sqrt(0.5), 0.1, 0.1 - 0.1 * np.sqrt(0.5)]
    assert [epoch_lr(spec, 10_000, e) for e in range(4)] == pytest.approx(expected)
    assert epoch_lr(spec, 64, 0) == pytest.approx(0.1 * 64 / 256)  # a batch of all 64 rows


def test_every_epoch_shows_every_row_once_in_an_order_of_its_own():
    spec = ProbeSpec(batch_size=4)
    first, second = (epoch_batches(spec, 10, epoch) for epoch in (0, 1))
    assert [len(batch) for batch in first] == [4, 4, 2]
    assert sorted(np.concatenate(first)) == sorted(np.concatenate(second)) == list(range(10))
    assert np.concatenate(first).tolist() != np.concatenate(second).tolist()


def test_the_classifier_starts_small_and_by_its_seed():
    one, same, other = (build_classifier(100, 200, seed) for seed in (0, 0, 1))
    assert one.weight.std().item() == pytest.approx(0.01, rel=0.02)  # 20,000 weights: +- 0.5 %
    assert not one.bias.any()
    assert torch.equal(one.weight, same.weight) and not torch.equal(one.weight, other.weight)


def test_last_and_best_stand_apart(files: tuple[Path, Path]):
    # a rate this high jumps about: the best epoch is not the last
    result = cached(*files, epochs=12, base_lr=100.0, batch_size=8)
    tops = [row["top1"] for row in result["epochs"]]
    assert [row["epoch"] for row in result["epochs"]] == list(range(1, 13))
    assert result["top1_last"] == tops[-1]
    assert result["top1_best"] == max(tops) == tops[result["best_epoch"] - 1]
    assert result["best_epoch"] == tops.index(max(tops)) + 1  # the first of equals
    assert "chosen on the labels" in result["best_warning"]


def test_the_same_bytes_again_and_other_bytes_by_another_seed(files: tuple[Path, Path]):
    one, same, other = (json.dumps(cached(*files, seed=seed)) for seed in (0, 0, 1))
    assert one == same != other


# --- classes


def test_a_class_that_a_split_lacks_stays_a_class(tmp_path: Path):
    # three classes: class 2 never in train, class 0 never in val
    train = save(tmp_path / "train.h5", np.eye(3)[[0, 1, 0, 1]], [0, 1, 0, 1])
    val = save(tmp_path / "val.h5", np.eye(3)[[1, 1, 2]], [1, 1, 2])
    result = cached(train, val, base_lr=10.0, epochs=50)
    assert result["num_classes"] == 3
    assert result["top1_last"] == pytest.approx(2 / 3)  # nothing taught class 2
    assert result["top5_last"] == 1.0
    assert result["protocol"]["num_classes_from"] == "the files"


def test_files_that_state_no_class_count(tmp_path: Path):
    paths = []
    for name, targets in (("train", [0, 1, 0]), ("val", [1, 2, 0])):
        path = tmp_path / f"{name}.pt"
        torch.save({"representations": torch.eye(3), "targets": torch.tensor(targets)}, path)
        paths.append(path)
    guessed = cached(*paths)
    assert guessed["num_classes"] == 3
    assert "largest label" in guessed["protocol"]["num_classes_from"]
    assert cached(*paths, num_classes=7)["num_classes"] == 7


def test_direct_use_prints_a_table_and_writes_the_json(files: tuple[Path, Path]):
    done = command(*files, "--spec", '{"epochs": 2}')
    assert done.returncode == 0, done.stderr
    assert "cached probe, sgd: 90 rows to train on, 60 to score, 3 classes" in done.stdout
    result = json.loads((files[1].parent / "val.h5-probe.json").read_text())
    assert f"{result['top1_last']:.4f}" in done.stdout
    numbers = {name for name, value in result.items() if isinstance(value, int | float)}
    assert numbers == {
        *("format_version", "num_classes", "best_epoch"),
        *("top1_last", "top5_last", "top1_best", "top5_best"),
    }


def test_targets_in_files_of_their_own_give_the_same_accuracies(files: tuple[Path, Path]):
    folder, own = files[0].parent, []
    for file in map(open_representations, files):
        np.save(file.path.with_suffix(".npy"), file.read(0, file.n))
        own.append(folder / f"{file.path.stem}_targets.npy")
        np.save(own[-1], file.labels())
    bare = [file.with_suffix(".npy") for file in files]
    spec = ("--spec", '{"epochs": 2}', "--num-classes", 3)
    done = command(*bare, "--targets", *own, *spec, "--json", folder / "own.json")
    assert done.returncode == 0, done.stderr
    result = json.loads((folder / "own.json").read_text())
    assert result["epochs"] == cached(*files, epochs=2, batch_size=1024)["epochs"]


# --- encoders that have failed

NOTHING = {"top1_last", "top5_last", "top1_best", "top5_best", "best_epoch"}


def test_a_file_that_is_marked_as_failed_is_not_probed(files: tuple[Path, Path]):
    train, val = files
    targets = open_representations(val).labels()
    write_failed_representations(val, 3, targets, {"num_classes": 3}, "total collapse")
    done = command(train, val, "--spec", '{"epochs": 2}')
    assert done.returncode == 0, done.stderr
    assert "diverged: total collapse; no accuracies" in done.stdout
    result = json.loads((val.parent / "val.h5-probe.json").read_text())
    assert (result["diverged"], result["failure"]) == (True, "total collapse")
    assert {name for name, value in result.items() if value is None} == NOTHING
    assert result["epochs"] == []
    assert (result["protocol"]["n_train"], result["protocol"]["n_val"]) == (90, 60)


# --- bad input


def test_representations_of_two_encoders_datasets_or_class_counts(tmp_path: Path):
    rows, targets = corners(9, 0.1)
    train = save(tmp_path / "train.h5", rows, targets, encoder_sha256="a", dataset_fingerprint="d")
    for name, attrs, message in (
        ("encoder", {"encoder_sha256": "b"}, "comes from another encoder than"),
        ("dataset", {"dataset_fingerprint": "e"}, "comes from another dataset than"),
        ("classes", {"num_classes": 4}, "states num_classes 4, but"),
    ):
        val = save(tmp_path / f"{name}.h5", rows, targets, **attrs)
        with pytest.raises(UserError, match=message):
            cached(train, val)
    wide = save(tmp_path / "wide.h5", np.ones((9, 5)), targets)
    with pytest.raises(UserError, match="has 5 dimensions, but"):
        cached(train, wide)
    with pytest.raises(UserError, match="--num-classes 5: the files state 3"):
        cached(train, train, num_classes=5)


def test_a_rate_that_diverges_is_named(tmp_path: Path):
    rows, targets = corners(90, 1.0)
    path = save(tmp_path / "huge.h5", rows * 1e18, targets)
    with pytest.raises(UserError, match="lower base_lr"):
        cached(path, path, base_lr=1e6)


def test_scoring_the_training_rows_is_said(files: tuple[Path, Path]):
    assert "accuracies on the training rows" in cached(files[0], files[0])["notes"][0]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train.h5"], "give either two files of representations"),
        (["train.h5", "val.h5", "--encoder", "e.safetensors"], "give either two files"),
        (["train.h5", "gone.h5"], "gone.h5: no such file"),
        (["train.h5", "rows.npy"], "rows.npy: has no targets"),
        (["train.h5", "nan.h5"], "row 2 of 'representations' holds NaN"),
        (["train.h5", "val.h5", "--spec", '{"epoch": 3}'], "epoch"),
        (["train.h5", "val.h5", "--spec", '{"mode": "full"}'], "the files given are for 'cached'"),
    ],
)
def test_bad_input_is_one_message_and_leaves_no_file(
    files: tuple[Path, Path], arguments: list[str], expected: str
):
    folder = files[0].parent
    np.save(folder / "rows.npy", np.eye(3, dtype=np.float32))
    shutil.copy(files[1], folder / "nan.h5")
    with h5py.File(folder / "nan.h5", "r+") as file:
        file["representations"][2, 0] = np.nan
    before = sorted(folder.iterdir())
    paths = [str(folder / a) if a.endswith((".h5", ".npy")) else a for a in arguments]
    with pytest.raises(UserError, match=re.escape(expected)):
        call("probe", *paths, "--state", folder / "state")
    assert sorted(folder.iterdir()) == before
