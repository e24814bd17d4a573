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


@pytest.mark.parametrize(
    ("kind", "keys", "train", "val", "shown"),
    [
        *((kind, {}, "apple cat apple", "cat apple", slice(5)) for kind in ("cifar10", "cifar100")),
        ("stl10", {}, "airplane bird bird", "bird airplane airplane", slice(6)),
        ("stl10", {"part": "unlabelled"}, "unlabelled " * 3, "unlabelled " * 3, None),
    ],
)
def test_pixels_and_labels(
    kind: str, keys: dict[str, str], train: str, val: str, shown: slice | None,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    images = stl10(tmp_path, monkeypatch) if kind == "stl10" else cifar(tmp_path, monkeypatch, kind)
    source = PublishedSource(kind=kind, root=str(tmp_path), **keys)
    items = [list(published_images(source, split)) for split in ("train", "val")]
    assert [[item.label for item in split] for split in items] == [train.split(), val.split()]
    if shown:
        np.testing.assert_array_equal(pixels([*items[0], *items[1]]), images[shown])
    else:
        np.testing.assert_array_equal(pixels(items[0]), images[6:])
    assert source.labelled == (shown is not None)


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
