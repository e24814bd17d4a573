"""Provenance beside each result: RESULT.provenance.json says what the result was made from.

It travels with copied results, so that they are recognised as current or as stale where no
`.snakemake/` came with them. Equal results have equal sidecars: no time, no host, no path of one.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from ssl_collapse.config.types import StrictModel
from ssl_collapse.provenance.code import module_digests
from ssl_collapse.runtime.files import write_text

SUFFIX = ".provenance.json"
# Digests of larger results would cost minutes; their size still tells a truncated copy.
LARGEST_HASHED = 2**30


class Request(StrictModel):
    """What the workflow tells a job about itself."""

    rule: str
    spec: str
    code: str
    plugins: list[str]
    inputs: list[str]
    outputs: list[str]
    results: str = "results"  # the folder of results, from the working directory


class Sidecar(StrictModel):
    """The content of a sidecar."""

    format_version: Annotated[int, Field(ge=1, le=1)] = 1
    rule: str
    spec: str
    code: str
    lineage: str  # digest of spec and code of this stage and of everything above it
    modules: dict[str, str]  # first-party module -> digest of its code
    inputs: dict[str, str | None]  # name -> sha256, where the input has one on record
    bytes: int
    sha256: str | None


def named(path: str, results: str) -> str:
    """The name of a result, "results/...", the same wherever the folder of results lies."""
    return f"results/{path.removeprefix(f'{results}/')}" if path.startswith(f"{results}/") else path


def located(name: str, results: str) -> str:
    """Where the result of that name lies: the reverse of `named`."""
    return f"{results}/{name.removeprefix('results/')}" if name.startswith("results/") else name


def path_of(result: Path) -> Path:
    """Where the sidecar of a result lies."""
    return result.with_name(result.name + SUFFIX)


def read_sidecar(result: Path) -> Sidecar | None:
    """The sidecar of a result; None if there is none that this version understands."""
    try:
        return Sidecar.model_validate_json(path_of(result).read_bytes())
    except (OSError, ValidationError):
        return None


def without_sidecar(result: Path) -> str:
    """Why nothing is known of a result."""
    sidecar = path_of(result)
    if sidecar.exists():
        return f"{sidecar.name} beside it is damaged or of another version"
    return f"there is no {sidecar.name} beside it"


def write_sidecars(request: Request, script: Path, root: Path) -> None:
    """Describe every output of a finished job."""
    above = {path: read_sidecar(Path(path)) for path in request.inputs}
    inputs = {
        named(path, request.results): sidecar.sha256 if sidecar else None
        for path, sidecar in above.items()
    }
    lineages = [sidecar.lineage for sidecar in above.values() if sidecar]
    modules = module_digests(script, root, tuple(request.plugins))
    for output in map(Path, request.outputs):
        size, sha256 = measure(output)
        content = Sidecar(
            rule=request.rule,
            spec=request.spec,
            code=request.code,
            lineage=lineage(request.spec, request.code, lineages),
            modules=modules,
            inputs=inputs,
            bytes=size,
            sha256=sha256,
        )
        write_text(path_of(output), content.model_dump_json(indent=1) + "\n")


def measure(result: Path) -> tuple[int, str | None]:
    """Bytes and sha256 of a file, or of a folder's files with their names."""
    files = [result]
    if result.is_dir():
        files = sorted(p for p in result.rglob("*") if p.is_file() and not p.name.startswith("."))
    size = sum(file.stat().st_size for file in files)
    if size > LARGEST_HASHED:
        return size, None
    total = hashlib.sha256()
    for file in files:
        if result.is_dir():
            total.update(file.relative_to(result).as_posix().encode() + b"\0")
        with file.open("rb") as content:
            total.update(hashlib.file_digest(content, "sha256").digest())
    return size, total.hexdigest()


def lineage(spec: str, code: str, above: list[str]) -> str:
    """Digest of a stage's spec and code and of the lineages of its inputs."""
    content: list[Any] = [spec, code, sorted(above)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
