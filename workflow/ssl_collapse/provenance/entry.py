"""One entry of the store: a folder with results and what they were made from."""

import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ssl_collapse.config.types import StrictModel
from ssl_collapse.provenance.content import State, digest, files_of, look
from ssl_collapse.provenance.harmless import is_harmless
from ssl_collapse.provenance.key import Ingredients, digest_of
from ssl_collapse.runtime.files import atomic_folder, atomic_path, link

MANIFEST = "manifest.json"  # in the folder of an entry
_LARGEST = 50_000_000  # bytes of a manifest: the spec of a table of a hundred thousand rows


class DamagedError(Exception):
    """An entry is not what it says; the message says why."""


class Kept(StrictModel):
    """One result of an entry."""

    bytes: int
    sha256: str


class Manifest(StrictModel):
    """The content of manifest.json."""

    format_version: Annotated[int, Field(ge=1, le=1)] = 1
    made_from: Ingredients
    modules: dict[str, str]  # as in sidecars
    results: list[Kept]


@dataclass(frozen=True)
class Entry:
    """An entry that was looked at: all that is in it belongs to its user."""

    folder: Path
    manifest: Manifest

    @property
    def out(self) -> Path:
        """The folder of its results."""
        return self.folder / "out"

    def result(self, i: int) -> Path:
        """The i-th result."""
        return self.out / str(i)

    def is_dated(self, state: State) -> bool:
        """Whether this state of `out` is what was digested."""
        return state.date == self.file.stat().st_mtime_ns

    def date(self, state: State) -> None:
        """Note that this state is what the manifest says; others' manifests we cannot date."""
        with suppress(OSError):
            os.utime(self.file, ns=(state.date, state.date))

    @property
    def file(self) -> Path:
        """That of its manifest."""
        return self.folder / MANIFEST


def read_entry(folder: Path, key: str, kinds: Sequence[str]) -> Entry:
    """An entry, looked at; errors as of `_check`, FileNotFoundError where there is none."""
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise DamagedError("it is no folder")
    path = folder / MANIFEST
    if not path.exists():
        raise DamagedError("it has no manifest")
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
        raise DamagedError("its manifest is none")
    manifest = Manifest.model_validate_json(path.read_bytes())
    if digest_of(manifest.made_from) != key:
        raise DamagedError("its manifest is of another key")
    entry = Entry(folder, manifest)
    _check(entry, kinds)
    return entry


def _check(entry: Entry, kinds: Sequence[str]) -> None:
    """DamagedError where an entry holds what its user did not write, or no plain files.

    PermissionError where it is another user's and may be more than data.
    """
    owner = int(entry.folder.name)
    if len(entry.manifest.results) != len(kinds):
        raise DamagedError("it has another number of results")
    for path in [entry.folder, *entry.folder.rglob("*")]:
        status = path.lstat()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise DamagedError(f"{path} is no file")
        if status.st_uid != owner:
            raise DamagedError(f"{path} belongs to another user")
    for i, kind in enumerate(kinds):
        result = entry.result(i)
        if not result.exists():
            raise DamagedError(f"{result} is missing")
        files = [(p, p.suffix) for p in files_of(result)] if result.is_dir() else [(result, kind)]
        if owner != os.getuid() and not all(is_harmless(*file) for file in files):
            raise PermissionError(f"{result} may be more than data")


def put(entry: Entry, outputs: Sequence[Path]) -> None:
    """Link the results of an entry to their places; DamagedError if they are not what it says."""
    before, kept = look(entry.out), entry.manifest.results
    known = entry.is_dated(before) and before.bytes == sum(result.bytes for result in kept)
    with ExitStack() as places:
        placed = []
        for i, output in enumerate(outputs):
            appears = atomic_folder if entry.result(i).is_dir() else atomic_path
            placed.append(places.enter_context(appears(output)))
            link_all(entry.result(i), placed[i])
        linked = look(entry.out)
        if not known or linked.but_for_links() != before.but_for_links():
            for i, result in enumerate(kept):
                if digest(placed[i]) != result.sha256:
                    raise DamagedError(f"{entry.result(i)} is not what the manifest says")
    after = look(entry.out)  # links and renaming have given it a new ctime
    if after.but_for_links() != linked.but_for_links():
        raise DamagedError("it was changed while it was taken")
    entry.date(after)


def link_all(source: Path, target: Path) -> None:
    """Link a file, or the files of a folder in a new one."""
    if not source.is_dir():
        link(source, target)
        return
    target.mkdir(exist_ok=True)
    for file in files_of(source):
        other = target / file.relative_to(source)
        other.parent.mkdir(parents=True, exist_ok=True)
        link(file, other)
