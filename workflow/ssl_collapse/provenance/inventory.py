"""Whether a dataset's images are still those it was described from: by content, not by date.

The dataset job leaves `inventory.json` beside dataset.json. For every file below the dataset's
folders it holds [size, mtime_ns, ctime_ns, inode, sha256]. Later a file is read again only where
one of the first four differs. Nobody can set the ctime, so it shows an edit that puts size and
mtime back; another folder shows in the inodes.

For a million files on a local disk this takes 5 to 10 s.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ssl_collapse.config.paths import INSIDE
from ssl_collapse.provenance.content import content
from ssl_collapse.runtime.files import write_text
from ssl_collapse.runtime.folders import (
    NEVER,
    State,
    is_utf8,
    one_line,
    printable,
    state_of,
    steady_state,
)

INVENTORY, DESCRIPTION = (Path(path).name for path in (INSIDE.inventory, INSIDE.description))
FORMAT_VERSION = 2
WORTH_SAYING = 1_000_000_000  # bytes to read that take long enough to say so
_READERS = 8  # threads: hashing leaves Python's lock, and network disks answer many at once
AT_ONCE = 10_000  # files handed to them: each takes some memory until it is read

Entry = list[Any]  # [size, mtime_ns, ctime_ns, inode, sha256, or why it has none]
Folders = Mapping[str, str]


@dataclass(frozen=True)
class Naming:
    """What the dataset job goes by: names that it passes over, endings that it takes for images.

    It is kept in the inventory, so that the same files are looked for later.
    """

    passed_over: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """What has become of the images since the dataset was described.

    Attributes:
        state: "unknown" is never "same": the dataset must be described again, except where the
            images are `away`.
        reason: one line: what differs, or why nothing is known; empty where they are the same.
        content: digest of the present images' names and bytes; None where unknown.
        fresh: the inventory with the dates of touched files, for `save`; None: nothing new.
        away: the images are not on this machine, so that what was made of them has to be believed.
    """

    state: Literal["same", "differs", "unknown"]
    reason: str = ""
    content: str | None = None
    fresh: dict[str, Any] | None = None
    away: bool = False


def list_files(folders: Folders, naming: Naming) -> dict[str, State | str]:
    """State of every file, or why it has none, by "folder/relative path"; hidden ones left out."""
    return {
        f"{folder}/{relative}": state
        for folder, location in folders.items()
        for relative, state in _walk(location, "", (), naming)
    }


def write_inventory(
    target: Path,
    folders: Folders,
    listed: Mapping[str, State | str],
    digests: Mapping[str, tuple[str, State]],
    naming: Naming,
) -> None:
    """Note the images that a dataset was described from, beside its dataset.json.

    Args:
        folders: {train, val} or {root}, the dataset's folders.
        listed: `list_files` before the job began to look: what appears later is news.
        digests: "folder/relative path" -> sha256 of what the job read, and the file's state then.
        naming: the names by which it chose.
    """
    known = {name: [*state, digest] for name, (digest, state) in digests.items()}
    others = {name: state for name, state in listed.items() if name not in known}
    files = known | _entries(folders, others, {}, naming)
    described = content(target.with_name(DESCRIPTION))
    write_text(target, _as_text(_document(files, naming, described)))


def compare(folders: Folders, inventory: Path, everything: bool = False) -> Comparison:
    """Compare the images with the inventory, beside which dataset.json lies. Writes nothing.

    folders: {train, val} or {root}. everything: read every file, whatever its dates say.
    """
    if away := _why_away(folders):
        return Comparison("unknown", away, away=True)
    description = inventory.with_name(DESCRIPTION)
    try:
        if "fingerprint" not in _read_json(description):
            raise _UnclearError(f"{description} is damaged")
        recorded = _read(inventory)
    except _UnclearError as error:
        return Comparison("unknown", str(error))
    if recorded["description"] != content(description, everything):
        return Comparison("unknown", f"{inventory} belongs to another {DESCRIPTION}")
    naming = Naming(tuple(recorded["passed_over"]), tuple(recorded["suffixes"]))
    known: dict[str, Entry] = recorded["files"]
    listed = list_files(folders, naming)
    files = _entries(folders, listed, {} if everything else known, naming)
    if files == known:
        return Comparison("same", content=recorded["content"])
    document = _document(files, naming, recorded["description"])
    if document["content"] == recorded["content"]:
        return Comparison("same", content=document["content"], fresh=document)
    return Comparison("differs", _difference(folders, known, files), document["content"])


def save(inventory: Path, comparison: Comparison) -> None:
    """Keep what a comparison has learnt of touched files, so that they are not read again.

    In another user's folder they are.
    """
    if comparison.fresh is not None:
        with suppress(OSError):
            write_text(inventory, _as_text(comparison.fresh))


def _why_away(folders: Folders) -> str:
    """Why the images cannot be looked at here; empty where they can."""
    for location in folders.values():
        try:
            with os.scandir(location) as entries:
                if next(entries, None) is None:
                    return one_line(f"the folder {location} is empty (a disk not mounted?)")
        except (FileNotFoundError, NotADirectoryError):
            return one_line(f"the folder {location} is not on this machine")
        except OSError as error:
            return one_line(f"the folder {location} cannot be listed: {error.strerror}")
    return ""


def _walk(
    location: str, inside: str, above: tuple[tuple[int, int], ...], naming: Naming
) -> Iterator[tuple[str, State | str]]:
    """(path relative to `location`, state or why there is none) of all files below `inside`.

    More than the dataset job takes: which links it follows is its own affair.
    """
    here = f"{location}/{inside}" if inside else location
    try:
        status = os.stat(here)  # noqa: PTH116 (a Path for each of a million files takes seconds)
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            yield inside, "a link to a folder that contains it"
            return
        with os.scandir(here) as found:
            entries = list(found)
    except OSError as error:
        yield printable(inside), f"cannot be listed: {error.strerror}"
        return
    for entry in entries:
        name = entry.name
        if name.startswith(".") or name.lower() in naming.passed_over:
            continue
        path = f"{inside}/{name}" if inside else name
        if _is_folder(entry):
            yield from _walk(location, path, (*above, identity), naming)
        elif inside or _is_image_name(name, naming):
            yield (path, _look(entry)) if is_utf8(path) else (printable(path), "not UTF-8")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links that lead to each other
        return False


def _look(entry: os.DirEntry[str]) -> State | str:
    try:
        # A pipe or a device would be opened and never end.
        return state_of(entry.stat()) if entry.is_file() else "not a regular file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _is_image_name(name: str, naming: Naming) -> bool:
    return os.path.splitext(name)[1].lower() in naming.suffixes  # noqa: PTH122 (a name)


def _entries(
    folders: Folders, listed: Mapping[str, State | str], known: Mapping[str, Entry], naming: Naming
) -> dict[str, Entry]:
    """The inventory's entries: as known where the state is the same, otherwise read."""
    now = time.time_ns()
    entries: dict[str, Entry] = {}
    to_read: dict[str, State] = {}
    for name, state in listed.items():
        entry = known.get(name)
        if isinstance(state, str):
            entries[name] = [*NEVER, state]
        elif entry and tuple(entry[:4]) == state and state[1] <= now and state[2] <= now:
            entries[name] = entry
        elif name.count("/") < 2 or not _is_image_name(name, naming):
            entries[name] = [*NEVER, "no image"]  # that it is there may matter, not what it holds
        else:
            to_read[name] = state
    size = sum(state[0] for state in to_read.values())
    if size > WORTH_SAYING:
        text = f"reading {len(to_read)} new, touched or moved images, {size / 1e9:.1f} GB"
        print(text, file=sys.stderr)
    names = list(to_read)
    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(names), AT_ONCE):
            batch = names[start : start + AT_ONCE]
            paths = [_locate(folders, name) for name in batch]
            entries.update(zip(batch, pool.map(read_entry, paths), strict=True))
    return entries


