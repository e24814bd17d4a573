"""Public datasets in their published form, as miniatures whose checksums torchvision is told."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from source_files import cifar, imagenette, stl10
from torchvision.datasets import CIFAR10

from ssl_collapse.config.dataset import PublishedSource
from ssl_collapse.images.class_folders import Item, write_class_folders
from ssl_collapse.images.published import published_images
from ssl_collapse.runtime.errors import UserError


def pixels(items: list[Item]) -> np.ndarray:
    return np.stack([np.asarray(Image.open(io.BytesIO(item.content))) for item in items])


@pytest.mark.parametrize("kind", ["cifar10", "cifar100"])
def test_cifar(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    images = cifar(tmp_path, monkeypatch, kind)
    source = PublishedSource(kind=kind, root=str(tmp_path))
    train, val = (list(published_images(source, split)) for split in ("train", "val"))
    assert [item.label for item in train] == ["apple", "cat", "apple"]
    assert [item.label for item in val] == ["cat", "apple"]
    np.testing.assert_array_equal(pixels([*train, *val]), images)


def test_stl10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    images = stl10(tmp_path, monkeypatch)
    source = PublishedSource(kind="stl10", root=str(tmp_path))
    train, val = (list(published_images(source, split)) for split in ("train", "val"))
    assert [item.label for item in train] == ["airplane", "bird", "bird"]
    assert [item.label for item in val] == ["bird", "airplane", "airplane"]
    np.testing.assert_array_equal(pixels([*train, *val]), images[:6])


def test_the_unlabelled_images_of_stl10_have_one_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    images = stl10(tmp_path, monkeypatch)
    source = PublishedSource(kind="stl10", root=str(tmp_path), part="unlabelled")
    train, val = (list(published_images(source, split)) for split in ("train", "val"))
    assert {item.label for item in [*train, *val]} == {"unlabelled"}
    np.testing.assert_array_equal(pixels(train), images[6:])
    assert not source.labelled


def test_imagenette(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files = imagenette(tmp_path, monkeypatch)
    source = PublishedSource(kind="imagenette", root=str(tmp_path))
    items = list(published_images(source, "val"))
    assert items == [
        Item("n01440764", files["val/n01440764/val_0.JPEG"], ".JPEG"),
        Item("n02102040", files["val/n02102040/val_1.JPEG"], ".JPEG"),
    ]


def test_what_is_missing_or_damaged_is_said_with_the_way_to_get_it(tmp_path: Path):
    source = PublishedSource(kind="cifar10", root=str(tmp_path))
    with pytest.raises(UserError, match=r"cifar-10-python\.tar\.gz: is not there; get https://.*"):
        list(published_images(source, "train"))
    (tmp_path / CIFAR10.filename).write_bytes(b"half of it")
    with pytest.raises(UserError, match="damaged or not the published file"):
        list(published_images(source, "train"))


def test_items_become_class_folders_whole_or_not_at_all(tmp_path: Path):
    items = [Item("b/c", b"1", ".png"), Item("a", b"2", ".jpg"), Item("b/c", b"3", ".png")]
    write_class_folders(tmp_path / "images", {"train": items, "val": items[:1]})
    found = {
        path.relative_to(tmp_path / "images").as_posix(): path.read_bytes()
        for path in (tmp_path / "images").rglob("*.*")
    }
    assert found == {
        "train/b_c/00000000.png": b"1", "train/a/00000001.jpg": b"2",
        "train/b_c/00000002.png": b"3", "val/b_c/00000000.png": b"1",
    }  # fmt: skip
    with pytest.raises(UserError, match="a folder cannot be called so"):
        write_class_folders(tmp_path / "images", {"train": [Item("..", b"", ".png")]})
    assert (tmp_path / "images/train/a").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["images"]
