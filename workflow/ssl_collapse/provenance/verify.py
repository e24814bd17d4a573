"""The full check: every result on disk against its sidecar."""

from collections.abc import Iterator
from pathlib import Path

from ssl_collapse.provenance.adopt import existing_results
from ssl_collapse.provenance.sidecar import measure, path_of, read_sidecar


def damaged_results(root: Path) -> Iterator[tuple[str, str]]:
    """Every result that is not what its sidecar says, and what is wrong with it."""
    for path in existing_results(root):
        result = Path(path)
        sidecar = read_sidecar(result)
        if sidecar is None:
            yield path, f"there is no {path_of(result).name} beside it"
            continue
        size, sha256 = measure(result)
        if size != sidecar.bytes:
            yield path, f"has {size} bytes where {sidecar.bytes} were written"
        elif sidecar.sha256 and sha256 != sidecar.sha256:
            yield path, "has other content than was written"