def read_entry(path: str) -> Entry:
    try:
        with Path(path).open("rb") as file:
            before = os.fstat(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return [*steady_state(before, os.fstat(file.fileno())), digest]
    except OSError as error:
        return [*NEVER, f"cannot be read: {error.strerror}"]


def _document(files: Mapping[str, Entry], naming: Naming, description: str) -> dict[str, Any]:
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(json.dumps([name, files[name][4]]).encode() + b"\n")
    return {
        "format_version": FORMAT_VERSION,
        "content": total.hexdigest(),
        "description": description,
        "passed_over": list(naming.passed_over),
        "suffixes": list(naming.suffixes),
        "files": dict(sorted(files.items())),
    }


def _as_text(document: Mapping[str, Any]) -> str:
    """JSON with one line per file."""
    lines = (f"{json.dumps(k)}: {json.dumps(v)}" for k, v in document["files"].items())
    head = json.dumps({**document, "files": None}, indent=1).removesuffix("null\n}")
    return head + "{\n" + ",\n".join(lines) + "\n}\n}\n"


class _UnclearError(Exception):
    """There is nothing to go by; the message says why."""


def _read(path: Path) -> dict[str, Any]:
    content = _read_json(path)
    if content.get("format_version", FORMAT_VERSION) != FORMAT_VERSION:
        raise _UnclearError(f"{path} is of another version")
    kinds = {"content": str, "description": str, "passed_over": list, "suffixes": list}
    kinds["files"] = dict
    whole = all(isinstance(content.get(key), kind) for key, kind in kinds.items())
    if whole and all(isinstance(e, list) and len(e) == 5 for e in content["files"].values()):
        return content
    raise _UnclearError(f"{path} is damaged")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise _UnclearError(f"{path} is missing") from None
    except OSError as error:
        raise _UnclearError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise _UnclearError(f"{path} is damaged")
    return content


def _difference(folders: Folders, known: Mapping[str, Entry], files: Mapping[str, Entry]) -> str:
    kinds = {
        "changed": [n for n in files if n in known and files[n][4] != known[n][4]],
        "added": [n for n in files if n not in known],
        "gone": [n for n in known if n not in files],
    }
    some = {kind: sorted(names) for kind, names in kinds.items() if names}
    kind, names = next(iter(some.items()))
    example = one_line(_locate(folders, names[0]))
    if sum(map(len, some.values())) == 1:
        return f"{example} {kind}"
    return f"files {', '.join(f'{k}: {len(n)}' for k, n in some.items())}, e.g. {example} {kind}"


def _locate(folders: Folders, name: str) -> str:
    folder, _, relative = name.partition("/")
    return f"{folders.get(folder, folder)}/{relative}"
