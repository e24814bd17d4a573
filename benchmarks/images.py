"""The images that the benchmarks train on: smooth noise, as photographs are for a decoder."""

from pathlib import Path

import numpy as np
from PIL import Image

from ssl_collapse.config.dataset import PackSpec
from ssl_collapse.images.description import describe_dataset
from ssl_collapse.images.imagefolder import list_dataset
from ssl_collapse.images.inspection import inspect_images
from ssl_collapse.images.packing import pack_split

IMAGES = 1024


def image_folder(folder: Path, height: int, width: int, packed: bool) -> Path:
    """A folder with images/{train,val} of JPEG files, and train.h5; written once.

    packed: as pixels, with the shorter side that the images have; else the files as they are.
    """
    place = folder / f"{height}x{width}{'' if packed else '-files'}"
    if (place / "train.h5").exists():
        return place
    rng = np.random.default_rng(0)
    for i in range(IMAGES):
        coarse = rng.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        path = place / "images" / ("val" if i == 0 else "train") / "ab"[i % 2] / f"{i:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, quality=90)
    listing = list_dataset({split: place / "images" / split for split in ("train", "val")})
    described = describe_dataset("noise", {"kind": "imagefolder"}, listing, inspect_images(listing))
    spec = PackSpec(shorter_side=min(height, width) if packed else None)
    pack_split("train", listing.splits["train"], described, spec, place / "train.h5")
    return place
