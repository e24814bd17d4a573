"""Results appear whole or not at all."""

import glob
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOST = socket.gethostname().replace("/", "-")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success fsync it and rename it over `path`.

    On any error the temporary file is removed and `path` stays as it was. What a process that was
    killed has left is removed by the next that writes the same path. What is there and no regular
    file (/dev/null, a pipe) is written to and never replaced.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        yield path
        return
    temporary = temporary_beside(path)
    try:
        yield temporary
        _fsync(temporary)
        temporary.replace(path)
        _fsync(path.parent)  # the rename itself must survive a power cut
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write `content` as `json_text`, whole or not at all."""
    write_text(path, json_text(content))


def json_text(content: Any) -> str:
    """`content` as readable JSON; NaN and infinity are refused, None is written as null."""
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`; on success it takes the place of `path`.

    On any error it is removed and `path` stays as it was. Its files are not flushed to disk one by
    one: ten thousand fsyncs take minutes.
    """
    temporary = temporary_beside(path)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
        _fsync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def link(source: Path, target: Path) -> None:
    """A second name for a file; a copy where there can be none, as on another file system.

    A copy, too, of what we may not write: Snakemake would not have it replaced.
    """
    try:
        if not os.access(source, os.W_OK):
            raise PermissionError
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target, follow_symlinks=False)


def temporary_beside(path: Path) -> Path:
    """A name beside `path` for this process alone; its folder exists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for other in path.parent.glob(f".{glob.escape(path.name)}.{HOST}.*.tmp"):  # of who was killed
        if is_left_over(other):
            remove(other)
    return path.with_name(f".{path.name}.{HOST}.{os.getpid()}.tmp")


def is_left_over(temporary: Path) -> bool:
    """Whether a `temporary_beside` is of a process of this machine that lives no more."""
    return f".{HOST}." in temporary.name and not _is_alive(int(temporary.name.split(".")[-2]))


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that can be removed of it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
