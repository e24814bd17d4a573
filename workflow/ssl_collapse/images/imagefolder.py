"""A folder of class folders as a list of images.

Two layouts: `train/{class}/...` and `val/{class}/...`, or one tree `root/{class}/...` that is
split here. As in torchvision's ImageFolder, a class is a folder's name and everything below it
belongs to it, symbolic links included, unless they lead up or into another class.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ssl_collapse.images.links import ClassFolders
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.folders import is_utf8, printable

EXTENSIONS = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
)
# What operating systems and archivers leave behind.
JUNK = frozenset(("thumbs.db", "desktop.ini", "__macosx", "@eadir", "lost+found"))


@dataclass(frozen=True)
class Problem:
    """A file that cannot be used: where it lies, and why.

    `folder` is the source's folder (train, val or root), `path` is relative to it, with bytes that
    are not UTF-8 written as escapes.
    """

    folder: str
    path: str
    reason: str


@dataclass(frozen=True)
class SplitListing:
    """The images of one split, sorted by (class, path).

    `folder` names the source's folder (train, val or root) and `location` is where it lies;
    `paths` are relative to it, "class/name.png" with forward slashes; `targets` number the classes.
    """

    folder: str
    location: Path
    paths: tuple[str, ...]
    targets: tuple[int, ...]

    def take(self, numbers: Iterable[int]) -> "SplitListing":
        """The listing of the images with these numbers alone, in their order."""
        taken = list(numbers)
        return replace(
            self,
            paths=tuple(self.paths[k] for k in taken),
            targets=tuple(self.targets[k] for k in taken),
        )

    def without(self, unwanted: Set[tuple[str, str]]) -> "SplitListing":
        """The same listing without the images whose (folder, path) is in `unwanted`."""
        return self.take(
            k for k, path in enumerate(self.paths) if (self.folder, path) not in unwanted
        )


@dataclass(frozen=True)
class Listing:
    """Classes (sorted names), the splits train and val, and the files that are no images."""

    classes: tuple[str, ...]
    splits: Mapping[str, SplitListing]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class _Tree:
    """One folder of class folders: the paths per class, in order, and what could not be listed."""

    folder: str
    location: Path
    classes: Mapping[str, tuple[str, ...]]
    problems: tuple[Problem, ...]


def read_folders(text: str, dataset: str) -> dict[str, Path]:
    """The folders of one dataset, {train, val} or {root}, out of the JSON of all datasets'."""
    return {name: Path(path) for name, path in json.loads(text)[dataset].items()}


def list_dataset(
    folders: Mapping[str, Path], val_fraction: float | None = None, split_seed: int = 0
) -> Listing:
    """List `folders`, either {"train": ..., "val": ...} or {"root": ...} with `val_fraction`.

    The classes are those of the training images; val may lack some. One tree is split within each
    class by a seeded permutation, at least one image staying in each split where there are two.
    Files that are not images, links that lead nowhere, up or into another class, and unreadable
    folders are returned as `problems`; hidden files and what operating systems leave behind are
    passed over.

    Raises UserError for a folder that is missing, unreadable or without class folders, for class
    folders without images, for a class that only val has, for an empty split, and where one folder
    is two: val the same as train, or a class the same as another.
    """
    listed = {name: _class_folders(folder) for name, folder in folders.items()}
    class_folders = ClassFolders([(folders[name], names) for name, (names, _) in listed.items()])
    trees = {
        name: _list_tree(name, folder, *listed[name], class_folders)
        for name, folder in folders.items()
    }
    problems = tuple(problem for tree in trees.values() for problem in tree.problems)
    if "root" in trees:
        if val_fraction is None:
            raise UserError("one tree of images (root) needs val_fraction, for example 0.1")
        paths = _split(trees["root"].classes, val_fraction, split_seed)
        trees = {"train": trees["root"], "val": trees["root"]}
    else:
        paths = {name: dict(tree.classes) for name, tree in trees.items()}
        _refuse_unknown_classes(trees["train"], trees["val"])
    classes = tuple(sorted(paths["train"]))
    splits = {name: _number(trees[name], paths[name], classes) for name in ("train", "val")}
    if not splits["val"].paths:
        raise UserError(
            f"{trees['val'].location}: val_fraction leaves no validation image; every class has "
            "only one image"
        )
    return Listing(classes, splits, problems)


def _list_tree(
    folder: str, location: Path, names: list[str], loose: list[str], class_folders: ClassFolders
) -> _Tree:
    problems = [
        Problem(folder, printable(name), "an image outside the class folders") for name in loose
    ]
    classes = {}
    for name in names:
        images: list[str] = []
        refuse = partial(class_folders.refuse, location / name)
        for relative, reason in _walk(location, name, (), refuse):
            if reason is None:
                images.append(relative)
            else:
                problems.append(Problem(folder, printable(relative), reason))
        classes[name] = tuple(sorted(images))
    empty = sorted(name for name, paths in classes.items() if not paths)
    if empty:
        raise UserError(
            f"{location}: no images in the class folder{'s' * (len(empty) > 1)} "
            f"{_some(empty)}; add images or remove the folder"
        )
    return _Tree(folder, location, classes, tuple(sorted(problems, key=lambda p: p.path)))


