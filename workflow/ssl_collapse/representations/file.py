"""Representation files: written as HDF5, read as HDF5, `.npy`, `.npz`, `.pt` or `.safetensors`.

Both sides stream, so that a file of any length passes through little memory. Nothing that a file
holds is ever executed: pickles are refused.
"""

import logging
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import atomic_path
from ssl_collapse.runtime.folders import refuse_irregular

logger = logging.getLogger("ssl_collapse")

FORMAT_VERSION = 1
FLOATS = ("float16", "float32", "float64")
MOST_CLASSES = 1_000_000  # a larger label is no class number, and would fill the memory
SUFFIXES = (".h5", ".hdf5", ".npy", ".npz", ".pt", ".safetensors")

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]
# representations (rows, D), targets (rows,), index (rows,)
Chunk = tuple[NDArray[np.float32], IntArray, IntArray]


@dataclass(frozen=True)
class Representations:
    """N representations of D dimensions, read piece by piece.

    `targets` is int64 (N,) or None where the file has none; `attrs` is what the file says about
    itself; `read(start, stop)` returns rows start to stop as they are stored.
    """

    path: Path
    n: int
    dim: int
    dtype: str
    targets: IntArray | None
    attrs: dict[str, Any]
    read: Callable[[int, int], FloatArray]

    def chunks(self, rows: int) -> Iterator[FloatArray]:
        """Yield the representations in order, `rows` at a time, as float32 (or float64) arrays.

        Raises UserError that names the first row with a NaN or an infinity.
        """
        for start in range(0, self.n, rows):
            stop = min(start + rows, self.n)
            try:
                chunk = self.read(start, stop)
            except (OSError, RuntimeError, ValueError) as error:
                raise UserError(
                    f"{self.path}: rows {start} to {stop - 1} cannot be read ({error}); "
                    "the file is damaged: write it again"
                ) from error
            chunk = np.ascontiguousarray(chunk, dtype=_computing_dtype(self.dtype))
            check_finite(chunk, start, self.path)
            yield chunk

    @property
    def failure(self) -> str | None:
        """Why the file's encoder represents nothing, or None; with it, every entry is NaN."""
        return str(self.attrs["failure"]) if "failure" in self.attrs else None

    @property
    def num_classes(self) -> int:
        """The number of classes: what the file states, else the largest target plus one."""
        if "num_classes" in self.attrs:
            return int(self.attrs["num_classes"])
        return int(self.labels().max()) + 1

    def labels(self) -> IntArray:
        """The targets, int64 (N,); UserError where the file has none."""
        if self.targets is None:
            raise UserError(
                f"{self.path}: has no targets; save them under the key 'targets' "
                "in an .h5, .npz, .pt or .safetensors file, or name .npy files with --targets"
            )
        return self.targets


def check_finite(chunk: FloatArray, start: int, path: Path) -> None:
    """Raise UserError naming the first row of `chunk` (rows, D) that holds a NaN or an infinity.

    `start` is the number of the chunk's first row in the file.
    """
    # A finite sum of squares proves that all are finite, at a fraction of the cost of looking at
    # each; where it overflows, each is looked at.
    entries = chunk.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(entries @ entries):
            return
    bad = np.flatnonzero(~np.isfinite(chunk).all(axis=1))
    if bad.size:
        raise UserError(
            f"{path}: row {start + int(bad[0])} of 'representations' holds NaN or infinity "
            f"({bad.size} such rows among rows {start} to {start + len(chunk) - 1}); "
            "the encoder has diverged or the file is damaged"
        )


def write_representations(
    path: Path, n: int, dim: int, chunks: Iterable[Chunk], attrs: Mapping[str, Any]
) -> None:
    """Write `n` representations of `dim` dimensions to the HDF5 file `path`, whole or not at all.

    `chunks` yields (representations (rows, D), targets (rows,), index (rows,)) in file order.
    Equal content gives equal bytes. Raises UserError for NaN or infinity (the row is named) and
    ValueError if the chunks do not add up to (n, dim).
    """
    with atomic_path(path) as temporary:
        with h5py.File(temporary, "w") as file:
            _write_attrs(file, attrs)
            representations = file.create_dataset("representations", (n, dim), np.float32)
            targets = file.create_dataset("targets", (n,), np.int64)
            index = file.create_dataset("index", (n,), np.int64)
            start = 0
            for rows, labels, numbers in chunks:
                stop = start + len(rows)
                if rows.shape[1:] != (dim,) or not len(rows) == len(labels) == len(numbers):
                    raise ValueError(f"chunk at row {start} has shape {rows.shape}, dim is {dim}")
                if stop > n:
                    raise ValueError(f"more than the {n} rows announced")
                check_finite(rows, start, path)
                representations[start:stop] = rows
                targets[start:stop] = labels
                index[start:stop] = numbers
                start = stop
        if start != n:
            raise ValueError(f"{start} rows came, {n} were announced")


