"""Orderings: a seeded permutation, or a user's own that is checked before it is believed."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from scripts import ordering as stage
from ssl_collapse.images.description import read_description
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import file_sha256
from ssl_collapse.views.ordering import make_ordering, read_ordering, write_ordering


def test_a_permutation_that_follows_its_seed() -> None:
    ordering = make_ordering(1000, seed=4)
    assert ordering.dtype == np.int64
    assert np.array_equal(np.sort(ordering), np.arange(1000))
    assert np.array_equal(ordering, make_ordering(1000, seed=4))
    assert not np.array_equal(ordering, make_ordering(1000, seed=5))


def test_the_sequence_is_fixed() -> None:
    # Results of earlier runs depend on it: a change here is a change of every experiment.
    assert make_ordering(8, seed=0).tolist() == [2, 4, 3, 6, 5, 0, 1, 7]


def test_written_bytes_are_the_same_each_time_and_read_back(tmp_path: Path) -> None:
    ordering = make_ordering(50, seed=1)
    write_ordering(tmp_path / "a.npy", ordering)
    write_ordering(tmp_path / "b.npy", ordering)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    assert np.array_equal(read_ordering(tmp_path / "a.npy", 50), ordering)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.npy", "b.npy"]


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.uint64, ">i8"])
def test_any_integers_are_taken(tmp_path: Path, dtype) -> None:
    np.save(tmp_path / "a.npy", np.array([2, 0, 1], dtype=dtype))
    read = read_ordering(tmp_path / "a.npy", 3)
    assert read.dtype == np.int64
    assert read.tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([0.0, 1.0, 2.0]), "holds float64"),
        (np.array([True, False, True]), "holds bool"),
        (np.array([[0, 1, 2]]), r"shape \(1, 3\)"),
        (np.array(0), r"shape \(\)"),
        (np.array([0, 1]), r"shape \(2,\); an ordering of this dataset is \(3,\)"),
        (np.array([0, 1, 3]), "row 2 is 3; the images are numbered 0 to 2"),
        (np.array([0, -1, 2]), "row 1 is -1"),
        (np.array([0, 2**64 - 1, 2], dtype=np.uint64), "row 1 is 18446744073709551615"),
        (np.array([2, 1, 2]), "2 comes 2 times and 0 never"),
    ],
)
def test_arrays_that_are_no_ordering(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "mine.npy", array)
    with pytest.raises(UserError, match=rf"mine\.npy: .*{message}"):
        read_ordering(tmp_path / "mine.npy", 3)


def test_damaged_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(1000))
    whole = (tmp_path / "a.npy").read_bytes()
    np.savez(tmp_path / "b.npz", np.arange(3))
    for content in (b"", b"0\n1\n2\n", whole[:50], whole[:-8], (tmp_path / "b.npz").read_bytes()):
        (tmp_path / "c.npy").write_bytes(content)
        with pytest.raises(UserError, match=r"c\.npy: not a \.npy file"):
            read_ordering(tmp_path / "c.npy", 1000)
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_ordering(tmp_path / "missing.npy", 3)


def test_a_pipe_a_device_or_a_folder_is_refused_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    textures = {"kind": "textures", "train_images": 10, "val_images": 1}
    run = {"dataset": "a", "backbone": {"arch": "small_resnet"}, "batch_size": 5, "epochs": 1}
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(UserError, match=f"{path}: cannot be read: not a regular file"):
            read_ordering(path, 3)
        datasets = {"a": {"source": textures, "ordering": str(path)}}
        experiment = load_experiment({"datasets": datasets, "runs": {"r": run}})
        with pytest.raises(UserError, match=r"datasets\.a\.ordering: .*not a regular file"):
            Plan(experiment)


def test_one_that_is_exchanged_after_planning_is_refused(images: PackedImages, tmp_path: Path):
    own, described = tmp_path / "own.npy", images.path.with_name("dataset.json")
    write_ordering(own, np.arange(12)[::-1])
    spec = json.dumps({"user": file_sha256(own)})
    files = json.dumps({read_description(described).dataset: str(own)})
    words = ["--spec", spec, "--orderings", files, "--dataset", str(described), "--output"]
    stage.main(stage.parser().parse_args([*words, str(tmp_path / "planned.npy")]))
    assert (tmp_path / "planned.npy").read_bytes() == own.read_bytes()
    write_ordering(own, np.arange(12))
    with pytest.raises(UserError, match=r"own\.npy has changed since this job was planned"):
        stage.main(stage.parser().parse_args([*words, str(tmp_path / "other.npy")]))
    assert not (tmp_path / "other.npy").exists()
