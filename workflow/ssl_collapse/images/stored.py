"""A user's images in HDF5 files, WebDataset tars, or a Hugging Face dataset on disk."""

import glob
import io
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from ssl_collapse.config.dataset import StoredSource
from ssl_collapse.images.class_folders import Item, as_png
from ssl_collapse.images.imagefolder import EXTENSIONS
from ssl_collapse.runtime.errors import UserError

DIGITS = 6  # of a class that is a number
ROWS = 256  # of a parquet file, at once


def stored_files(kind: str, patterns: Sequence[str]) -> list[Path]:
    """The files that patterns name, in their order: `{000..146}` counts, `*` and `?` match.

    For Hugging Face a pattern is the folder of a split (`save_to_disk`) or parquet files. UserError
    where a pattern names no file.
    """
    files: list[Path] = []
    for pattern in patterns:
        for text in _counted(pattern):
            files_of_pattern = [Path(text)]
            if re.search(r"[*?]", text):
                files_of_pattern = sorted(map(Path, glob.glob(text)))  # noqa: PTH207  of any absolute path
            if (
                kind == "huggingface"
                and len(files_of_pattern) == 1
                and files_of_pattern[0].is_dir()
            ):
                files_of_pattern = _arrow_files(files_of_pattern[0])
            if not files_of_pattern or not all(path.is_file() for path in files_of_pattern):
                raise UserError(f"{text}: there is no such file; correct the path under `source`")
            files += files_of_pattern
    return files


def stored_images(source: StoredSource, files: Sequence[Path]) -> Iterator[Item]:
    """The images of one split, file by file in their order. Nothing in a file is executed.

    UserError names the file and the row or member that cannot be read.
    """
    read = {"hdf5": _hdf5, "webdataset": _webdataset, "huggingface": _huggingface}[source.kind]
    for path in files:
        try:
            yield from read(path, source)
        except (OSError, KeyError, ValueError, pa.ArrowException, tarfile.TarError) as error:
            reason = error.args[0] if isinstance(error, KeyError) else error
            raise UserError(f"{path}: cannot be read as {source.kind}: {reason}") from None


def _counted(pattern: str) -> list[str]:
    """`a-{000..002}` written out."""
    match = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if not match:
        return [pattern]
    first, last = match.groups()
    numbers = [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]
    return [text for n in numbers for text in _counted(pattern.replace(match[0], n, 1))]


# --- HDF5 ---------------------------------------------------------------------------------------


def _hdf5(path: Path, source: StoredSource) -> Iterator[Item]:
    """`images`: uint8 (N, H, W, 3), (N, H, W), or files' bytes (N,); `targets`: numbers or names.

    The attribute `classes`, where there is one, names the numbers.
    """
    names = source.image or "images", source.label or "targets"
    with h5py.File(path, "r") as file:
        for name in names:
            if not isinstance(file.get(name), h5py.Dataset):
                raise KeyError(f"it has no dataset {name!r}; it has {', '.join(file)}")
        images, labels = (file[name] for name in names)
        if labels.shape != images.shape[:1]:
            raise ValueError(f"{names[1]} has shape {labels.shape}; expected ({len(images)},)")
        pixels = images.dtype == np.uint8 and images.ndim in (3, 4)
        if not (pixels and images.shape[3:] in ((), (3,))) and images.ndim != 1:
            text = f"{names[0]} is {images.dtype} {images.shape}"
            raise ValueError(f"{text}; expected uint8 (N, H, W, 3), (N, H, W) or files (N,)")
        classes = _names(labels[:], file.attrs.get("classes"))
        for row, label in enumerate(classes):
            content = images[row]
            yield _item(label, as_png(content) if pixels else bytes(content), f"row {row}")


# --- WebDataset ---------------------------------------------------------------------------------