def write_failed_representations(
    path: Path, dim: int, targets: IntArray, attrs: Mapping[str, Any], failure: str
) -> None:
    """Write a file of an encoder that represents nothing: NaN (N, dim), and why as `failure`.

    `targets` is (N,). The NaN are the data set's fill value and take no space.
    """
    n = len(targets)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        _write_attrs(file, {**attrs, "failure": failure})
        file.create_dataset("representations", (n, dim), np.float32, fillvalue=np.nan)
        file.create_dataset("targets", data=targets, dtype=np.int64)
        file.create_dataset("index", data=np.arange(n), dtype=np.int64)


def _write_attrs(file: h5py.File, attrs: Mapping[str, Any]) -> None:
    for name in sorted(attrs):
        file.attrs[name] = attrs[name]
    file.attrs["format_version"] = FORMAT_VERSION


def open_representations(path: Path) -> Representations:
    """Open a representation file by its suffix, without reading the representations yet.

    `.h5`, `.npz`, `.pt` and `.safetensors` hold a 2-D floating-point `representations` and,
    optionally, 1-D `targets` (integers, or whole numbers as floats: the log says so); `.npy` holds
    the representations alone. Raises UserError for a missing,
    empty, truncated or foreign file, a wrong dtype or shape, and targets of another length.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a {', '.join(SUFFIXES)} file")
    if path.suffix not in _READERS:
        raise UserError(f"{path}: unknown suffix {path.suffix!r}; known: {', '.join(SUFFIXES)}")
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


def with_targets(representations: Representations, path: Path) -> Representations:
    """The same representations with the targets (N,) of a .npy file instead of their own.

    Integers, or whole numbers as floats. Raises UserError for anything else, and runs no code.
    """
    try:
        refuse_irregular(path)
        targets = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:  # a hostile header can fail in many ways
        raise UserError(f"{path}: not a .npy file of targets ({error}); write it again") from None
    labels = _checked_targets(path, representations.n, targets, representations.attrs)
    return replace(representations, targets=labels)


def _computing_dtype(stored: str) -> type[np.float32] | type[np.float64]:
    return np.float64 if stored == "float64" else np.float32


def _checked(
    path: Path,
    shape: tuple[int, ...],
    dtype: str,
    targets: NDArray[Any] | None,
    attrs: dict[str, Any],
    read: Callable[[int, int], FloatArray],
) -> Representations:
    """Build the result after the checks that all formats share."""
    if dtype not in FLOATS:
        raise UserError(
            f"{path}: 'representations' has dtype {dtype}; save it as one of {', '.join(FLOATS)}"
        )
    if len(shape) != 2 or 0 in shape:
        raise UserError(
            f"{path}: 'representations' has shape {tuple(shape)}; "
            "expected (rows, dimensions), both at least 1; save it so"
        )
    n, dim = shape
    labels = None if targets is None else _checked_targets(path, n, targets, attrs)
    return Representations(path, n, dim, dtype, labels, attrs, read)


def _checked_targets(path: Path, n: int, targets: NDArray[Any], attrs: dict[str, Any]) -> IntArray:
    if targets.dtype.kind not in "iuf":
        raise UserError(f"{path}: 'targets' has dtype {targets.dtype}; expected integers")
    if targets.shape != (n,):
        raise UserError(
            f"{path}: 'targets' has shape {targets.shape}, but there are {n} representations; "
            f"expected ({n},)"
        )
    if targets.dtype.kind == "f":  # as the reference saves them
        whole = np.floor(targets) == targets
        if not (whole & np.isfinite(targets)).all():
            row = int(np.argmin(whole & np.isfinite(targets)))
            raise UserError(
                f"{path}: 'targets' has {targets[row]} in row {row}, which is no class number; "
                "save whole numbers"
            )
        logger.info("%s: targets are %s whole numbers, taken as classes", path, targets.dtype)
    if targets.min() < 0:
        row = int(np.argmin(targets >= 0))
        raise UserError(f"{path}: 'targets' has the negative label {targets[row]} in row {row}")
    if targets.max() >= MOST_CLASSES:
        row = int(np.argmax(targets))
        raise UserError(
            f"{path}: 'targets' has the label {targets[row]} in row {row}; number the classes from "
            f"0 (there may be {MOST_CLASSES:,})"
        )
    if "num_classes" in attrs and targets.max() >= int(attrs["num_classes"]):
        raise UserError(
            f"{path}: 'targets' has the label {targets.max()}, "
            f"but the file states num_classes {attrs['num_classes']}"
        )
    return targets.astype(np.int64)


def _missing_key(path: Path, keys: Iterable[str]) -> UserError:
    found = ", ".join(sorted(keys)) or "none"
    return UserError(
        f"{path}: has no key 'representations'; keys found: {found}; save them under it"
    )


def _open_h5(path: Path) -> Representations:
    with h5py.File(path, "r") as file:
        version = file.attrs.get("format_version", FORMAT_VERSION)
        if version != FORMAT_VERSION:
            raise UserError(
                f"{path}: format_version is {version}, this program reads {FORMAT_VERSION}; "
                "use the version of the program that wrote the file"
            )
        if not isinstance(file.get("representations"), h5py.Dataset):
            raise _missing_key(path, file.keys())
        stored = file["representations"]
        targets = file["targets"][()] if "targets" in file else None
        attrs = {name: _plain(value) for name, value in sorted(file.attrs.items())}

        def read(start: int, stop: int) -> FloatArray:
            with h5py.File(path, "r") as file:
                rows: FloatArray = file["representations"][start:stop]
            return rows

        return _checked(path, stored.shape, stored.dtype.name, targets, attrs, read)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _open_npy(path: Path) -> Representations:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    return _checked(
        path, array.shape, array.dtype.name, None, {}, lambda start, stop: array[start:stop]
    )


def _open_npz(path: Path) -> Representations:
    with np.load(path, allow_pickle=False) as file:
        if "representations" not in file:
            raise _missing_key(path, file.keys())
        rows = file["representations"]
        targets = file.get("targets")
    return _checked(
        path, rows.shape, rows.dtype.name, targets, {}, lambda start, stop: rows[start:stop]
    )


def _open_pt(path: Path) -> Representations:
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
    if not isinstance(content, dict) or not isinstance(
        content.get("representations"), torch.Tensor
    ):
        raise _missing_key(path, map(str, content) if isinstance(content, dict) else [])
    tensor = content["representations"].detach()
    targets = content.get("targets")
    if targets is not None:
        targets = np.asarray(targets)
    dtype = str(tensor.dtype).removeprefix("torch.")
    return _checked(
        path,
        tuple(tensor.shape),
        dtype,
        targets,
        {},
        lambda start, stop: np.asarray(tensor[start:stop]),
    )


def _open_safetensors(path: Path) -> Representations:
    from safetensors import safe_open

    names = {"F16": "float16", "F32": "float32", "F64": "float64"}
    with safe_open(path, framework="numpy") as file:
        keys = list(file.keys())
        if "representations" not in keys:
            raise _missing_key(path, keys)
        piece = file.get_slice("representations")
        targets = file.get_tensor("targets") if "targets" in keys else None
        attrs = dict(file.metadata() or {})
        shape, dtype = tuple(piece.get_shape()), str(piece.get_dtype())

    def read(start: int, stop: int) -> FloatArray:
        with safe_open(path, framework="numpy") as file:
            rows: FloatArray = file.get_slice("representations")[start:stop]
        return rows

    return _checked(path, shape, names.get(dtype, dtype), targets, attrs, read)


_READERS: dict[str, Callable[[Path], Representations]] = {
    ".h5": _open_h5,
    ".hdf5": _open_h5,
    ".npy": _open_npy,
    ".npz": _open_npz,
    ".pt": _open_pt,
    ".safetensors": _open_safetensors,
}
