"""k-NN accuracy against scikit-learn and votes counted by hand."""

import csv
import json
import shutil
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import representation_files
import torch
from commands import run_here, run_script
from safetensors.numpy import save_file
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from ssl_collapse.config.evaluation import KnnSpec, Metric
from ssl_collapse.evaluation import knn as module
from ssl_collapse.evaluation.knn import (
    Knn,
    classify,
    majority_vote,
    table,
    vote_weights,
    weighted_vote,
)  # fmt: skip
from ssl_collapse.evaluation.neighbors_file import keeping_neighbors
from ssl_collapse.evaluation.proposals import CpuBackend, TorchBackend
from ssl_collapse.representations.file import (
    of_arrays,
    open_representations,
    write_failed_representations,
)
from ssl_collapse.runtime.errors import UserError

run = partial(run_here, "knn")


def save(path: Path, rows: np.ndarray, targets: np.ndarray, num_classes: int = 5) -> Path:
    return representation_files.save(path, rows, targets, num_classes=num_classes)


def clusters(n: int, seed: int, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping Gaussian clusters, so that accuracy depends on k."""
    centres = np.random.default_rng(9).standard_normal((classes, 8))
    rng = np.random.default_rng(seed)
    targets = rng.integers(classes, size=n)
    rows = centres[targets] + 1.5 * rng.standard_normal((n, 8))
    return rows.astype(np.float32), targets


def pair(folder: Path, n_train: int, n_val: int) -> tuple[Path, Path]:
    """train.h5 and val.h5 with clusters."""
    train = save(folder / "train.h5", *clusters(n_train, seed=0))
    return train, save(folder / "val.h5", *clusters(n_val, seed=1))


def run_knn(train: Path, val: Path, **settings: object) -> Knn:
    spec = KnnSpec.model_validate_json(json.dumps(settings))
    return classify(open_representations(train), open_representations(val), spec, CpuBackend())


def test_majority_vote_by_hand() -> None:
    labels = np.array([[2, 1, 1, 2, 0]])
    # 2; tie of 1 and 2; 1; tie of 1 and 2; still that tie
    assert [int(winner[0]) for winner in majority_vote(labels, 3)] == [2, 1, 1, 1, 1]


def test_majority_vote_against_counting_everything() -> None:
    labels = np.random.default_rng(0).integers(4, size=(50, 30))
    for k, winner in enumerate(majority_vote(labels, 4), start=1):
        counts = [np.bincount(line[:k], minlength=4) for line in labels]
        assert winner.tolist() == np.argmax(counts, axis=1).tolist()  # argmax: the smallest label


def test_weighted_vote_by_hand() -> None:
    labels = np.array([[2, 1, 1, 0]])
    weights = np.array([[1.0, 0.5, 0.5, 1.5]])
    # 1 reaches 2's weight and is smaller; then 0 overtakes
    assert [int(winner[0]) for winner in weighted_vote(labels, weights, 3)] == [2, 2, 1, 0]


def test_weights_are_exp_of_similarity_over_temperature() -> None:
    cosine = np.array([[0.9, 0.5, -0.2]])
    weights = vote_weights(2 - 2 * cosine, temperature=0.1, scale=1.0)
    np.testing.assert_allclose(weights, np.exp((cosine - 0.9) / 0.1))
    # the nearest always counts 1, however small the temperature
    assert vote_weights(2 - 2 * cosine, 1e-6, 1.0).tolist() == [[1.0, 0.0, 0.0]]


def test_kept_neighbors_are_scikit_learns(tmp_path: Path) -> None:
    (rows, targets), (queries, truth) = clusters(300, seed=1), clusters(40, seed=2)
    train, val = of_arrays(rows, targets), of_arrays(queries, truth)
    with keeping_neighbors(tmp_path / "kept.h5") as keep:
        classify(train, val, KnnSpec(k_max=7), CpuBackend(), keep)
    with h5py.File(tmp_path / "kept.h5") as kept:
        for metric, name in (("cosine", "cosine"), ("l2", "euclidean")):
            oracle = NearestNeighbors(n_neighbors=7, metric=name, algorithm="brute")
            distance, index = oracle.fit(rows.astype(float)).kneighbors(queries.astype(float))
            assert np.array_equal(kept[metric]["index"], index)
            np.testing.assert_allclose(kept[metric]["distance"], distance, rtol=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_against_scikit_learn(tmp_path: Path, metric: Metric) -> None:
    (rows, targets), (asked, truth) = clusters(600, 0), clusters(200, 1)
    truth[truth == 3] = 4  # class 3 is missing from val
    train = save(tmp_path / "train.h5", rows, targets)
    val = save(tmp_path / "val.h5", asked, truth)
    accuracy = run_knn(train, val, k_max=60).accuracy
    spread = rows.astype(float).var(axis=0).sum()
    for k in (1, 2, 3, 7, 20, 59, 60):
        for vote in ("majority", "weighted"):

            def weight(distance: np.ndarray) -> np.ndarray:
                similarity = -distance if metric == "cosine" else -(distance**2) / (2 * spread)
                return np.exp(similarity / 0.07)

            oracle = KNeighborsClassifier(
                k,
                metric="cosine" if metric == "cosine" else "euclidean",
                algorithm="brute",
                weights=weight if vote == "weighted" else "uniform",
            )
            score = oracle.fit(rows.astype(float), targets).score(asked.astype(float), truth)
            assert accuracy[metric, vote][k - 1] == pytest.approx(score, abs=1e-12)  # type: ignore[index]


def test_leave_one_out_when_both_are_the_same_file(tmp_path: Path) -> None:
    rows, targets = clusters(80, 0)
    path = save(tmp_path / "r.h5", rows, targets)
    (tmp_path / "link.h5").symlink_to(path)
    result = run_knn(path, tmp_path / "link.h5", k_max=500)
    assert result.content["protocol"]["leave_one_out"] is True
    assert result.content["protocol"]["k_max"] == 79
    for k in (1, 5):
        hits = 0
        for i in range(80):
            others = np.arange(80) != i
            oracle = KNeighborsClassifier(k, algorithm="brute").fit(rows[others], targets[others])
            hits += int(oracle.predict(rows[i : i + 1])[0] == targets[i])
        assert result.accuracy["l2", "majority"][k - 1] == hits / 80
    # an equal copy is another file: then each row finds itself
    shutil.copy(path, tmp_path / "copy.h5")
    assert run_knn(path, tmp_path / "copy.h5").accuracy["l2", "majority"][0] == 1.0


def test_duplicates_with_different_labels_go_by_row_number(tmp_path: Path) -> None:
    rows = np.array([[1.0, 0]] * 4 + [[0, 1]])
    train = save(tmp_path / "train.h5", rows, np.array([3, 1, 1, 3, 0]))
    val = save(tmp_path / "val.h5", rows[:1], np.array([3]))
    # neighbours in order: 3, 1, 1, 3, 0: right at k = 1; ties at 2 and 4 go to 1
    accuracy = run_knn(train, val).accuracy["cosine", "majority"]
    assert accuracy.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]


def test_fewer_samples_than_k(tmp_path: Path) -> None:
    rows, targets = clusters(30, 0)
    train = save(tmp_path / "train.h5", rows, targets)
    val = save(tmp_path / "val.h5", *clusters(20, 1))
    result = run_knn(train, val)
    assert result.content["protocol"]["k_max"] == 30
    assert all(len(curve) == 30 for curve in result.accuracy.values())
    fixed = result.content["results"]["cosine"]["majority"]["fixed_k"]
    curve = result.accuracy["cosine", "majority"]
    assert fixed == {"1": curve[0], "20": curve[19], "200": None}
    # all 30 vote: the same answer for everyone
    most = np.argmax(np.bincount(targets))
    assert curve[-1] == np.mean(clusters(20, 1)[1] == most)


def test_content_and_table_agree(tmp_path: Path) -> None:
    train, val = pair(tmp_path, 300, 100)
    result = run_knn(train, val, k_max=25, metrics=["l2"], votes=["majority", "weighted"])
    lines = list(csv.DictReader(table(result).splitlines()))
    assert [int(line["k"]) for line in lines] == [*range(1, 26)] * 2
    assert {line["metric"] for line in lines} == {"l2"}
    majority = [float(line["accuracy"]) for line in lines if line["vote"] == "majority"]
    oracle = result.content["results"]["l2"]["majority"]["oracle"]
    assert oracle["accuracy"] == max(majority)
    assert oracle["k"] == majority.index(max(majority)) + 1  # the smallest of several
    assert "chosen on the labels" in oracle["warning"]
    protocol = result.content["protocol"]
    assert (protocol["n_train"], protocol["n_val"], protocol["num_classes"]) == (300, 100, 5)
    assert list(result.content["results"]) == ["l2"]


def test_votes_are_counted_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, val = pair(tmp_path, 300, 101)
    whole = run_knn(train, val, k_max=30).accuracy
    monkeypatch.setattr(module, "VOTE_ENTRIES", 40)  # 8 queries at a time
    pieces = run_knn(train, val, k_max=30).accuracy
    for key, curve in whole.items():
        np.testing.assert_array_equal(pieces[key], curve)


def test_rows_that_are_all_equal_still_have_a_defined_answer(tmp_path: Path) -> None:
    train = save(tmp_path / "train.h5", np.ones((40, 4)), np.arange(40) % 5)
    val = save(tmp_path / "val.h5", np.ones((10, 4)), np.arange(10) % 5)
    for curve in run_knn(train, val).accuracy.values():
        assert curve[0] == 0.2  # row 0 is everyone's neighbour: label 0


def test_a_file_that_is_marked_as_failed_has_no_accuracies(tmp_path: Path) -> None:
    rows, targets = clusters(40, seed=1)
    train, val = save(tmp_path / "train.h5", rows, targets), tmp_path / "val.h5"
    write_failed_representations(val, 8, targets, {"num_classes": 5}, "total collapse")
    knn = run_knn(train, val, k_max=10)
    assert (knn.content["diverged"], knn.content["failure"]) == (True, "total collapse")
    protocol = run_knn(train, train, k_max=10).content["protocol"]
    assert knn.content["protocol"] == protocol | {"leave_one_out": False}
    for metric in ("cosine", "l2"):
        for vote in ("majority", "weighted"):
            result = knn.content["results"][metric][vote]
            assert set(result["fixed_k"].values()) == {None}
            assert (result["oracle"]["k"], result["oracle"]["accuracy"]) == (None, None)
    assert table(knn) == "metric,vote,k,accuracy\n"
    done = run(train, val)
    assert done.returncode == 0 and "diverged: total collapse; no accuracies" in done.stdout


def test_wrong_input_is_named(tmp_path: Path) -> None:
    train = save(tmp_path / "train.h5", *clusters(30, 0))
    np.save(tmp_path / "bare.npy", clusters(20, 1)[0])
    with pytest.raises(UserError, match=r"bare\.npy: has no targets"):
        run_knn(train, tmp_path / "bare.npy")
    wide = save(tmp_path / "wide.h5", np.ones((3, 9)), np.zeros(3, dtype=int))
    with pytest.raises(UserError, match=r"wide\.h5: has 9 dimensions, but .*train\.h5 has 8"):
        run_knn(train, wide)
    other = save(tmp_path / "other.h5", *clusters(20, 1), num_classes=7)
    with pytest.raises(UserError, match=r"other\.h5: states num_classes 7, but .* states 5"):
        run_knn(train, other)
    one = save(tmp_path / "one.h5", np.ones((1, 8)), np.zeros(1, dtype=int))
    with pytest.raises(UserError, match=r"one\.h5: has one row"):
        run_knn(one, one)
    rows, targets = clusters(30, 0)
    rows[17, 2] = np.inf
    bad = tmp_path / "bad.safetensors"
    save_file({"representations": rows, "targets": targets}, bad)
    with pytest.raises(UserError, match=r"bad\.safetensors: row 17"):
        run_knn(bad, train)


def test_script_writes_the_same_bytes_with_any_number_of_threads(tmp_path: Path) -> None:
    train, val = pair(tmp_path, 500, 100)
    written = []
    for threads in (1, 3):
        out, rows = tmp_path / f"{threads}.json", tmp_path / f"{threads}.csv"
        done = run_script("knn", train, val, "--threads", threads, "--json", out, "--csv", rows)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        written.append(out.read_bytes() + rows.read_bytes())
    assert written[0] == written[1]
    assert str(tmp_path).encode() not in written[0]


def test_targets_in_files_of_their_own_give_the_same_bytes(tmp_path: Path) -> None:
    for name, n in (("train", 100), ("val", 50)):
        rows, targets = clusters(n, seed=n)
        save(tmp_path / f"{name}.h5", rows, targets)
        np.save(tmp_path / f"{name}.npy", rows)
        np.save(tmp_path / f"{name}_targets.npy", targets.astype(np.float32))  # as the reference
    own = [tmp_path / f"{name}_targets.npy" for name in ("train", "val")]
    for suffix, options in (("h5", []), ("npy", ["--targets", *own])):
        files = [tmp_path / f"{name}.{suffix}" for name in ("train", "val")]
        done = run(*files, "--json", tmp_path / f"{suffix}.json", *options)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "h5.json").read_bytes() == (tmp_path / "npy.json").read_bytes()


def test_script_by_hand_prints_a_table_and_writes_beside_val(tmp_path: Path) -> None:
    train, val = pair(tmp_path, 100, 50)
    done = run(train, val, "--device", "auto")
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "val.h5-knn.json").read_text())
    first = content["results"]["cosine"]["majority"]["fixed_k"]["1"]
    assert "50 rows classified by 100, 5 classes, k up to 100" in done.stdout
    assert f"cosine  majority    {first:.4f}" in done.stdout


def test_script_ends_with_2_and_no_file_on_wrong_input(tmp_path: Path) -> None:
    train = save(tmp_path / "train.h5", *clusters(100, 0))
    for arguments, message in [
        ((train, tmp_path / "gone.h5"), "no such file"),
        ((train, train, "--spec", '{"k_max": 0}'), "k_max"),
    ]:
        done = run(*arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["train.h5"]


def test_torch_gives_the_same_accuracies(tmp_path: Path) -> None:
    train, val = pair(tmp_path, 500, 100)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    opened = open_representations(train), open_representations(val)
    other = classify(*opened, KnnSpec(), TorchBackend(device))
    assert table(other) == table(run_knn(train, val))
