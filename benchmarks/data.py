"""What the benchmarks read and train on: made-up representations and images."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ssl_collapse.config.dataset import PackSpec
from ssl_collapse.images.description import describe_dataset
from ssl_collapse.images.imagefolder import list_dataset
from ssl_collapse.images.inspection import inspect_images
from ssl_collapse.images.packing import pack_split
from ssl_collapse.representations.file import Chunk, write_representations

CLASSES = 1000
ROWS = 10_000  # written at a time
IMAGES = 1024


def representation_file(folder: Path, n: int, dim: int, seed: int) -> Path:
    """A file of n rows, float32, with targets; written once per folder."""
    path = folder / f"{n}x{dim}-seed{seed}.h5"
    if not path.exists():
        write_representations(path, n, dim, _chunks(n, dim, seed), {"num_classes": CLASSES})
    return path


def _chunks(n: int, dim: int, seed: int) -> Iterator[Chunk]:
    """Rows round a centre per class; the variance of dimension j falls as 1 / j."""
    scale = (np.arange(1, dim + 1) ** -0.5).astype(np.float32)
    centres = np.random.default_rng(0).standard_normal((CLASSES, dim), dtype=np.float32)
    rng = np.random.default_rng([seed, 1])
    for start in range(0, n, ROWS):
        rows = min(ROWS, n - start)
        targets = rng.integers(CLASSES, size=rows)
        noise = rng.standard_normal((rows, dim), dtype=np.float32)
        yield (centres[targets] + 2 * noise) * scale, targets, np.arange(start, start + rows)


def image_folder(folder: Path, height: int, width: int, packed: bool) -> Path:
    """A folder with images/{train,val} of JPEG files, and train.h5; written once.

    Smooth noise, as photographs are for a decoder.
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
