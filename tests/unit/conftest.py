"""What several rooms test with: twelve packed images of noise, three batches of four."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssl_collapse.images.description import describe_dataset
from ssl_collapse.images.imagefolder import list_dataset
from ssl_collapse.images.inspection import inspect_images
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.images.packing import pack_split
from ssl_collapse.runtime.files import write_json


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> PackedImages:
    folder: Path = tmp_path_factory.mktemp("packed")
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for i in range(12):
            file = folder / split / "ab"[i % 2] / f"{i:02d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(file)
    listing = list_dataset({"train": folder / "train", "val": folder / "val"})
    description = describe_dataset(
        "noise", {"kind": "imagefolder"}, listing, inspect_images(listing)
    )
    write_json(folder / "dataset.json", description.model_dump())
    pack_split("train", listing.splits["train"], description, 12, folder / "train.h5")
    return PackedImages(folder / "train.h5")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sequences", type=int, default=200, help="events that befall results")
