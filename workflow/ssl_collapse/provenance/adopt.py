"""Results that came without `.snakemake/`: their sidecars say what Snakemake should know of them.

For every result that Snakemake has no record of, one is written from its sidecar. Snakemake then
decides by its own rules: equal spec, code and inputs are current, anything else runs again. A
result whose sidecar is missing or contradicts the file gets a record that fits no recipe.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ssl_collapse.provenance.sidecar import (
    SUFFIX,
    Sidecar,
    located,
    measure,
    read_sidecar,
    without_sidecar,
)

# Folders of results, and the folders that are one result as a whole.
_ROOMS = ("data", "runs", "tables", "figures")
_WHOLE = ("images", "checkpoints")
_NO_RESULTS = ("source.json", "inventory.json")  # what is known of a user's folders


@dataclass(frozen=True)
class Expected:
    """What the present config and code say of a result: its lineage, and how deep it lies."""

    lineage: str
    depth: int  # stages above it


@dataclass(frozen=True)
class Adopted:
    """One result to take over: its sidecar, and why it is stale (None: it is current)."""

    path: str
    sidecar: Sidecar | None
    stale: str | None


def existing_results(root: Path) -> Iterator[str]:
    """Every result under the folder of results, as the workflow names it."""
    for room in _ROOMS:
        for folder, subfolders, files in os.walk(root / room):
            for name in list(subfolders):
                if name in _WHOLE:
                    subfolders.remove(name)
                    yield f"{folder}/{name}"
            for name in files:
                if not (name.startswith(".") or name.endswith(SUFFIX) or name in _NO_RESULTS):
                    yield f"{folder}/{name}"
    report = root / "report.html"
    if report.exists():
        yield str(report)


def assess(path: str, expected: Expected, results: str = "results") -> Adopted:
    """Whether a result without a record is what the present config and code would make.

    results: the folder of results, wherever it lies now.
    """
    result = Path(path)
    sidecar = read_sidecar(result)
    if sidecar is None:
        return Adopted(path, None, without_sidecar(result))
    size, sha256 = measure(result)
    if size != sidecar.bytes or (sidecar.sha256 and sha256 != sidecar.sha256):
        return Adopted(path, None, "it was changed after it was made")
    for name, recorded in sidecar.inputs.items():
        above = read_sidecar(Path(located(name, results)))
        if recorded and above and above.sha256 and above.sha256 != recorded:
            return Adopted(path, None, f"it was made from another {name}")
    if sidecar.lineage != expected.lineage:
        return Adopted(path, sidecar, "it was made by another recipe or other code")
    return Adopted(path, sidecar, None)


def date_by_depth(expected: Mapping[str, Expected]) -> None:
    """Give results dates in the order of their stages: copying shuffles them, and Snakemake goes
    by them. The dates lie long past, so that whatever is made from now on is newer."""
    for path, fact in expected.items():
        moment = 1_000_000_000 + fact.depth  # seconds
        result = Path(path)
        if result.is_dir():
            stamp = result / ".snakemake_timestamp"  # the date that Snakemake takes for a folder
            stamp.touch()
            os.utime(stamp, (moment, moment))
        os.utime(result, (moment, moment))
