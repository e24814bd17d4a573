"""What is in a result: its digest, taken from the sidecar where the file is provably unchanged.

Whatever changes a file (writing, replacing, restoring with an old date, moving another file over
it) gives it a new ctime, which nobody can set by hand. So a sidecar is dated by the ctime that its
result had when it was digested: as long as the two agree, the result is what the sidecar says, and
nothing is read. Of anything else, as after copying or touching, the bytes are read again. In the
date of a folder's sidecar every file has its part: whole subfolders may change places.
"""

import hashlib
import os
import stat
import zlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ssl_collapse.provenance.sidecar import SUFFIX, Sidecar, path_of, read_sidecar
from ssl_collapse.runtime.files import file_sha256

# A sidecar is dated this much before its result: a touch would give both the same date.
BEFORE = 997 * 10**9  # ns
_known: dict[tuple[object, ...], str] = {}  # of this process: what was read stays known


@dataclass(frozen=True)
class State:
    """What the file system says of a file, or of a folder's files together."""

    bytes: int
    date: int  # mtime in ns of a sidecar that vouches for it
    identity: tuple[tuple[str, int, int, int, int], ...]  # name, size, mtime, ctime, inode

    def but_for_links(self) -> list[tuple[str, int, int, int]]:
        """All but the ctime, which changes, too, when a file gets or loses another name."""
        return [(name, size, mtime, inode) for name, size, mtime, _, inode in self.identity]


def files_of(folder: Path) -> list[Path]:
    """A folder's files in the order of their names, without hidden ones."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))


def look(result: Path) -> State:
    """Size and dates of a result, without reading it; OSError where there is none."""
    status = os.stat(result)  # noqa: PTH116  planning looks at thousands of results
    if not stat.S_ISDIR(status.st_mode):
        statuses, offset = [("", status)], 0
    else:
        statuses = [(p.relative_to(result).as_posix(), p.stat()) for p in files_of(result)]
        files = [(name, s.st_size, s.st_ctime_ns) for name, s in statuses]
        # Whole seconds: some file systems keep no more of a date.
        offset = zlib.crc32(repr(files).encode()) % 10**6 * 10**9
    identity = tuple(
        (name, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for name, s in statuses
    )
    changed = max((entry[3] for entry in identity), default=0)
    return State(sum(entry[1] for entry in identity), changed - BEFORE - offset, identity)


def digest(result: Path) -> str:
    """sha256 of a file's bytes, or over a folder's files with their names; reads all of them."""
    if not result.is_dir():
        return file_sha256(result)
    total = hashlib.sha256()
    for path in files_of(result):
        name = path.relative_to(result).as_posix().encode()
        total.update(name + b"\0" + bytes.fromhex(file_sha256(path)))
    return total.hexdigest()


def content(result: Path, everything: bool = False) -> str:
    """sha256 of what is in a result now; OSError where there is none.

    everything: read it, also where it is provably unchanged.
    """
    return Look.at(result).content(everything)


@dataclass(frozen=True)
class Look:
    """One look at a result and its sidecar, which may be missing."""

    result: Path
    state: State
    sidecar: Sidecar | None

    @staticmethod
    def at(result: Path) -> "Look":
        """What is there now; OSError where there is no result."""
        return Look(result, look(result), read_sidecar(result))

    def content(self, everything: bool = False) -> str:
        """sha256 of the result, read only if it is not provably what its sidecar says."""
        if not everything and self.sidecar is not None and self.is_unchanged:
            return self.sidecar.sha256
        key = (self.result.absolute(), everything, *self.state.identity)
        if key not in _known:
            _known[key] = digest(self.result)
        return _known[key]

    @cached_property
    def is_unchanged(self) -> bool:
        """Whether the result is what its sidecar says, as far as that shows without reading it."""
        if self.sidecar is None or self.state.bytes != self.sidecar.bytes:
            return False
        noted = os.stat(f"{self.result}{SUFFIX}")  # noqa: PTH116
        return self.state.date == noted.st_mtime_ns

    def confirm(self) -> None:
        """Read a result that is not provably unchanged; if it is what its sidecar says, note so.

        Then its bytes need not be read again: after copying, say. In others' folders they are.
        """
        if self.sidecar is None or self.is_unchanged:
            return
        if self.content() == self.sidecar.sha256 and look(self.result) == self.state:
            with suppress(OSError):
                vouch(self.result, self.state)


class Looks:
    """Results that were looked at while a plan is judged: each once, however many jobs read it."""

    def __init__(self) -> None:
        self._seen: dict[str, Look | None] = {}

    def at(self, path: str) -> Look | None:
        """What is there; None where there is no such result."""
        if path not in self._seen:
            try:
                self._seen[path] = Look.at(Path(path))
            except OSError:
                self._seen[path] = None
        return self._seen[path]


def vouch(result: Path, state: State) -> None:
    """Date the sidecar of a result that was digested in this state."""
    noted = path_of(result)
    os.utime(noted, ns=(noted.stat().st_atime_ns, state.date))
