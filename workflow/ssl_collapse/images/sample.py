"""Some images of a folder, whatever its shape: with classes where there are class folders."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssl_collapse.images.decoding import RGB, DecodeError, decode
from ssl_collapse.images.imagefolder import EXTENSIONS, has_image_name, passed_over
from ssl_collapse.images.inspection import inspect_file
from ssl_collapse.runtime.errors import UserError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Sample:
    """Images that were drawn: their paths, in order, of `there` that lie in the folder.

    `classes` are the names of all classes of the sample and `targets` (n,) their numbers; without
    two class folders there is none, and `targets` is None.
    """

    paths: tuple[Path, ...]
    there: int
    classes: tuple[str, ...]
    targets: NDArray[np.int64] | None


def sample_images(folder: Path, at_most: int, seed: int) -> Sample:
    """Draw at most so many images of a folder and all below it, without replacement.

    The class of an image is the uppermost folder that it lies in, below train, val or test; where
    images lie beside these folders, the folders are taken for no classes.
    Raises UserError for no folder, or fewer than two images in it.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder; name one with images in it")
    files = sorted(_files(folder))
    if len(files) < 2:
        kinds = ", ".join(sorted(EXTENSIONS))
        raise UserError(f"{folder}: {len(files)} images in it ({kinds}); give at least two")
    drawn = np.arange(len(files))
    if len(files) > at_most:
        drawn = np.sort(np.random.default_rng([seed, 4]).permutation(len(files))[:at_most])
    paths = tuple(folder / files[number] for number in drawn)
    names = [_class(files[number]) for number in drawn]
    classes = tuple(sorted(set(names)))
    if len(classes) < 2 or "" in classes:
        return Sample(paths, len(files), (), None)
    targets = np.array([classes.index(name) for name in names], dtype=np.int64)
    return Sample(paths, len(files), classes, targets)


def _files(folder: Path) -> list[Path]:
    found = []
    for where, folders, files in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not passed_over(name)]
        found += [
            Path(where, name).relative_to(folder)
            for name in files
            if has_image_name(name) and not passed_over(name)
        ]
    return found


def _class(path: Path) -> str:
    folders = path.parts[:-1]
    if len(folders) > 1 and folders[0].lower() in SPLITS:
        folders = folders[1:]
    return folders[0] if folders else ""


class ImageFiles:
    """Image files, decoded when they are asked for."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def image(self, i: int) -> RGB:
        """uint8 (height, width, 3); UserError names every file that is no readable image."""
        try:
            return decode(self.paths[i].read_bytes())
        except (DecodeError, OSError) as error:
            looked_at = ((path, inspect_file(path).reason) for path in self.paths)
            bad = "".join(f"\n  {path}: {reason}" for path, reason in looked_at if reason)
            bad = bad or f"\n  {self.paths[i]}: {error}"
            raise UserError(f"bad images; take them away, or repair them:{bad}") from None
