"""Images of one split in one HDF5 file, decoded and resized once (see `packed_format`)."""

import logging
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from ssl_collapse.images.decoding import (
    DecodeError,
    decode,
    decoded_shape,
    refuse_oversized,
    resize_shorter_side,
    resized_shape,
)
from ssl_collapse.images.description import DatasetDescription
from ssl_collapse.images.fingerprint import file_digest, split_digest
from ssl_collapse.images.imagefolder import SplitListing
from ssl_collapse.images.packed import FORMAT_VERSION
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import atomic_path
from ssl_collapse.runtime.parallel import ordered_map

logger = logging.getLogger("ssl_collapse")
_WRITE_AT_ONCE = 8 * 2**20  # bytes


@dataclass(frozen=True)
class _Layout:
    """Where every image goes: shape int32 (N, 2) and offset int64 (N+1,)."""

    shape: npt.NDArray[np.int32]
    offset: npt.NDArray[np.int64]


def pack_split(
    split: str,
    images: SplitListing,
    description: DatasetDescription,
    shorter_side: int | None,
    output: Path,
    workers: int = 1,
) -> None:
    """Write the images of `split` ("train" or "val") to `output`, whole or not at all.

    Images get `shorter_side` pixels on their shorter side; with None the original files' bytes are
    stored. Files that `description` lists as skipped are left out. Two passes, because a contiguous
    dataset needs its size first: one over the headers, one over the images, which are also checked
    against the digest in `description`. Memory does not grow with the images' number or size,
    beyond a few numbers per image. The result does not depend on `workers`.

    Raises UserError if the images are no longer those of `description`, cannot be read, become too
    large, or if the disk has no room for them.
    """
    images = images.without(frozenset((s.folder, s.path) for s in description.skipped))
    if len(images.paths) != description.splits[split].images:
        raise _changed(split, images)
    paths = [images.location / path for path in images.paths]
    layout = _plan(paths, shorter_side, workers)
    with atomic_path(output) as temporary:
        _refuse_full_disk(temporary.parent, int(layout.offset[-1]), output)
        with h5py.File(temporary, "w", libver="v110") as file:  # older ones allow 4,096 classes
            _write_index(file, split, images, description, shorter_side, layout)
            loaded = ordered_map(partial(_load, shorter_side=shorter_side), paths, workers)
            digests = _write_pixels(file["pixels"], loaded, layout, split, images)
        found = split_digest(split, zip(images.paths, digests, strict=True))
        if found != description.splits[split].digest:
            raise _changed(split, images)


def _plan(paths: list[Path], shorter_side: int | None, workers: int) -> _Layout:
    measured = ordered_map(partial(_measure, shorter_side=shorter_side), paths, workers)
    numbers = np.fromiter(measured, dtype=np.dtype((np.int64, 3)), count=len(paths))
    offset = np.concatenate([[0], np.cumsum(numbers[:, 2])]).astype(np.int64)
    return _Layout(numbers[:, :2].astype(np.int32), offset)


def _measure(path: Path, shorter_side: int | None) -> tuple[int, int, int]:
    """(height, width, bytes) of an image as it will be stored."""
    try:
        with path.open("rb") as file:
            height, width = decoded_shape(file)
        if shorter_side is None:
            return height, width, path.stat().st_size
        height, width = resized_shape((height, width), shorter_side)
        refuse_oversized((width, height))
    except DecodeError as error:
        resized = "" if shorter_side is None else f" with shorter side {shorter_side}"
        raise UserError(f"{path}{resized}: {error}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    return height, width, 3 * height * width


def _load(path: Path, shorter_side: int | None) -> tuple[str, npt.NDArray[np.uint8]]:
    """(digest of the file, what to store as uint8 (bytes,))."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    digest = file_digest(data)
    if shorter_side is None:
        return digest, np.frombuffer(data, dtype=np.uint8)
    try:
        return digest, resize_shorter_side(decode(data), shorter_side).ravel()
    except DecodeError as error:
        raise UserError(f"{path}: {error}") from None


def _write_index(
    file: h5py.File,
    split: str,
    images: SplitListing,
    description: DatasetDescription,
    shorter_side: int | None,
    layout: _Layout,
) -> None:
    text = h5py.string_dtype("utf-8")
    file.attrs["format_version"] = FORMAT_VERSION
    file.attrs["dataset"] = description.dataset
    file.attrs["split"] = split
    file.attrs["encoding"] = "file" if shorter_side is None else "rgb8"
    file.attrs["shorter_side"] = -1 if shorter_side is None else shorter_side
    file.attrs["fingerprint"] = description.fingerprint
    file.attrs.create("classes", np.array(description.classes, dtype=object), dtype=text)
    file.create_dataset("offset", data=layout.offset)
    file.create_dataset("shape", data=layout.shape)
    file.create_dataset("targets", data=np.array(images.targets, dtype=np.int64))
    file.create_dataset("path", data=np.array(images.paths, dtype=object), dtype=text)
    file.create_dataset("pixels", shape=(int(layout.offset[-1]),), dtype=np.uint8)


def _write_pixels(
    pixels: h5py.Dataset,
    loaded: Iterable[tuple[str, npt.NDArray[np.uint8]]],
    layout: _Layout,
    split: str,
    images: SplitListing,
) -> list[str]:
    """Fill `pixels`; returns the files' digests in order."""
    digests = []
    for start, stop, batch in _batches(loaded):
        digests += [digest for digest, _ in batch]
        sizes = np.diff(layout.offset[start : stop + 1])
        if [content.size for _, content in batch] != sizes.tolist():
            raise _changed(split, images)
        block = np.concatenate([content for _, content in batch])
        pixels[layout.offset[start] : layout.offset[stop]] = block
        total = len(images.paths)
        if 10 * stop // total > 10 * start // total:  # at most ten lines
            logger.info("%s: %d of %d images packed", split, stop, total)
    return digests


def _batches(
    loaded: Iterable[tuple[str, npt.NDArray[np.uint8]]],
) -> Iterator[tuple[int, int, list[tuple[str, npt.NDArray[np.uint8]]]]]:
    """Group images until there is enough to write: (first image, one after the last, images)."""
    start, size = 0, 0
    batch: list[tuple[str, npt.NDArray[np.uint8]]] = []
    for image in loaded:
        batch.append(image)
        size += image[1].size
        if size >= _WRITE_AT_ONCE:
            yield start, start + len(batch), batch
            start, size, batch = start + len(batch), 0, []
    if batch:
        yield start, start + len(batch), batch


def _refuse_full_disk(folder: Path, needed: int, output: Path) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{output}: needs {needed / 1e9:.1f} GB, but the disk has {free / 1e9:.1f} GB free; "
            "make room or choose a smaller `shorter_side`"
        )


def _changed(split: str, images: SplitListing) -> UserError:
    return UserError(
        f"{images.location}: the {split} images have changed since dataset.json was written; "
        "remove dataset.json and run again"
    )
