"""What is in a result: its digest, taken from the sidecar where the file is provably unchanged.

Whatever changes a file (writing, replacing, restoring with an old date, moving another file over
it) gives it a new ctime, which nobody can set by hand. So a sidecar is dated by the ctime that its
result had when it was digested: as long as the two agree, the result is what the sidecar says, and
nothing is read. Of anything else, as after copying or touching, the bytes are read again. In the
date of a folder's sidecar every file has its part: whole subfolders may change places.
"""

import hashlib
import os
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ssl_collapse.provenance.sidecar import Sidecar, path_of, read_sidecar

# A sidecar is dated this much before its result: a touch would give both the same date.
BEFORE = 997 * 10**9  # ns
_known: dict[tuple[object, ...], str] = {}  # of this process: what was read stays known


@dataclass(frozen=True)
class State:
    """What the file system says of a file, or of a folder's files together."""

    bytes: int
    date: int  # mtime in ns of a sidecar that vouches for it
    identity: tuple[tuple[str, int, int, int, int], ...]  # name, size, mtime, ctime, inode


def files_of(result: Path) -> list[Path]:
    """The file itself, or a folder's files in the order of their names, without hidden ones."""
    if not result.is_dir():
        return [result]
    return sorted(p for p in result.rglob("*") if p.is_file() and not p.name.startswith("."))


def look(result: Path) -> State:
    """Size and dates of a result, without reading it; OSError where there is none."""
    folder = result if result.is_dir() else result.parent
    found = []
    for file in files_of(result):
        status = file.stat()
        name = file.relative_to(folder).as_posix()
        dates = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        found.append((name, status.st_size, *dates))
    changed = max((entry[3] for entry in found), default=0)
    files = [(name, size, ctime) for name, size, _, ctime, _ in found] if len(found) > 1 else []
    # Whole seconds: some file systems keep no more of a date.
    parts = zlib.crc32(repr(files).encode()) % 10**6 * 10**9 if files else 0
    return State(sum(entry[1] for entry in found), changed - BEFORE - parts, tuple(found))


def digest(result: Path) -> str:
    """sha256 of a file's bytes, or over a folder's files with their names; reads all of them."""
    if not result.is_dir():
        with result.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    total = hashlib.sha256()
    for path in files_of(result):
        total.update(path.relative_to(result).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def content(result: Path, everything: bool = False) -> str:
    """sha256 of what is in a result now; OSError where there is none.

    everything: read it, also where it is provably unchanged.
    """
    result = Path(result)
    state, sidecar = look(result), read_sidecar(result)
    if not everything and sidecar is not None and is_unchanged(result, state, sidecar):
        return sidecar.sha256
    key = (result.absolute(), everything, *state.identity)
    if key not in _known:
        _known[key] = digest(result)
    return _known[key]


def is_unchanged(result: Path, state: State, sidecar: Sidecar) -> bool:
    """Whether a result is what its sidecar says, as far as that shows without reading it."""
    noted = path_of(result).stat().st_mtime_ns
    return state.bytes == sidecar.bytes and state.date == noted


def vouch(result: Path, state: State) -> None:
    """Date the sidecar of a result that was digested in this state."""
    noted = path_of(result)
    os.utime(noted, ns=(noted.stat().st_atime_ns, state.date))


def confirm(result: Path) -> None:
    """Read a result that is not provably unchanged, and if it is what its sidecar says, note so.

    Then its bytes need not be read again: after copying, say. In another user's folder they are.
    """
    sidecar, state = read_sidecar(result), look(result)
    if sidecar is None or is_unchanged(result, state, sidecar):
        return
    if content(result) == sidecar.sha256 and look(result) == state:
        with suppress(OSError):
            vouch(result, state)
