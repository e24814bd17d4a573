"""What is in a result: its digest."""

import hashlib
from pathlib import Path


def content(path: Path) -> str:
    """sha256 of a file's bytes, or over a folder's files with their names; OSError if it is not."""
    path = Path(path)
    if not path.is_dir():
        return _sha256(path).hex()
    total = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".")):
        total.update(file.relative_to(path).as_posix().encode() + b"\0" + _sha256(file))
    return total.hexdigest()


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