def _class_folders(location: Path) -> tuple[list[str], list[str]]:
    """Names of the class folders (sorted), and of images lying beside them."""
    try:
        with os.scandir(location) as entries:
            visible = sorted((e for e in entries if not passed_over(e.name)), key=lambda e: e.name)
    except OSError as error:
        raise UserError(f"{location}: cannot be listed: {error.strerror}") from None
    folders = [entry.name for entry in visible if _leads_to_folder(entry)]
    for name in folders:
        if not is_utf8(name):
            raise UserError(
                f"{location}: the class folder '{printable(name)}' is not named in UTF-8; rename it"
            )
    if not folders:
        raise UserError(
            f"{location}: holds no class folders; expected {location}/<class>/<image>.jpg, one "
            "folder per class"
        )
    loose = [e.name for e in visible if e.name not in folders and has_image_name(e.name)]
    return folders, loose


def _walk(
    location: Path,
    relative: str,
    ancestors: tuple[tuple[int, int], ...],
    refuse: Callable[[Path], str | None],
) -> Iterator[tuple[str, str | None]]:
    """Yield (relative path, None or what is wrong with it) for all files below `relative`.

    `refuse` says why a symbolic link to a folder is not followed.
    """
    try:
        status = (location / relative).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in ancestors:
            yield relative, "a symbolic link to a folder that contains it"
            return
        with os.scandir(location / relative) as found:
            entries = [entry for entry in found if not passed_over(entry.name)]
    except OSError as error:
        yield relative, f"the folder cannot be listed: {error.strerror}"
        return
    for entry in entries:
        path = f"{relative}/{entry.name}"
        if not _leads_to_folder(entry):
            yield path, _what_is_wrong(entry, path)
        elif entry.is_symlink() and (reason := refuse(location / path)):
            yield path, reason
        else:
            yield from _walk(location, path, (*ancestors, identity), refuse)


def _what_is_wrong(entry: os.DirEntry[str], path: str) -> str | None:
    if not is_utf8(path):
        return "the name is not UTF-8"
    if not has_image_name(entry.name):
        return "not an image file"
    try:
        # A pipe or a device would be opened and never end.
        if entry.is_file():
            return None
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "a broken symbolic link" if entry.is_symlink() else "not a regular file"


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links that lead to each other
        return False


def has_image_name(name: str) -> bool:
    """Whether a file is called as an image is."""
    return os.path.splitext(name)[1].lower() in EXTENSIONS  # noqa: PTH122 (a name, not a path)


def passed_over(name: str) -> bool:
    """Whether a file or folder is hidden, or left behind by an operating system."""
    return name.startswith(".") or name.lower() in JUNK


def _refuse_unknown_classes(train: _Tree, val: _Tree) -> None:
    unknown = sorted(set(val.classes) - set(train.classes))
    if unknown:
        raise UserError(
            f"{val.location}: {_some(unknown)} {'is' if len(unknown) == 1 else 'are'} no class of "
            f"{train.location}; validation images need a class that has training images"
        )


def _split(
    classes: Mapping[str, tuple[str, ...]], val_fraction: float, seed: int
) -> dict[str, dict[str, tuple[str, ...]]]:
    """Divide every class: {"train": {class: paths}, "val": {class: paths}}.

    The permutation ranks files by the hash of seed and path. So the split of one class does not
    depend on the others, and a new file changes the split of no more than one other.
    """
    splits: dict[str, dict[str, tuple[str, ...]]] = {"train": {}, "val": {}}
    for name, paths in classes.items():
        shuffled = sorted(paths, key=lambda p: hashlib.sha256(f"{seed}/{p}".encode()).digest())
        # Two images or more: one stays on each side. A single one is for training.
        val_images = min(max(round(val_fraction * len(paths)), 1), len(paths) - 1)
        splits["train"][name] = tuple(sorted(shuffled[val_images:]))
        splits["val"][name] = tuple(sorted(shuffled[:val_images]))
    return splits


def _number(
    tree: _Tree, paths: Mapping[str, tuple[str, ...]], classes: tuple[str, ...]
) -> SplitListing:
    numbered = [(path, k) for k, name in enumerate(classes) for path in paths.get(name, ())]
    return SplitListing(
        tree.folder,
        tree.location,
        tuple(path for path, _ in numbered),
        tuple(target for _, target in numbered),
    )


def _some(names: list[str], shown: int = 20) -> str:
    text = ", ".join(repr(name) for name in names[:shown])
    return text if len(names) <= shown else f"{text} and {len(names) - shown} more"
