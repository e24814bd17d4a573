"""Images of one split in one HDF5 file, decoded and resized once (see `packed`)."""

import io
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import numpy.typing as npt
from PIL import Image

from ssl_collapse.config.dataset import PackSpec
from ssl_collapse.images.decoding import (
    RGB,
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
WRITE_AT_ONCE = 8 * 2**20  # bytes
_SAMPLE = 100  # images that size and time are estimated from


class Row(NamedTuple):
    """One packed image: digest of its file, and its height, width and bytes as stored."""

    digest: str
    height: int
    width: int
    size: int


def pack_split(
    split: str,
    images: SplitListing,
    description: DatasetDescription,
    spec: PackSpec,
    output: Path,
    workers: int = 1,
    state: Path | None = None,
) -> None:
    """Write the images of `split` ("train" or "val") to `output`, whole or not at all.

    Images get `spec.shorter_side` pixels on their shorter side, as pixels or as JPEG of
    `spec.jpeg_quality`; without a shorter side the original files' bytes are stored. Files that
    `description` lists as skipped are left out. What is packed so far lies in the folder `state`,
    so that a job that was killed goes on there; it takes as much room as the result. Memory does
    not grow with the images' number or size, beyond a few numbers per image. The result does not
    depend on `workers`, nor on interruptions.

    Raises UserError if the images are no longer those of `description`, cannot be read, become too
    large, or if the disk has no room for them.
    """
    images = images.without({(s.folder, s.path) for s in description.skipped})
    if len(images.paths) != description.splits[split].images:
        raise _changed(split, images)
    paths = [images.location / path for path in images.paths]
    load = partial(_load, spec=spec)
    with _spool(state, output) as spool:
        rows = spool.rows()
        _announce(split, paths[len(rows) :], load, spool, output, workers)
        left = ordered_map(load, paths[len(rows) :], workers)
        rows += spool.fill(split, left, len(rows), len(paths))
        digests = zip(images.paths, (row.digest for row in rows), strict=True)
        if split_digest(split, digests) != description.splits[split].digest:
            spool.clear()
            raise _changed(split, images)
        # older versions of the format allow 4,096 classes
        with atomic_path(output) as path, h5py.File(path, "w", libver="v110") as file:
            _write_index(file, split, images, description, spec, rows)
            spool.copy_to(file["pixels"])


def _load(path: Path, spec: PackSpec) -> tuple[Row, bytes]:
    """An image as it is stored, and its row."""
    try:
        data = path.read_bytes()
        digest = file_digest(data)
        if spec.shorter_side is None:
            height, width = decoded_shape(io.BytesIO(data))
            return Row(digest, height, width, len(data)), data
        shape = resized_shape(decoded_shape(io.BytesIO(data)), spec.shorter_side)
        refuse_oversized(shape)
        pixels = resize_shorter_side(decode(data), spec.shorter_side)
    except DecodeError as error:
        resized = "" if spec.shorter_side is None else f" with shorter side {spec.shorter_side}"
        raise UserError(f"{path}{resized}: {error}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    content = pixels.tobytes() if spec.jpeg_quality is None else _jpeg(pixels, spec.jpeg_quality)
    return Row(digest, *shape, len(content)), content


def _jpeg(pixels: RGB, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


class _Spool:
    """What is packed so far: the images' contents in a row, and a line for each of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._pixels, self._rows = folder, folder / "pixels", folder / "rows"

    def rows(self) -> list[Row]:
        """The images that are there whole; what was half-written is cut off."""
        text = self._rows.read_text("utf-8") if self._rows.exists() else ""
        lines = [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]
        rows = [Row(digest, *map(int, numbers)) for digest, *numbers in lines]
        self._rows.write_text("".join(map(_line, rows)), "utf-8")
        with self._pixels.open("ab") as file:
            file.truncate(sum(row.size for row in rows))
        return rows

    def fill(
        self, split: str, loaded: Iterable[tuple[Row, bytes]], there: int, total: int
    ) -> list[Row]:
        """Append images to those that are there, as they come; at most ten lines of progress."""
        rows: list[Row] = []
        with self._pixels.open("ab") as pixels, self._rows.open("a", encoding="utf-8") as lines:
            for batch in _batches(loaded):
                pixels.write(b"".join(content for _, content in batch))
                pixels.flush()
                os.fsync(pixels.fileno())  # the lines must not come first
                lines.write("".join(_line(row) for row, _ in batch))
                lines.flush()
                rows += [row for row, _ in batch]
                done = there + len(rows)
                if 10 * done // total > 10 * (done - len(batch)) // total:
                    logger.info("%s: %d of %d images packed", split, done, total)
        return rows

    def copy_to(self, pixels: h5py.Dataset) -> None:
        """Put the contents into the dataset of that size."""
        start = 0
        with self._pixels.open("rb") as file:
            while block := file.read(WRITE_AT_ONCE):
                pixels[start : start + len(block)] = np.frombuffer(block, dtype=np.uint8)
                start += len(block)

    def clear(self) -> None:
        """Forget what is packed."""
        for path in (self._pixels, self._rows):
            path.unlink(missing_ok=True)


@contextmanager
def _spool(state: Path | None, output: Path) -> Iterator[_Spool]:
    """The spool in `state`, which is removed after success; without one, beside `output`."""
    output.parent.mkdir(parents=True, exist_ok=True)
    if state is None:
        with tempfile.TemporaryDirectory(prefix=".packing-", dir=output.parent) as folder:
            yield _Spool(Path(folder))
        return
    state.mkdir(parents=True, exist_ok=True)
    yield _Spool(state)
    shutil.rmtree(state)


def _line(row: Row) -> str:
    return " ".join(map(str, row)) + "\n"


def _announce(
    split: str, paths: Sequence[Path], load: partial[tuple[Row, bytes]], spool: _Spool,
    output: Path, workers: int,
) -> None:  # fmt: skip
    """Say how much room and time packing will take, from some of the images; refuse a full disk."""
    if not paths:
        return
    some = paths[:: -(-len(paths) // _SAMPLE)]
    started = time.perf_counter()
    size = sum(load(path)[0].size for path in some) / len(some) * len(paths)
    minutes = (time.perf_counter() - started) / len(some) * len(paths) / max(workers, 1) / 60
    logger.info("%s: %d images, about %.2g GB and %.2g min", split, len(paths), size / 1e9, minutes)
    free = shutil.disk_usage(spool.folder).free
    if 2 * size > free:  # once as it is packed, once as the result
        raise UserError(
            f"{output}: needs {2 * size / 1e9:.1f} GB, but the disk has {free / 1e9:.1f} GB free; "
            "make room, choose a smaller `resize`, or `pack: jpeg`"
        )


def _batches(loaded: Iterable[tuple[Row, bytes]]) -> Iterator[list[tuple[Row, bytes]]]:
    """Group images until there is enough to write."""
    size = 0
    batch: list[tuple[Row, bytes]] = []
    for row, content in loaded:
        batch.append((row, content))
        size += row.size
        if size >= WRITE_AT_ONCE:
            yield batch
            size, batch = 0, []
    if batch:
        yield batch


def _write_index(
    file: h5py.File,
    split: str,
    images: SplitListing,
    description: DatasetDescription,
    spec: PackSpec,
    rows: Sequence[Row],
) -> None:
    text = h5py.string_dtype("utf-8")
    files = spec.shorter_side is None or spec.jpeg_quality is not None
    offset: npt.NDArray[np.int64] = np.cumsum([0, *(row.size for row in rows)], dtype=np.int64)
    shape = np.array([(row.height, row.width) for row in rows], dtype=np.int32).reshape(-1, 2)
    file.attrs["format_version"] = FORMAT_VERSION
    file.attrs["dataset"] = description.dataset
    file.attrs["split"] = split
    file.attrs["encoding"] = "file" if files else "rgb8"
    file.attrs["shorter_side"] = -1 if spec.shorter_side is None else spec.shorter_side
    file.attrs["fingerprint"] = description.fingerprint
    file.attrs.create("classes", np.array(description.classes, dtype=object), dtype=text)
    file.create_dataset("offset", data=offset)
    file.create_dataset("shape", data=shape)
    file.create_dataset("targets", data=np.array(images.targets, dtype=np.int64))
    file.create_dataset("path", data=np.array(images.paths, dtype=object), dtype=text)
    file.create_dataset("pixels", shape=(int(offset[-1]),), dtype=np.uint8)


def _changed(split: str, images: SplitListing) -> UserError:
    return UserError(
        f"{images.location}: the {split} images have changed since dataset.json was written; "
        "remove dataset.json and run again"
    )
