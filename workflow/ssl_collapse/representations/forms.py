"""The arrays in a file of any form: HDF5, `.npy`, `.npz`, `.pt` or `.safetensors`.

Large arrays are read piece by piece. Nothing that a file holds is ever executed: pickles are
refused.
"""

import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.folders import refuse_irregular

BARE = ""  # the name of an array that its file gives none


@dataclass(frozen=True)
class Stored:
    """One array of a file; `read(start, stop)` returns rows start to stop as they are stored."""

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[int, int], NDArray[Any]]

    def whole(self) -> NDArray[Any]:
        """All of it."""
        return self.read(0, self.shape[0] if self.shape else 1)


Arrays = dict[str, Stored]
Content = tuple[Arrays, dict[str, Any]]  # and what the file says about itself


def open_arrays(path: Path) -> Content:
    """The arrays of a file by name, read when they are asked for, and its attributes.

    Raises UserError for a missing, empty, truncated or foreign file.
    """
    if path.suffix not in _READERS:
        raise UserError(f"{path}: unknown suffix {path.suffix!r}; known: {', '.join(_READERS)}")
    try:
        refuse_irregular(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give a {', '.join(_READERS)} file") from None
    except OSError as error:
        text = f"{path}: cannot be read ({error.strerror}); give a file"
        raise UserError(text) from None
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty (0 bytes); write it again")
    try:
        return _READERS[path.suffix](path)
    except UserError:
        raise
    # Each format's library has exceptions of its own; whichever it is, the file is not readable.
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        raise UserError(
            f"{path}: not a readable {path.suffix} file, perhaps truncated or of another kind "
            f"({reason or type(error).__name__}); write it again"
        ) from error


def in_memory(array: NDArray[Any]) -> Stored:
    """An array that is there already, or mapped from its file."""
    return Stored(array.shape, _name(array.dtype), lambda start, stop: array[start:stop])


def _name(dtype: np.dtype[Any]) -> str:
    """`float32`; of what is no number, `<U1` and the like."""
    return dtype.name if dtype.kind in "biufc" else dtype.str


def _h5_rows(path: Path, name: str, start: int, stop: int) -> NDArray[Any]:
    with h5py.File(path, "r") as file:
        rows: NDArray[Any] = file[name][start:stop]
    return rows


def _open_h5(path: Path) -> Content:
    with h5py.File(path, "r") as file:
        sets = {name: data for name, data in file.items() if isinstance(data, h5py.Dataset)}
        # A dataset may be empty ("null"): it has no shape
        arrays = {
            n: Stored(d.shape or (), _name(d.dtype), partial(_h5_rows, path, n))
            for n, d in sets.items()
        }
        return arrays, {name: _plain(value) for name, value in sorted(file.attrs.items())}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _open_npy(path: Path) -> Content:
    return {BARE: in_memory(np.load(path, mmap_mode="r", allow_pickle=False))}, {}


def _open_npz(path: Path) -> Content:
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if name.endswith(".npy")]
        headers = {name.removesuffix(".npy"): _header(archive, name) for name in members}

    @cache  # what is zipped cannot be read in pieces
    def whole(name: str) -> NDArray[Any]:
        with np.load(path, allow_pickle=False) as file:
            array: NDArray[Any] = file[name]
        return array

    def rows(name: str, start: int, stop: int) -> NDArray[Any]:
        return whole(name)[start:stop]

    return {name: Stored(*head, partial(rows, name)) for name, head in headers.items()}, {}


def _header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], str]:
    """Shape and dtype of one array of an archive, which is not read."""
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in read:
            raise ValueError(f"{name} is of version {version}")
        shape, _, dtype = read[version](member)
    return shape, _name(dtype)


def _open_pt(path: Path) -> Content:
    import torch  # only here: it takes seconds to import

    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        if "nsupported" not in str(error):  # no pickle at all, or a damaged one
            raise
        raise UserError(
            f"{path}: holds more than tensors and plain values, which could run code, and is not "
            "read; save {'representations': tensor, 'targets': tensor}"
        ) from None
    except RuntimeError:  # files from before torch 1.6 cannot be memory-mapped
        content = torch.load(path, map_location="cpu", weights_only=True)
    named = content if isinstance(content, dict) else {BARE: content}
    arrays = {}
    for name, value in named.items():
        if isinstance(value, torch.Tensor):
            arrays[str(name)] = _of_tensor(value.detach())
        elif isinstance(value, list) and all(isinstance(v, int | float) for v in value):
            arrays[str(name)] = in_memory(np.asarray(value))
    return arrays, {}


def _of_tensor(tensor: Any) -> Stored:
    """A torch.Tensor without gradient, on any device."""
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Stored(tuple(tensor.shape), dtype, lambda a, b: np.asarray(tensor[a:b].cpu()))


def as_stored(rows: Any, name: str) -> Stored:
    """An array or tensor that is there already; UserError names it where it is neither."""
    if hasattr(rows, "detach"):
        return _of_tensor(rows.detach())
    if np.ma.isMaskedArray(rows):
        raise UserError(f"{name}: is a masked array; give the rows that count, without a mask")
    try:
        return in_memory(np.asarray(rows))
    except (TypeError, ValueError) as error:  # rows of different lengths
        raise UserError(f"{name}: no array ({error}); give a NumPy array or a tensor") from None


def _open_safetensors(path: Path) -> Content:
    from safetensors import safe_open

    names = {"F16": "float16", "F32": "float32", "F64": "float64"}

    def rows(name: str, start: int, stop: int) -> NDArray[Any]:
        with safe_open(path, framework="numpy") as file:
            piece: NDArray[Any] = file.get_slice(name)[start:stop]
        return piece

    arrays = {}
    with safe_open(path, framework="numpy") as file:
        for name in file.keys():  # noqa: SIM118 (no dictionary)
            piece = file.get_slice(name)
            dtype = str(piece.get_dtype())
            shape = tuple(piece.get_shape())
            arrays[name] = Stored(shape, names.get(dtype, dtype), partial(rows, name))
        return arrays, dict(file.metadata() or {})


_READERS: dict[str, Callable[[Path], Content]] = {
    ".h5": _open_h5,
    ".hdf5": _open_h5,
    ".npy": _open_npy,
    ".npz": _open_npz,
    ".pt": _open_pt,
    ".pth": _open_pt,
    ".safetensors": _open_safetensors,
}
