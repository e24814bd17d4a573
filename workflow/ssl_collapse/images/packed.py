"""Packed images, one HDF5 file per split, read without loading them into memory.

For N images it holds
- `pixels` uint8, one-dimensional and contiguous, so that it can be memory-mapped: image i is
  pixels[offset[i]:offset[i+1]], of shape (shape[i, 0], shape[i, 1], 3) when the attribute
  `encoding` is "rgb8", and the original file's bytes when it is "file";
- `offset` int64 (N+1,), `shape` int32 (N, 2) height and width of the decoded image, `targets`
  int64 (N,), and `path` (N,) relative to the split, "class/name.png";
- attributes format_version, dataset, split, encoding, shorter_side (-1 for "file"), classes, and
  fingerprint, that of the dataset.
"""

import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ssl_collapse.images.decoding import RGB, DecodeError, decode
from ssl_collapse.runtime.errors import UserError

FORMAT_VERSION = 1
_DATASETS = {"pixels": ("u1", 1), "offset": ("i8", 1), "shape": ("i4", 2), "targets": ("i8", 1)}
_ATTRIBUTES = ("dataset", "split", "encoding", "shorter_side", "classes", "fingerprint")


class PackedImages:
    """The images of one split.

    Pixels are memory-mapped, so worker processes share them; a pickled or forked copy maps the
    file anew.

    Attributes: `targets` int64 (N,); `shape` int32 (N, 2), height and width of every image;
    `classes`, the class names in the order of the targets; `dataset`, `split`, `encoding` ("rgb8"
    or "file"), `shorter_side` (None where files are stored), `fingerprint` of the dataset.
    """

    def __init__(self, path: Path) -> None:
        """Open `path`; UserError if it is truncated, foreign or of an unknown format version."""
        self.path = Path(path)
        try:
            with h5py.File(self.path, "r") as file:
                self._read_index(file)
        except FileNotFoundError:
            raise UserError(f"{path}: does not exist; run the pack stage") from None
        except UserError:
            raise
        except Exception as error:  # a foreign file can fail in many ways
            raise _unreadable(self.path, f"damaged or no HDF5 file ({error})") from None
        self._check()
        self._pixels = self._map()

    def __len__(self) -> int:
        return len(self.targets)

    def image(self, i: int) -> RGB:
        """Image `i` as uint8 (height, width, 3): a read-only view of the file where it can be.

        Raises IndexError outside 0..N-1, and UserError if stored file bytes cannot be decoded.
        """
        i = operator.index(i)
        if not 0 <= i < len(self):
            raise IndexError(f"image {i} of {len(self)}")
        content = self._pixels[self._offset[i] : self._offset[i + 1]]
        if self.encoding == "rgb8":
            return content.reshape(self.shape[i, 0], self.shape[i, 1], 3)
        try:
            return decode(content.tobytes())
        except DecodeError as error:
            raise _unreadable(self.path, f"image {i}: {error}") from None

    def __getstate__(self) -> dict[str, Any]:
        # A pickled memory map would be a copy of all pixels.
        return {name: value for name, value in self.__dict__.items() if name != "_pixels"}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._pixels = self._map()

    def _read_index(self, file: h5py.File) -> None:
        version = file.attrs.get("format_version")
        if version is None:
            raise _unreadable(self.path, "not a file of packed images")
        if version != FORMAT_VERSION:
            raise _unreadable(
                self.path, f"format version {version}, but this program reads {FORMAT_VERSION}"
            )
        missing = [name for name in _ATTRIBUTES if name not in file.attrs]
        for name, (dtype, dimensions) in _DATASETS.items():
            stored = file.get(name)
            if not isinstance(stored, h5py.Dataset):
                missing.append(name)
            elif stored.dtype != np.dtype(dtype) or stored.ndim != dimensions:
                raise _unreadable(self.path, f"{name} is {stored.dtype} with {stored.ndim} axes")
        if missing:
            raise _unreadable(self.path, f"{missing[0]} is missing")
        self.dataset, self.split = str(file.attrs["dataset"]), str(file.attrs["split"])
        self.encoding = str(file.attrs["encoding"])
        shorter_side = int(file.attrs["shorter_side"])
        self.shorter_side = None if shorter_side == -1 else shorter_side
        self.fingerprint = str(file.attrs["fingerprint"])
        self.classes = tuple(str(name) for name in file.attrs["classes"])
        self.targets: npt.NDArray[np.int64] = file["targets"][:]
        self.shape: npt.NDArray[np.int32] = file["shape"][:]
        self._offset: npt.NDArray[np.int64] = file["offset"][:]
        self._position: int | None = file["pixels"].id.get_offset()
        self._size = int(file["pixels"].shape[0])

    def _check(self) -> None:
        """The parts must fit together: a slice outside the file must not be possible."""
        images, lengths = len(self.targets), np.diff(self._offset)
        if self.encoding not in ("rgb8", "file"):
            raise _unreadable(self.path, f"unknown encoding {self.encoding!r}")
        if self._position is None:
            raise _unreadable(self.path, "pixels is not stored contiguously")
        if self._position + self._size > self.path.stat().st_size:
            raise _unreadable(self.path, "truncated: pixels goes beyond the file's end")
        if len(self._offset) != images + 1 or self.shape.shape != (images, 2):
            raise _unreadable(self.path, "offset, shape and targets differ in length")
        if self._offset[0] != 0 or self._offset[-1] != self._size or (lengths < 0).any():
            raise _unreadable(self.path, "offset does not divide pixels")
        areas = self.shape.astype(np.int64).prod(axis=1)
        if self.encoding == "rgb8" and (lengths != 3 * areas).any():
            raise _unreadable(self.path, "shape and offset contradict each other")
        if images and not 0 <= self.targets.min() <= self.targets.max() < len(self.classes):
            raise _unreadable(self.path, "targets name classes that there are not")

    def _map(self) -> npt.NDArray[np.uint8]:
        return np.memmap(self.path, np.uint8, "r", offset=self._position or 0, shape=(self._size,))


def _unreadable(path: Path, reason: str) -> UserError:
    return UserError(f"{path}: {reason}; remove it and run the pack stage again")
