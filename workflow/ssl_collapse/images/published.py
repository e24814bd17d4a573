"""Public datasets in their published form, read by torchvision, which checks every file's md5."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torchvision.datasets import CIFAR10, CIFAR100, STL10, Imagenette
from torchvision.datasets.utils import check_integrity

from ssl_collapse.config.dataset import PublishedSource
from ssl_collapse.images.class_folders import Item, as_png
from ssl_collapse.runtime.errors import UserError

UNLABELLED = "unlabelled"  # the one class of images that have none


def published_images(source: PublishedSource, split: str) -> Iterator[Item]:
    """The images of one split (train or val) in the published order.

    val is what the dataset calls test or val; for STL-10's unlabelled part, its test images without
    their labels. UserError, with the steps to get them, where the files are missing or damaged.
    """
    return _READERS[source.kind](source, split)


def _cifar(kind: Any, source: PublishedSource, split: str) -> Iterator[Item]:
    data = _open(source, kind.url, kind.filename, kind.tgz_md5, kind, train=split == "train")
    for pixels, target in zip(data.data, data.targets, strict=True):
        yield Item(data.classes[target], as_png(pixels), ".png")


def _stl10(source: PublishedSource, split: str) -> Iterator[Item]:
    part = {"train": "train" if source.labelled else "unlabeled", "val": "test"}[split]
    data = _open(source, STL10.url, STL10.filename, STL10.tgz_md5, STL10, split=part)
    for pixels, target in zip(data.data, data.labels, strict=True):
        label = data.classes[target] if source.labelled else UNLABELLED
        yield Item(label, as_png(np.ascontiguousarray(pixels.transpose(1, 2, 0))), ".png")


def _imagenette(source: PublishedSource, split: str) -> Iterator[Item]:
    url, md5 = Imagenette._ARCHIVES[source.size]
    data = _open(
        source, url, url.rpartition("/")[2], md5, Imagenette, split=split, size=source.size
    )
    for path, target in data._samples:
        yield Item(data.wnids[target], Path(path).read_bytes(), Path(path).suffix)


_READERS: dict[str, Callable[[PublishedSource, str], Iterator[Item]]] = {
    "cifar10": partial(_cifar, CIFAR10),
    "cifar100": partial(_cifar, CIFAR100),
    "stl10": _stl10,
    "imagenette": _imagenette,
}


def _open(source: PublishedSource, url: str, name: str, md5: str, kind: Any, **keys: Any) -> Any:
    """torchvision's dataset; the archive is unpacked beside itself where that is not done yet."""
    root = Path(source.root).expanduser()
    archive = root / name
    if archive.exists() and not check_integrity(archive, md5):
        raise UserError(f"{archive}: damaged or not the published file (md5 {md5}); get it again")
    try:
        # For torchvision an archive that is there is "downloaded", too.
        return kind(root, download=source.download or archive.exists(), **keys)
    except RuntimeError as error:
        if "not found" not in str(error):
            raise
        raise UserError(
            f"{archive}: is not there; get {url} (md5 {md5}) and put it into {root}, or set "
            "`download: true` under `source`"
        ) from None
    except OSError as error:
        if isinstance(error, PermissionError) or error.filename:
            raise
        raise UserError(f"{url}: cannot be downloaded ({error}); put it into {root}") from None
