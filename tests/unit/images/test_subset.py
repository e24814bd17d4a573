"""A subset: the training images that a file names by their numbers in the listing of all."""

from pathlib import Path

import numpy as np
import pytest

from ssl_collapse.images.subset import list_source
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import file_sha256


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Training images 0: a/1, 1: a/2, 2: a/3, 3: b/1, 4: b/2; one for validation."""
    for name in ("train/b/2", "train/b/1", "train/a/3", "train/a/1", "train/a/2", "val/a/9"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return {split: tmp_path / split for split in ("train", "val")}


def listed(folders: dict[str, Path], numbers: object):
    path = folders["train"].with_name("mine.npy")
    np.save(path, np.array(numbers))
    return list_source({"subset": file_sha256(path)}, folders, path)


def test_the_named_images_in_the_order_of_the_listing(folders: dict[str, Path]):
    listing = listed(folders, [3, 0, 2])
    assert listing.splits["train"].paths == ("a/1.png", "a/3.png", "b/1.png")
    assert listing.splits["train"].targets == (0, 0, 1)
    assert listing.splits["val"].paths == ("a/9.png",)


def test_all_numbers_are_the_dataset_without_a_subset(folders: dict[str, Path]):
    assert listed(folders, range(5)) == list_source({}, folders)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([0.0, 3.0], "holds float64; images are named by integers"),
        ([[0, 3]], r"has shape \(1, 2\)"),
        ([0, 3, 5], "row 2 is 5; the images are numbered 0 to 4"),
        ([0, -1], "row 1 is -1"),
        ([3, 0, 3], "names image 3 twice"),
        ([0, 1], r"takes no image of class 'b' \(1 such classes\)"),
        (np.zeros(0, int), r"takes no image of class 'a' \(2 such classes\)"),
    ],
)
def test_files_that_are_no_subset(folders: dict[str, Path], numbers: object, message: str):
    with pytest.raises(UserError, match=rf"mine\.npy: {message}"):
        listed(folders, numbers)


def test_a_file_that_has_changed_since_the_plan_is_refused(
    folders: dict[str, Path], tmp_path: Path
):
    np.save(tmp_path / "mine.npy", np.array([0, 3]))
    with pytest.raises(UserError, match=r"mine\.npy has changed"):
        list_source({"subset": "0" * 64}, folders, tmp_path / "mine.npy")
    with pytest.raises(UserError, match="--subsets: names no file"):
        list_source({"subset": "0" * 64}, folders)
