"""Public datasets in their published form, as miniatures whose checksums torchvision is told."""

import hashlib
import io
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import CIFAR10, CIFAR100, STL10, Imagenette

from ssl_collapse.config.dataset import PublishedSource
from ssl_collapse.images.class_folders import Item, write_class_folders
from ssl_collapse.images.published import published_images
from ssl_collapse.runtime.errors import UserError

RNG = np.random.default_rng(0)


def archive(path: Path, folder: str, files: Mapping[str, bytes]) -> str:
    """A .tar.gz as it is published; returns its md5."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return md5(path.read_bytes())


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def pixels(items: list[Item]) -> np.ndarray:
    return np.stack([np.asarray(Image.open(io.BytesIO(item.content))) for item in items])


@pytest.mark.parametrize("kind", ["cifar10", "cifar100"])
def test_cifar(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    published = {"cifar10": CIFAR10, "cifar100": CIFAR100}[kind]
    images = RNG.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    flat = images.transpose(0, 3, 1, 2).reshape(5, -1)  # a row: all red, then green, then blue
    label = "labels" if kind == "cifar10" else "fine_labels"
    key = published.meta["key"]
    contents = {
        "train": pickle.dumps({"data": flat[:3], label: [1, 0, 1]}, protocol=2),
        "test": pickle.dumps({"data": flat[3:], label: [0, 1]}, protocol=2),
        published.meta["filename"]: pickle.dumps({key: ["cat", "apple"]}, protocol=2),
    }
    path = tmp_path / published.filename
    monkeypatch.setattr(published, "tgz_md5", archive(path, published.base_folder, contents))
    monkeypatch.setattr(published, "train_list", [["train", md5(contents["train"])]])
    monkeypatch.setattr(published, "test_list", [["test", md5(contents["test"])]])
    name = published.meta["filename"]
    monkeypatch.setattr(published, "meta", {**published.meta, "md5": md5(contents[name])})
    source = PublishedSource(kind=kind, root=str(tmp_path))
    train, val = (list(published_images(source, split)) for split in ("train", "val"))
    assert [item.label for item in train] == ["apple", "cat", "apple"]
    assert [item.label for item in val] == ["cat", "apple"]
    np.testing.assert_array_equal(pixels([*train, *val]), images)


@pytest.fixture
def stl10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Three images each of train, test and unlabelled; classes count from 1."""
    images = RNG.integers(0, 256, (9, 96, 96, 3), dtype=np.uint8)
    # column by column, colour by colour
    stored = [chunk.transpose(0, 3, 2, 1).tobytes() for chunk in np.split(images, 3)]
    files = {
        "train_X.bin": stored[0], "test_X.bin": stored[1], "unlabeled_X.bin": stored[2],
        "train_y.bin": bytes([1, 2, 2]), "test_y.bin": bytes([2, 1, 1]),
        "class_names.txt": b"airplane\nbird\n", "fold_indices.txt": b"0 1 2\n",
    }  # fmt: skip
    monkeypatch.setattr(
        STL10, "tgz_md5", archive(tmp_path / STL10.filename, STL10.base_folder, files)
    )
    for part in ("train_list", "test_list"):
        names = [name for name, _ in getattr(STL10, part)]
        monkeypatch.setattr(STL10, part, [[name, md5(files[name])] for name in names])
    return images


def test_stl10(stl10: np.ndarray, tmp_path: Path):
    source = PublishedSource(kind="stl10", root=str(tmp_path))
    train, val = (list(published_images(source, split)) for split in ("train", "val"))
    assert [item.label for item in train] == ["airplane", "bird", "bird"]
    assert [item.label for item in val] == ["bird", "airplane", "airplane"]
    np.testing.assert_array_equal(pixels([*train, *val]), stl10[:6])


def test_the_unlabelled_images_of_stl10_have_one_class(stl10: np.ndarray, tmp_path: Path):
    source = PublishedSource(kind="stl10", root=str(tmp_path), part="unlabelled")
    train, val = (list(published_images(source, split)) for split in ("train", "val"))
    assert {item.label for item in [*train, *val]} == {"unlabelled"}
    np.testing.assert_array_equal(pixels(train), stl10[6:])
    assert not source.labelled


def test_imagenette(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def jpeg(grey: int) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (200, 160), (grey,) * 3).save(buffer, "JPEG")
        return buffer.getvalue()

    files = {
        f"{split}/{wnid}/{split}_{number}.JPEG": jpeg(number)
        for split in ("train", "val")
        for number, wnid in enumerate(("n01440764", "n02102040"))
    }
    path = tmp_path / "imagenette2-160.tgz"
    checksum = archive(path, "imagenette2-160", files)
    url = Imagenette._ARCHIVES["160px"][0]
    monkeypatch.setattr(Imagenette, "_ARCHIVES", {"160px": (url, checksum)})
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
