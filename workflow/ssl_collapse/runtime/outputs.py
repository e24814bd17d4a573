"""Where a command's results go: found fit before anything is computed, written together after."""

import os
from pathlib import Path

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import write_text


def beside(path: Path, what: str) -> Path:
    """The JSON of a file's result where none is named; a.pt and a.h5 have one each."""
    return path.with_name(f"{path.name}-{what}.json")


def check_outputs(*paths: Path | None) -> None:
    """Raise UserError for a path that cannot be written, before its folder is made."""
    for path in paths:
        if path is None or (path.exists() and not path.is_file()):
            continue
        folder = path.parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if not folder.is_dir():
            raise UserError(f"{path}: {folder} is no folder; name another file")
        # the kernel's own folders let nobody in, whatever their mode says
        if not os.access(folder, os.W_OK | os.X_OK) or folder.is_relative_to("/proc"):
            raise UserError(f"{path}: nothing can be written in {folder}; name another file")


def write_all(texts: dict[Path, str]) -> None:
    """Write every text to its path; where one fails, those that were not there before go again."""
    new = [path for path in texts if not path.exists()]
    try:
        for path, text in texts.items():
            write_text(path, text)
    except BaseException:
        for path in new:
            path.unlink(missing_ok=True)
        raise
