"""Representation files: written as HDF5, read in every form that `forms` knows.

Both sides stream, so that a file of any length passes through little memory.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ssl_collapse.representations.forms import BARE, Arrays, Stored, as_stored, open_arrays
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import atomic_path

logger = logging.getLogger("ssl_collapse")

FORMAT_VERSION = 1
FLOATS = ("float16", "float32", "float64")
MOST_CLASSES = 1_000_000  # a larger label is no class number, and would fill the memory
ROWS_COPIED = 4096  # at a time
# What the targets are called, the first name that is there
TARGETS = ("targets", "labels", "y")

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
    from_file: bool = True

    def chunks(self, rows: int) -> Iterator[FloatArray]:
        """Yield the representations in order, `rows` at a time, as float32 (or float64) arrays.

        Raises UserError that names the first row with a NaN or an infinity.
        """
        dtype = np.float64 if self.dtype == "float64" else np.float32
        for start in range(0, self.n, rows):
            stop = min(start + rows, self.n)
            try:
                chunk = self.read(start, stop)
            except (OSError, RuntimeError, ValueError) as error:
                raise UserError(
                    f"{self.path}: rows {start} to {stop - 1} cannot be read ({error}); "
                    "the file is damaged: write it again"
                ) from error
            chunk = np.ascontiguousarray(chunk, dtype=dtype)
            check_finite(chunk, start, self.path)
            yield chunk

    def is_same(self, other: "Representations") -> bool:
        """Whether both are one file, or were made from one array."""
        if self.from_file and other.from_file:
            return self.path.samefile(other.path)
        return self.read is other.read

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
                "in an .h5, .npz, .pt or .safetensors file, or name files with --targets"
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


def copy_representations(
    representations: Representations, path: Path, attrs: Mapping[str, Any]
) -> None:
    """Write representations of any form as HDF5, in their own dtype, with the targets they have.

    `attrs` are added to what they say of themselves. Raises UserError for NaN or infinity.
    """
    start = 0
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        _write_attrs(file, {**representations.attrs, **attrs})
        shape = (representations.n, representations.dim)
        rows = file.create_dataset("representations", shape, representations.dtype)
        for chunk in representations.chunks(ROWS_COPIED):
            rows[start : start + len(chunk)] = chunk
            start += len(chunk)
        if representations.targets is not None:
            file.create_dataset("targets", data=representations.targets, dtype=np.int64)


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

    It holds a 2-D floating-point array under `representations`, or one such array alone under any
    name or none (`.npy`, a bare tensor in `.pt`); and, optionally, 1-D `targets`, also called
    `labels` or `y` (integers, or whole numbers as floats: the log says so). Raises UserError for a
    missing, empty, truncated or foreign file, a wrong dtype or shape, and targets of another
    length.
    """
    path = Path(path)
    arrays, attrs = open_arrays(path)
    version = attrs.get("format_version", FORMAT_VERSION)
    if version != FORMAT_VERSION:
        raise UserError(
            f"{path}: format_version is {version}, this program reads {FORMAT_VERSION}; "
            "use the version of the program that wrote the file"
        )
    rows = _rows(path, arrays)
    targets = next((arrays[name] for name in TARGETS if name in arrays), None)
    return _checked(path, rows, targets, attrs)


def of_arrays(rows: Any, targets: Any = None, name: str = "X") -> Representations:
    """Representations from an array or tensor (N, D), and targets (N,); `name` is for messages."""
    labels = None if targets is None else as_stored(targets, name)
    return replace(_checked(Path(name), as_stored(rows, name), labels, {}), from_file=False)


def with_targets(representations: Representations, path: Path) -> Representations:
    """The same representations with the targets (N,) of another file instead of their own.

    That file has any of the forms: an array alone, or `targets`, `labels` or `y`. Integers, or
    whole numbers as floats. Raises UserError for anything else, and runs no code.
    """
    arrays, _ = open_arrays(Path(path))
    names = [name for name in (*TARGETS, BARE) if name in arrays] or list(arrays)
    if not names or (len(arrays) > 1 and names[0] not in TARGETS):
        raise UserError(f"{path}: has no key 'targets'; {_found(arrays)}; save them under it")
    labels = _checked_targets(path, representations.n, arrays[names[0]], representations.attrs)
    return replace(representations, targets=labels)


def _rows(path: Path, arrays: Arrays) -> Stored:
    """The array of the representations."""
    if "representations" in arrays:
        return arrays["representations"]
    able = [n for n, a in arrays.items() if n == BARE or (len(a.shape) == 2 and a.dtype in FLOATS)]
    if len(able) != 1:
        raise UserError(
            f"{path}: has no key 'representations'; {_found(arrays)}; save them under it"
        )
    if able != [BARE]:
        logger.info("%s: representations are read from %r", path, able[0])
    return arrays[able[0]]


def _found(arrays: Arrays) -> str:
    shown = [f"{name} {array.shape}" if name else "-" for name, array in sorted(arrays.items())]
    more = f" and {len(shown) - 8} more" if len(shown) > 8 else ""
    return f"keys found: {', '.join(shown[:8]) or 'none'}{more}"


def _checked(
    path: Path, rows: Stored, targets: Stored | None, attrs: dict[str, Any]
) -> Representations:
    """Build the result after the checks that all forms share."""
    if rows.dtype not in FLOATS:
        raise UserError(
            f"{path}: 'representations' has dtype {rows.dtype}; "
            f"save it as one of {', '.join(FLOATS)}"
        )
    if len(rows.shape) != 2 or 0 in rows.shape:
        raise UserError(
            f"{path}: 'representations' has shape {tuple(rows.shape)}; "
            "expected (rows, dimensions), both at least 1; save it so"
        )
    n, dim = rows.shape
    labels = None if targets is None else _checked_targets(path, n, targets, attrs)
    return Representations(path, n, dim, rows.dtype, labels, attrs, rows.read)


def _checked_targets(path: Path, n: int, stored: Stored, attrs: dict[str, Any]) -> IntArray:
    if not stored.dtype.lower().startswith(("i", "u", "f")):
        raise UserError(f"{path}: 'targets' has dtype {stored.dtype}; expected integers")
    if stored.shape != (n,):
        raise UserError(
            f"{path}: 'targets' has shape {stored.shape}, but there are {n} representations; "
            f"expected ({n},)"
        )
    targets = stored.whole()
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
