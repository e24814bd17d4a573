"""The full check: every result on disk against its sidecar."""

from collections.abc import Iterator
from pathlib import Path

from ssl_collapse.provenance.adopt import existing_results
from ssl_collapse.provenance.sidecar import SUFFIX, measure, read_sidecar, without_sidecar


def damaged_results(root: Path) -> Iterator[tuple[str, str]]:
    """Every result that is not what its sidecar says, and what is wrong with it."""
    for path in existing_results(root):
        result = Path(path)
        sidecar = read_sidecar(result)
        if sidecar is None:
            yield path, without_sidecar(result)
            continue
        size, sha256 = measure(result)
        if size != sidecar.bytes:
            yield path, f"has {size} bytes where {sidecar.bytes} were written"
        elif sidecar.sha256 and sha256 != sidecar.sha256:
            yield path, "has other content than was written"
    for sidecar_file in sorted(root.rglob(f"*{SUFFIX}")):
        result = sidecar_file.with_name(sidecar_file.name.removesuffix(SUFFIX))
        if not result.exists():
            yield str(sidecar_file), "the result that it is of is missing"
