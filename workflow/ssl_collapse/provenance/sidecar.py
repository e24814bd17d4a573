"""Provenance beside each result: RESULT.provenance.json says what the result was made from.

It is what a plan is judged by, and it travels with copied results. Equal results have equal
sidecars: no time, no host, no path of one.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from ssl_collapse.config.types import StrictModel

SUFFIX = ".provenance.json"
TOLD = "recipes and codes that it tells of"  # what of sidecars the report shows, as an input


class Request(StrictModel):
    """What the workflow tells a job about itself."""

    rule: str
    code: str
    plugins: list[str]
    inputs: list[str]
    outputs: list[str]
    results: str = "results"  # the folder of results, from the working directory
    roles: list[str] = []  # of each input: the name that the rule has for it
    parts: list[str] = []  # of each output, likewise
    told: list[str] = []  # folders of results whose sidecars a report shows
    label: str = ""  # what the result says of its own name, which no spec holds
    store: str = ""  # the folder of the store; none: nothing is taken, nothing kept
    everyone: bool = False  # whether what other users put there is taken


class Sidecar(StrictModel):
    """The content of a sidecar."""

    format_version: Annotated[int, Field(ge=2, le=2)] = 2
    rule: str
    spec: str
    code: str
    modules: dict[str, str]  # first-party module -> digest of its code
    inputs: dict[str, str]  # name of the input -> sha256 of what was read
    bytes: int
    sha256: str


def named(path: str, results: str) -> str:
    """The name of a result, "results/...", the same wherever the folder of results lies."""
    return f"results/{path.removeprefix(f'{results}/')}" if path.startswith(f"{results}/") else path


def path_of(result: Path) -> Path:
    """Where the sidecar of a result lies."""
    return Path(f"{result}{SUFFIX}")


def read_sidecar(result: Path) -> Sidecar | None:
    """The sidecar of a result; None if there is none that this version understands."""
    try:
        with open(f"{result}{SUFFIX}", "rb") as file:  # noqa: PTH123  a plan reads thousands
            return Sidecar.model_validate_json(file.read())
    except (OSError, ValidationError):
        return None


def without_sidecar(result: Path) -> str:
    """Why nothing is known of a result."""
    sidecar = path_of(result)
    if sidecar.exists():
        return f"{sidecar.name} beside it is damaged or of another version"
    return f"there is no {sidecar.name} beside it"
