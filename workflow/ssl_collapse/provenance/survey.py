"""Whether a user's images have changed since the dataset was described, at the cost of a listing.

The `dataset` stage leaves an inventory: size, date and digest of every file. Before each run the
files' sizes and dates are compared with it, and only files that differ are read. Above
`LARGEST_LISTED` files only the folders' dates are looked at: they show a file that was added,
removed or renamed, not one that was overwritten in place (`verify` reads everything).

The answer is `source.json`, an input of the `dataset` stage: it is rewritten when, and only when,
the content differs from the inventory's.
"""

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ssl_collapse.images.imagefolder import is_utf8, walk
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import write_json

LARGEST_LISTED = 100_000
INVENTORY = "inventory.json"


def list_dates(folders: Mapping[str, str], names: Any) -> dict[str, int]:
    """Date in ns of every folder that holds one of the files; -1 for one that is gone."""
    inside = {name.rpartition("/")[0] for name in names} | set(folders)
    return {name: _date(_locate(folders, name)) for name in sorted(inside)}


def write_inventory(folders: Mapping[str, str], target: Path) -> None:
    """Read every file and note size, date and digest in `target`."""
    files = {}
    for name, path, status in _files(folders):
        files[name] = [status.st_size, status.st_mtime_ns, _digest(path)]
    _write(folders, files, target)


def survey(folders: Mapping[str, str], results: Path, everything: bool = False) -> bool:
    """Compare the folders with the inventory; True if the content differs.

    Args:
        folders: {train, val} or {root}, the dataset's folders.
        results: results/data/{dataset}.
        everything: read every file, whatever its date says.
    """
    source, described = results / "source.json", results / "dataset.json"
    if not source.exists():
        write_json(source, {"content": "as first found"})
        if described.exists():
            _date_before(source, described)
    inventory = _read_inventory(results / INVENTORY)
    if inventory is None or not all(Path(path).is_dir() for path in folders.values()):
        return False  # nothing to compare: the dataset stage will read, or say what is missing
    known = inventory["files"]
    by_folders = len(known) > LARGEST_LISTED and not everything
    if by_folders and list_dates(folders, known) == inventory["folders"]:
        return False
    files = _update(folders, known, everything)
    if files == known:
        _settle(source, described)
        return False
    if _content(files) == _content(known):
        _write(folders, files, results / INVENTORY)
        _settle(source, described)
        return False
    new = {"content": _content(files)}
    if _read(source) != new:
        write_json(source, new)
    return True


def _update(
    folders: Mapping[str, str], known: Mapping[str, Any], everything: bool
) -> dict[str, list[Any]]:
    """The present inventory; only files whose size or date differ are read."""
    files: dict[str, list[Any]] = {}
    differing = []
    for name, path, status in _files(folders):
        entry = known.get(name)
        state = [status.st_size, status.st_mtime_ns]
        if entry is None or entry[:2] != state or everything:
            differing.append((name, path, state))
        else:
            files[name] = entry
    if differing:
        print(f"reading {len(differing)} new or touched files", file=sys.stderr)
    for name, path, state in differing:
        files[name] = [*state, _digest(path)]
    return files


def _files(folders: Mapping[str, str]) -> Iterator[tuple[str, Path, os.stat_result]]:
    for folder, location in folders.items():
        try:
            for relative in walk(Path(location)):
                path = f"{location}/{relative}"
                # A name that is not UTF-8 has no place in JSON; the dataset stage refuses it.
                if not is_utf8(relative):
                    continue
                with suppress(OSError):  # a link to nothing: likewise
                    state = os.stat(path)  # noqa: PTH116
                    if stat.S_ISREG(state.st_mode):  # to open a pipe would wait for ever
                        yield f"{folder}/{relative}", Path(path), state
        except UserError:
            continue  # no class folders any more: the dataset stage says so


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _content(files: Mapping[str, Any]) -> str:
    lines = sorted(json.dumps([name, entry[2]]) for name, entry in files.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _locate(folders: Mapping[str, str], name: str) -> Path:
    folder, _, relative = name.partition("/")
    return Path(folders[folder]) / relative


def _date(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1


def _date_before(source: Path, described: Path) -> None:
    moment = described.stat().st_mtime - 1
    os.utime(source, (moment, moment))


def _settle(source: Path, described: Path) -> None:
    """The content is the described one again: nothing that depends on it needs to run."""
    if described.exists() and source.stat().st_mtime >= described.stat().st_mtime:
        _date_before(source, described)


def _read(path: Path) -> Any:
    """What a JSON file holds; None where there is none, or where it is damaged."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _read_inventory(path: Path) -> dict[str, Any] | None:
    """The inventory; None where there is none. A damaged one is told of and counts as none."""
    content = _read(path)
    if _is_inventory(content):
        return dict(content)
    if path.exists():
        print(
            f"{path}: damaged, so that changed images go unseen; delete "
            f"{path.with_name('dataset.json')} to describe the dataset again",
            file=sys.stderr,
        )
    return None


def _is_inventory(content: Any) -> bool:
    if not isinstance(content, dict) or not isinstance(content.get("folders"), dict):
        return False
    files = content.get("files")
    return isinstance(files, dict) and all(
        isinstance(entry, list) and len(entry) == 3 for entry in files.values()
    )


def _write(folders: Mapping[str, str], files: Mapping[str, Any], target: Path) -> None:
    write_json(target, {"folders": list_dates(folders, files), "files": dict(files)})
