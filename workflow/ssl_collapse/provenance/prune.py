"""What the store holds and no result is any more, dropped."""

import glob
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ssl_collapse.provenance.content import files_of
from ssl_collapse.provenance.entry import MANIFEST, Manifest
from ssl_collapse.provenance.sidecar import SUFFIX, read_sidecar
from ssl_collapse.provenance.store import drop
from ssl_collapse.runtime.files import is_left_over, remove

DAY = 86_400  # s
_KEY = "[0-9a-f]" * 64


@dataclass(frozen=True)
class Pruned:
    """Entries of ours that stayed, and those that went with the bytes that this freed."""

    kept: int
    bytes_kept: int
    dropped: int
    bytes_freed: int


def prune(store: Path, results: Iterable[Path], keep_days: float) -> Pruned:
    """Drop what we keep in a store and no result links, wherever that lies.

    results: folders of results; what equals one of theirs stays, too, where it was copied.
    keep_days: what was made or taken in so many days stays.
    """
    current = {content for folder in results for content in _contents(folder)}
    kept, dropped, known = [], [], set(current)
    for entry in _there(store, f"??/{_KEY}/{os.getuid()}"):
        with suppress(FileNotFoundError):  # a job, or another prune, has just removed it
            size = sum(file.stat().st_size for file in files_of(entry / "out"))
            digests = _digests(entry)
            recent = time.time() - entry.stat().st_mtime < keep_days * DAY
            if recent or _is_linked(entry) or (digests and digests <= current):
                kept.append(size)
                known |= {entry.parent.name, *digests}
            else:
                drop(entry)
                dropped.append(size)
    _forget_names(store, known)
    _clear(store)
    return Pruned(len(kept), sum(kept), len(dropped), sum(dropped))


def _there(store: Path, pattern: str) -> list[Path]:
    """What matches; unlike `Path.glob` without error where folders vanish meanwhile."""
    return [store / name for name in glob.glob(pattern, root_dir=store)]  # noqa: PTH207


def _contents(folder: Path) -> Iterator[str]:
    """The digests of the results in a folder."""
    for path in folder.rglob(f"*{SUFFIX}"):
        result = Path(str(path).removesuffix(SUFFIX))
        sidecar = read_sidecar(result)
        if sidecar is not None and result.exists():
            yield sidecar.sha256


def _digests(entry: Path) -> set[str]:
    with suppress(OSError, ValidationError):
        manifest = Manifest.model_validate_json((entry / MANIFEST).read_bytes())
        return {result.sha256 for result in manifest.results}
    return set()  # damaged


def _is_linked(entry: Path) -> bool:
    return any(file.stat().st_nlink > 1 for file in files_of(entry / "out"))


def _forget_names(store: Path, known: set[str]) -> None:
    """Drop our other names of keys: of entries, or of packed images, that are there no more."""
    for note in _there(store, f"notes/??/{_KEY}/{os.getuid()}"):
        with suppress(FileNotFoundError):
            if not known & {note.parent.name, note.read_text("ascii")}:
                note.unlink()


def _clear(store: Path) -> None:
    """Remove empty folders, and what processes of ours that died have left there."""
    for left in [*_there(store, "??/*/.*.tmp"), *_there(store, "notes/??/*/.*.tmp")]:
        with suppress(OSError):
            status = left.lstat()
            if status.st_uid == os.getuid() and (
                is_left_over(left) or time.time() - status.st_mtime > DAY
            ):
                remove(left)
    for pattern in ("??/*", "??", "notes/??/*", "notes/??", "notes"):
        for folder in _there(store, pattern):
            with suppress(OSError):
                folder.rmdir()
