"""Symbolic links in a dataset: no image may come to belong to two classes or to two splits."""

from collections.abc import Sequence
from pathlib import Path

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.folders import one_line


class ClassFolders:
    """Where the class folders of a dataset lie in truth, links resolved."""

    def __init__(self, trees: Sequence[tuple[Path, Sequence[str]]]) -> None:
        """Take each folder of class folders (train and val, or root) with its classes' names.

        Raises UserError where one of these folders is another, or lies in another's class.
        """
        locations = [location.resolve() for location, _ in trees]
        if len(set(locations)) < len(locations):
            raise UserError(
                f"{locations[0]}: `train` and `val` are this same folder, so that the accuracy "
                "would be that of the training images; name two folders, or give it as `root` "
                "with a `val_fraction`"
            )
        self._classes: dict[Path, Path] = {}  # true place -> the class folder
        for location, names in trees:
            for folder in (location / name for name in names):
                other = self._classes.setdefault(folder.resolve(), folder)
                if other is not folder:
                    raise _same(folder, other)
        places = [*locations, *self._classes]
        self._above = {parent for place in places for parent in (place, *place.parents)}
        for place, folder in self._classes.items():
            for parent in place.parents:
                if parent in self._classes:
                    raise _same(folder, self._classes[parent])
        for location in locations:
            for parent in (location, *location.parents):
                if parent in self._classes:
                    raise _same(location, self._classes[parent])

    def refuse(self, class_folder: Path, link: Path) -> str | None:
        """Why the images that a link to a folder leads to are none of its class, or None.

        A link may lead further down its class, or out of the dataset.
        """
        target = link.resolve()
        if class_folder.resolve().is_relative_to(target):
            return "a symbolic link to a folder that contains it"
        if target in self._above and target not in self._classes:
            return "a symbolic link to a folder that contains other classes"
        for parent in (target, *target.parents):
            other = self._classes.get(parent, class_folder)
            if other != class_folder:
                return f"a symbolic link into another class folder, '{other.name}'"
        return None


def _same(folder: Path, other: Path) -> UserError:
    text = (
        f"{folder}: is or lies in the class folder {other}, so that the same images would count "
        "twice; remove the link or name another folder"
    )
    return UserError(one_line(text))
