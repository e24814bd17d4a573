"""The fingerprint follows the images, not where or when they were written."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy import look

from ssl_collapse.images.fingerprint import dataset_fingerprint, file_digest, split_digest


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
    return look(folder)[1].fingerprint


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


def moved(*names: str) -> Callable[[Path], None]:
    """The first becomes the second, the third the fourth, and so on."""

    def move_all(folder: Path) -> None:
        for old, new in zip(names[::2], names[1::2], strict=True):
            (folder / old).rename(folder / new)

    return move_all


CHANGES = {
    "a pixel": change_a_pixel,
    "one more": lambda f: shutil.copyfile(f / "train/a/0.png", f / "train/a/9.png"),
    "one less": lambda f: (f / "val/b/2.png").unlink(),
    "another label": moved("train/a/0.png", "train/b/9.png"),
    "another split": moved("train/a/0.png", "val/a/9.png"),
    "names swapped": moved("train/a/0.png", "0", "train/a/1.png", "train/a/0.png", "0",
                           "train/a/1.png"),
    "class renamed": moved("train/b", "train/c", "val/b", "val/c"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_other_images_have_another_fingerprint(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = fill(tmp_path / "images")
    before = fingerprint(folder)
    change(folder)
    assert fingerprint(folder) != before
