"""What Snakemake sees of a user's images: `source.json`, newer than dataset.json if they differ."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssl_collapse.provenance.inventory import INVENTORY, compare, save
from ssl_collapse.runtime.files import write_json


def survey(folders: Mapping[str, str], results: Path, everything: bool = False) -> bool:
    """Compare the folders with the inventory; True if the dataset must be described again."""
    source, described = results / "source.json", results / "dataset.json"
    if not source.exists():
        write_json(source, {"content": "as first found"})
        _date_before(source, described)
    found = compare(folders, results / INVENTORY, everything)
    if found.state == "same" or found.away or not described.exists():
        save(results / INVENTORY, found)
        _date_before(source, described)
        return False
    new = {"content": found.content or found.reason}
    if _read(source) != new or source.stat().st_mtime < described.stat().st_mtime:
        write_json(source, new)
    return True


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _date_before(source: Path, described: Path) -> None:
    if described.exists() and source.stat().st_mtime >= described.stat().st_mtime:
        moment = described.stat().st_mtime - 1
        os.utime(source, (moment, moment))
