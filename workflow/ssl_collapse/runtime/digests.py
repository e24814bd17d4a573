"""Digests of users' own files, which may be large: read again only where size or dates differ.

Remembered in `.snakemake/` where there is that folder, and never relied on for what changed so
recently that its dates may not show it.
"""

import json
from functools import cache
from pathlib import Path

from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.files import file_sha256, write_text
from ssl_collapse.runtime.folders import NEVER, refuse_irregular, state_of, steady_state

MEMORY = Path(".snakemake/digests.json")
_news: dict[str, list[object]] = {}  # path -> its state and digest


def digest_of(path: Path) -> str:
    """sha256 of a file; OSError where there is none, or it is no regular file."""
    refuse_irregular(path)
    before, name = path.stat(), str(path.resolve())
    state, known = list(state_of(before)), _remembered().get(name, [])
    if known[:-1] == state:
        return str(known[-1])
    digest = file_sha256(path)
    if (steady := steady_state(before, path.stat())) != NEVER:
        _news[name] = [*steady, digest]
    return digest


def require_planned(path: Path, sha256: str) -> None:
    """UserError where a file that has just been read is not what its job was planned with."""
    if file_sha256(path) != sha256:
        raise UserError(f"{path} has changed since this job was planned; start again")


def remember_digests() -> None:
    """Keep what was read for the next process."""
    if _news and MEMORY.parent.is_dir():
        write_text(MEMORY, json.dumps({**_remembered(), **_news}))
        _news.clear()
        _remembered.cache_clear()


@cache
def _remembered() -> dict[str, list[object]]:
    try:
        content = json.loads(MEMORY.read_text("utf-8"))
        return {str(name): list(entry) for name, entry in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):  # missing or damaged: read again
        return {}
