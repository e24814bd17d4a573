"""The fingerprint follows the images, not where or when they were written."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssl_collapse.images.description import describe_dataset
from ssl_collapse.images.fingerprint import dataset_fingerprint, file_digest, split_digest
from ssl_collapse.images.imagefolder import list_dataset
from ssl_collapse.images.inspection import inspect_images


def test_the_definition_by_hand() -> None:
    # One file "a/1.png" with the bytes "x" in train, none in val.
    digest = hashlib.sha256(b"x").hexdigest()
    line = f'["train", "a/1.png", "{digest}"]\n'
    train = hashlib.sha256(line.encode()).hexdigest()
    val = hashlib.sha256(b"").hexdigest()
    assert file_digest(b"x") == digest
    assert split_digest("train", [("a/1.png", digest)]) == train
    assert split_digest("val", []) == val
    content = f'{{"classes": ["a"], "splits": {{"train": "{train}", "val": "{val}"}}}}'
    expected = hashlib.sha256(content.encode()).hexdigest()
    assert dataset_fingerprint(["a"], {"val": val, "train": train}) == expected


def test_listing_order_does_not_matter_and_names_cannot_be_confused() -> None:
    pairs = [("a/1", "00"), ("b/2", "11")]
    assert split_digest("train", pairs) == split_digest("train", pairs[::-1])
    assert split_digest("train", [("a\nb", "0")]) != split_digest("train", [("a", "b"), ("0", "")])


def fill(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("a", "b"):
            (folder / split / name).mkdir(parents=True)
            for i in range(3):
                pixels = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{i}.png")
    return folder


def fingerprint(folder: Path) -> str:
    listing = list_dataset({"train": folder / "train", "val": folder / "val"})
    return describe_dataset(
        "d", {"kind": "imagefolder"}, listing, inspect_images(listing)
    ).fingerprint


def touch(folder: Path) -> Path:
    for file in folder.rglob("*.png"):
        os.utime(file, (1, 1))
    return folder


def copy(folder: Path) -> Path:
    # Written in another order, so that the file system may list it in another one.
    for file in sorted(folder.rglob("*.png"), reverse=True):
        target = folder.with_name("copy") / file.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return folder.with_name("copy")


def move(folder: Path) -> Path:
    return folder.rename(folder.with_name("elsewhere"))


def add_junk(folder: Path) -> Path:
    (folder / "train/a/.DS_Store").write_bytes(b"junk")
    return folder


@pytest.mark.parametrize("change", [touch, copy, move, add_junk])
def test_the_same_images_have_the_same_fingerprint(
    tmp_path: Path, change: Callable[[Path], Path]
) -> None:
    folder = fill(tmp_path / "images")
    before = fingerprint(folder)
    assert fingerprint(change(folder)) == before


def change_a_pixel(folder: Path) -> None:
    with Image.open(folder / "train/a/0.png") as image:
        pixels = np.array(image)
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(folder / "train/a/0.png")


def add(folder: Path) -> None:
    shutil.copyfile(folder / "train/a/0.png", folder / "train/a/9.png")


def remove(folder: Path) -> None:
    (folder / "val/b/2.png").unlink()


def relabel(folder: Path) -> None:
    (folder / "train/a/0.png").rename(folder / "train/b/9.png")


def move_to_val(folder: Path) -> None:
    (folder / "train/a/0.png").rename(folder / "val/a/9.png")


def swap_names(folder: Path) -> None:
    (folder / "train/a/0.png").rename(folder / "tmp")
    (folder / "train/a/1.png").rename(folder / "train/a/0.png")
    (folder / "tmp").rename(folder / "train/a/1.png")


def rename_class(folder: Path) -> None:
    for split in ("train", "val"):
        (folder / split / "b").rename(folder / split / "c")


@pytest.mark.parametrize(
    "change", [change_a_pixel, add, remove, relabel, move_to_val, swap_names, rename_class]
)
def test_other_images_have_another_fingerprint(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = fill(tmp_path / "images")
    before = fingerprint(folder)
    change(folder)
    assert fingerprint(folder) != before
