"""Results compared byte by byte, without what no two runs share: logs and times."""

import csv
from pathlib import Path

TIMED = ("images_per_second", "seconds")  # columns of training.csv that no two runs share
# Sidecars with the digest of a training.csv in them, their own result's or an input's.
_WITH_ITS_DIGEST = ("training.csv.provenance.json", "summary.csv.provenance.json")
_UNLIKE = (".snakemake_timestamp", "source.json", "inventory.json")
_UNLIKE_FOLDERS = ("logs/", "state/arguments/")


def contents(results: Path) -> dict[str, bytes]:
    """Name -> bytes of everything in a folder of results that two runs must agree in.

    Files whose names begin with a dot, and states of trainings, count: none may be left behind.
    """
    files = {path.relative_to(results).as_posix(): path for path in sorted(results.rglob("*"))}
    return {
        name: _untimed(path)
        for name, path in files.items()
        if path.is_file()
        and not name.startswith(_UNLIKE_FOLDERS)
        and not path.name.startswith("speed.csv")
        and path.name not in _UNLIKE
    }


def _untimed(path: Path) -> bytes:
    if path.name == "training.csv":
        with path.open(newline="") as file:
            rows = [{k: v for k, v in r.items() if k not in TIMED} for r in csv.DictReader(file)]
        return repr(rows).encode()
    if path.name in _WITH_ITS_DIGEST:
        lines = path.read_text().splitlines()
        timed = ("training.csv", '"sha256"', '"bytes"')
        return "\n".join(x for x in lines if not any(t in x for t in timed)).encode()
    return path.read_bytes()


def differences(found: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    """Names that are missing, too many, or of other content."""
    names = sorted(found.keys() | expected.keys())
    return [name for name in names if found.get(name) != expected.get(name)]
