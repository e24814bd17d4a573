"""Images of any origin written as class folders: {train,val}/{class}/{number}.{format}."""

import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import atomic_folder


class Item(NamedTuple):
    """One image: the name of its class, and the bytes of an image file with their ending."""

    label: str
    content: bytes
    suffix: str


def write_class_folders(folder: Path, splits: Mapping[str, Iterable[Item]]) -> None:
    """Write `folder/{split}/{class}/{number:08d}{suffix}`, whole or not at all.

    Numbers count the images of a split in their order. UserError for a class whose name no folder
    can have.
    """
    with atomic_folder(folder) as temporary:
        for split, items in splits.items():
            (temporary / split).mkdir()
            for number, item in enumerate(items):
                place = temporary / split / folder_name(item.label)
                place.mkdir(exist_ok=True)
                (place / f"{number:08d}{item.suffix}").write_bytes(item.content)


def folder_name(label: str) -> str:
    """A class's name as that of its folder: `/` becomes `_`; UserError for one that cannot be."""
    name = label.replace("/", "_").strip()
    if not re.fullmatch(r"[^.\0-\x1f][^\0-\x1f]*", name) or len(name.encode()) > 255:
        raise UserError(f"class {label!r}: a folder cannot be called so; rename the class")
    return name


def as_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """uint8 (H, W, 3) or (H, W) as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