def _webdataset(path: Path, source: StoredSource) -> Iterator[Item]:
    """Members KEY.jpg and KEY.cls of one KEY follow one another; KEY.cls holds the class.

    Numbers of classes get leading zeros, so that their names sort as they do.
    """
    endings = tuple(f".{e}" for e in source.image.split(";")) if source.image else EXTENSIONS
    with tarfile.open(path, "r|*") as tar:
        for key, members in groupby(_members(tar), key=itemgetter(0)):
            parts = {ending.lower(): content for _, ending, content in members}
            images = [content for ending, content in parts.items() if ending in endings]
            label = parts.get(f".{source.label or 'cls'}")
            if len(images) != 1 or label is None:
                raise ValueError(
                    f"{key} has {len(images)} images and the parts {', '.join(parts)}; expected "
                    f"one image and .{source.label or 'cls'}"
                )
            text = label.decode("utf-8").strip()
            yield _item(text.zfill(DIGITS) if text.isdigit() else text, images[0], key)


def _members(tar: tarfile.TarFile) -> Iterator[tuple[str, str, bytes]]:
    """(KEY with its folder, ending, content) of every file."""
    for member in tar:
        if member.isfile():
            reader = tar.extractfile(member)
            assert reader is not None  # of a file there is one
            folder, slash, name = member.name.rpartition("/")
            stem, dot, ending = name.partition(".")
            yield folder + slash + stem, dot + ending, reader.read()


# --- Hugging Face -------------------------------------------------------------------------------


def _arrow_files(folder: Path) -> list[Path]:
    """The files of a split that `save_to_disk` wrote, or of a folder of parquet files."""
    state = folder / "state.json"
    if (folder / "dataset_dict.json").exists():
        splits = json.loads((folder / "dataset_dict.json").read_text("utf-8"))["splits"]
        raise UserError(f"{folder}: holds the splits {', '.join(splits)}; name the folder of one")
    if not state.exists():
        return sorted(folder.glob("*.parquet"))
    names = [entry["filename"] for entry in json.loads(state.read_text("utf-8"))["_data_files"]]
    return [folder / Path(name).name for name in names]


def _huggingface(path: Path, source: StoredSource) -> Iterator[Item]:
    """Column `image` {bytes, path}, column `label`; the features name the classes."""
    names = source.image or "image", source.label or "label"
    if path.suffix == ".parquet":
        file = pq.ParquetFile(path)
        schema, batches = file.schema_arrow, file.iter_batches(ROWS)
    else:
        stream = pa.ipc.open_stream(pa.memory_map(str(path)))
        schema, batches = stream.schema, iter(stream)
    for name in names:
        if name not in schema.names:
            raise KeyError(f"it has no column {name!r}; it has {', '.join(schema.names)}")
    features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    feature = features.get("info", {}).get("features", {}).get(names[1], {})
    row = 0
    for batch in batches:
        images, labels = (batch.column(name).to_pylist() for name in names)
        for image, label in zip(images, _names(labels, feature.get("names")), strict=True):
            content = image["bytes"] if isinstance(image, dict) else image
            if content is None:  # it was stored by its path
                content = (path.parent / image["path"]).read_bytes()
            yield _item(label, content, f"row {row}")
            row += 1


# --- all ----------------------------------------------------------------------------------------


def _names(labels: Sequence[Any], classes: Sequence[Any] | None) -> list[str]:
    """Names of classes; numbers by `classes`, or with leading zeros, to sort as they do."""
    texts = []
    for label in labels:
        if isinstance(label, bytes | str):
            texts.append(label.decode("utf-8") if isinstance(label, bytes) else label)
        elif not isinstance(label, int | np.integer) or label < 0:
            raise ValueError(f"the class {label!r} is neither a number from 0 on nor a name")
        elif classes is None:
            texts.append(str(label).zfill(DIGITS))
        elif label >= len(classes):
            raise ValueError(f"class {label} of {len(classes)} that are named")
        else:
            texts.append(str(classes[int(label)]))
    return texts


def _item(label: str, content: bytes, where: str) -> Item:
    """An image with the ending of its format; ValueError where the content is no image file."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            suffix = f".{(image.format or '').lower()}"
    except Exception as error:  # Pillow may raise nearly anything
        raise ValueError(f"{where} is no image: {error}") from None
    if suffix not in EXTENSIONS:
        raise ValueError(f"{where} is an image in the format {suffix[1:]}, which is not read")
    return Item(label, content, suffix)
