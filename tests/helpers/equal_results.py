"""Results compared byte by byte, without what no two runs share: logs, times, the store."""

import re
from pathlib import Path

_UNLIKE = (".snakemake_timestamp", "speed.csv", "inventory.json")
_UNLIKE_FOLDERS = ("logs/", "state/arguments/", "store/")


def contents(results: Path) -> dict[str, bytes]:
    """Name -> bytes of everything in a folder of results that two runs must agree in.

    Files whose names begin with a dot, and states of trainings, count: none may be left behind.
    """
    files = {path.relative_to(results).as_posix(): path for path in sorted(results.rglob("*"))}
    return {
        name: _but_for_times(name, path.read_bytes())
        for name, path in files.items()
        if path.is_file() and not name.startswith(_UNLIKE_FOLDERS) and path.name not in _UNLIKE
    }


def _but_for_times(name: str, content: bytes) -> bytes:
    """A report without its section on versions and times, its sidecar without size and digest."""
    if name.endswith("report.html"):
        return re.sub(rb'<section id="machine".*?</section>', b"", content, flags=re.DOTALL)
    if name.endswith("report.html.provenance.json"):
        return re.sub(rb'"(bytes|sha256)": [^\n]*', b"", content)
    return content


def differences(found: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    """Names that are missing, too many, or of other content."""
    names = sorted(found.keys() | expected.keys())
    return [name for name in names if found.get(name) != expected.get(name)]
