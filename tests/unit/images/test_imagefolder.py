"""Listing a user's folder: what counts as an image, how one tree is split, what is refused."""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from ssl_collapse.images.imagefolder import list_dataset, read_folders
from ssl_collapse.runtime.errors import UserError


def make(root: Path, *names: str) -> Path:
    """Empty files: listing does not open them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def two_folders(tmp_path: Path, train: Iterable[str], val: Iterable[str]) -> dict[str, Path]:
    return {"train": make(tmp_path / "train", *train), "val": make(tmp_path / "val", *val)}


def test_classes_are_sorted_and_files_come_by_class_then_path(tmp_path: Path) -> None:
    # "a-b/" sorts before "a/" as text, but class "a" comes before class "a-b".
    folders = two_folders(
        tmp_path,
        train=("a-b/1.png", "a/2.jpg", "a/10.JPEG", "a/deep/er/0.tiff", "c/x.webp"),
        val=("c/y.png", "a/z.ppm"),
    )
    listing = list_dataset(folders)
    assert listing.classes == ("a", "a-b", "c")
    train, val = listing.splits["train"], listing.splits["val"]
    assert train.paths == ("a/10.JPEG", "a/2.jpg", "a/deep/er/0.tiff", "a-b/1.png", "c/x.webp")
    assert train.targets == (0, 0, 0, 1, 2)
    assert (val.paths, val.targets) == (("a/z.ppm", "c/y.png"), (0, 2))  # val may lack "a-b"
    assert listing.problems == ()


def test_hidden_and_junk_files_are_passed_over_and_others_reported(tmp_path: Path) -> None:
    folders = two_folders(
        tmp_path,
        train=(
            "a/1.png", "a/.DS_Store", "a/Thumbs.db", "a/._1.png", ".git/x.png", "__MACOSX/y.png",
            "labels.csv", "a/notes.txt", "stray.jpg",
        ),
        val=("a/1.png",),
    )  # fmt: skip
    listing = list_dataset(folders)
    assert listing.classes == ("a",)
    assert listing.splits["train"].paths == ("a/1.png",)
    found = [(p.folder, p.path, p.reason) for p in listing.problems]
    assert found == [
        ("train", "a/notes.txt", "not an image file"),
        ("train", "stray.jpg", "an image outside the class folders"),
    ]


def test_links_are_followed_and_loops_and_broken_links_reported(tmp_path: Path) -> None:
    folders = two_folders(tmp_path, train=("a/1.png",), val=("a/1.png",))
    elsewhere = make(tmp_path / "elsewhere", "2.png")
    a = folders["train"] / "a"
    (a / "linked").symlink_to(elsewhere)
    (a / "loop").symlink_to(a)
    (a / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (a / "self.png").symlink_to(a / "self.png")
    listing = list_dataset(folders)
    assert listing.splits["train"].paths == ("a/1.png", "a/linked/2.png")
    reasons = {p.path: p.reason for p in listing.problems}
    assert reasons.keys() == {"a/loop", "a/gone.png", "a/self.png"}
    assert reasons["a/loop"] == "a symbolic link to a folder that contains it"
    assert reasons["a/gone.png"] == "a broken symbolic link"
    assert "symbolic link" in reasons["a/self.png"]


def test_a_class_whose_name_is_not_utf8(tmp_path: Path) -> None:
    folders = two_folders(tmp_path, train=("a/1.png",), val=("a/1.png",))
    try:
        Path(os.fsdecode(os.fsencode(folders["train"]) + b"/caf\xe9")).mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(UserError, match=re.escape("caf\\xe9")):
        list_dataset(folders)


def test_an_unreadable_folder_inside_a_class_is_reported(tmp_path: Path, monkeypatch) -> None:
    folders = two_folders(tmp_path, train=("a/1.png", "a/secret/2.png"), val=("a/1.png",))
    scandir = os.scandir

    def refuse_secret(path):
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse_secret)
    (problem,) = list_dataset(folders).problems
    assert problem.path == "a/secret"
    assert problem.reason == "the folder cannot be listed: Permission denied"


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_folder_that_is_none(tmp_path: Path, name: str) -> None:
    make(tmp_path, "file", "val/a/1.png")
    with pytest.raises(UserError, match=f"{name}: cannot be listed"):
        list_dataset({"train": tmp_path / name, "val": tmp_path / "val"})


@pytest.mark.parametrize(
    ("train", "val", "message"),
    [
        (["cat/1.png"], ["cat/1.png", "dgo/1.png"], "'dgo' is no class"),
        (["1.png", "2.png"], ["a/1.png"], "holds no class folders; expected .*<class>"),
        (["a/1.png", "b/.keep", "c/.keep"], ["a/1.png"], "class folders 'b', 'c'"),
    ],
)
def test_classes_that_are_none(tmp_path: Path, train: list[str], val: list[str], message: str):
    with pytest.raises(UserError, match=message):
        list_dataset(two_folders(tmp_path, train, val))


def one_tree(tmp_path: Path, **counts: int) -> dict[str, Path]:
    names = [f"{c}/{i:03d}.png" for c, n in counts.items() for i in range(n)]
    return {"root": make(tmp_path / "root", *names)}


@pytest.mark.parametrize(
    ("images", "fraction", "in_val"),
    [
        (20, 0.25, 5),
        (10, 0.01, 1),  # rounds to none, but one image stays in val
        (10, 0.99, 9),  # rounds to all, but one image stays in train
        (2, 0.5, 1),
        (1, 0.9, 0),  # a single image is for training
    ],
)
def test_one_tree_is_split_within_each_class(
    tmp_path: Path, images: int, fraction: float, in_val: int
) -> None:
    listing = list_dataset(one_tree(tmp_path, a=images, other=10), fraction)
    train = {p for p in listing.splits["train"].paths if p.startswith("a/")}
    val = {p for p in listing.splits["val"].paths if p.startswith("a/")}
    assert len(val) == in_val
    assert not train & val
    assert train | val == {f"a/{i:03d}.png" for i in range(images)}


def test_the_split_follows_the_seed_and_not_the_other_classes(tmp_path: Path) -> None:
    folders = one_tree(tmp_path, a=40)
    alone = list_dataset(folders, 0.5, split_seed=1).splits["val"].paths
    assert list_dataset(folders, 0.5, split_seed=1).splits["val"].paths == alone
    assert list_dataset(folders, 0.5, split_seed=2).splits["val"].paths != alone
    make(folders["root"], *(f"b/{i}.png" for i in range(6)))
    with_another = list_dataset(folders, 0.5, split_seed=1).splits["val"].paths
    assert tuple(p for p in with_another if p.startswith("a/")) == alone


def test_a_tree_of_single_images_cannot_be_split(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no validation image"):
        list_dataset(one_tree(tmp_path, a=1, b=1), 0.5)


def test_folders_of_one_dataset_are_read_out_of_all(tmp_path: Path) -> None:
    text = json.dumps({"a": {"root": "/a"}, "b": {"train": "/b/t", "val": "/b/v"}})
    assert read_folders(text, "b") == {"train": Path("/b/t"), "val": Path("/b/v")}


def test_val_may_not_be_train_not_even_through_a_link(tmp_path: Path) -> None:
    train = make(tmp_path / "train", "cat/1.png", "dog/1.png")
    (tmp_path / "val").symlink_to(train)
    for val in (train, tmp_path / "val", tmp_path / "train/../train"):
        with pytest.raises(UserError, match=r"train: `train` and `val` are this same folder"):
            list_dataset({"train": train, "val": val})


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("val/cat", "train/cat"),
        ("train/kitten", "train/cat"),
        ("train/all", "train"),
        ("train/all", "."),
        ("train/kitten", "train/cat/small"),
    ],
)
def test_no_class_folder_is_or_lies_in_another(tmp_path: Path, link: str, target: str) -> None:
    folders = two_folders(
        tmp_path, train=("cat/1.png", "cat/small/2.png", "dog/1.png"), val=("dog/2.png",)
    )
    (tmp_path / link).symlink_to(tmp_path / target)
    with pytest.raises(UserError, match="is or lies in the class folder"):
        list_dataset(folders)


def test_val_may_not_lie_in_train(tmp_path: Path) -> None:
    train = make(tmp_path, "cat/1.png", "val/cat/2.png")
    with pytest.raises(UserError, match=r"is or lies in the class folder .*/val,"):
        list_dataset({"train": train, "val": train / "val"})


UP = "a symbolic link to a folder that contains it"
OTHER = "a symbolic link into another class folder, 'dog'"


@pytest.mark.parametrize(
    ("link", "target", "reason"),
    [
        ("train/cat/up", "train", UP),
        ("train/cat/deep/up", "train/cat", UP),
        ("train/cat/top", ".", UP),
        ("train/cat/more", "train/dog", OTHER),
        ("train/cat/more", "train/dog/big", OTHER),
        ("train/cat/more", "val/dog", OTHER),
        ("train/cat/more", "elsewhere/back", OTHER),  # a link to train/dog
        ("train/cat/more", "val", "a symbolic link to a folder that contains other classes"),
    ],
)
def test_links_do_not_make_dogs_of_cats(
    tmp_path: Path, link: str, target: str, reason: str
) -> None:
    folders = two_folders(
        tmp_path, train=("cat/deep/1.png", "dog/1.png", "dog/big/2.png"), val=("dog/3.png",)
    )
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/back").symlink_to(folders["train"] / "dog")
    (tmp_path / link).symlink_to(tmp_path / target)
    listing = list_dataset(folders)
    assert listing.splits["train"].paths == ("cat/deep/1.png", "dog/1.png", "dog/big/2.png")
    (problem,) = listing.problems
    assert (problem.path, problem.reason) == (link.removeprefix("train/"), reason)


def test_links_out_of_the_dataset_are_followed(tmp_path: Path) -> None:
    # A class on another disk, more cats from elsewhere, and a pool of images beside the classes.
    pool = make(tmp_path / "root/.pool", "tabby/1.png")
    birds, more = make(tmp_path / "birds", "1.png", "2.png"), make(tmp_path / "more", "2.png")
    root = make(tmp_path / "root", "cat/0.png")
    (root / "bird").symlink_to(birds)
    (root / "cat/more").symlink_to(more)
    (root / "cat/tabby").symlink_to(pool / "tabby")
    listing = list_dataset({"root": root}, 0.5)
    taken = {path for images in listing.splits.values() for path in images.paths}
    assert listing.problems == ()
    assert taken == {"bird/1.png", "bird/2.png", "cat/0.png", "cat/more/2.png", "cat/tabby/1.png"}
