"""The key of a job in the store: all that decides the bytes of its results, and no path.

Inputs count by their role and content, so that a run that is called otherwise, or another folder,
has the same keys. What a result says of its own name (`Request.label`) is part of the key. Of every
size by content: sidecars hold the digests already, and results made on a GPU may differ though all
that they come from is equal.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssl_collapse.provenance.canonical import canonical
from ssl_collapse.provenance.sidecar import Request

FORMAT = 1  # of keys: another makes earlier entries unknown


@dataclass(frozen=True)
class Input:
    """What a job reads: its content, the stage that made it, and where its bytes lie."""

    sha256: str
    stage: str
    file: Path


Ingredients = dict[str, Any]


def ingredients(
    request: Request, spec: str, inputs: Sequence[Input], lineages: Mapping[str, str] | None = None
) -> Ingredients:
    """What a job's key is the digest of.

    inputs: in the order of `request.inputs`. lineages: digest of packed images -> their lineage, to
    go by that.
    """
    known = lineages or {}
    nameless = request.rule == "ordering"  # reads a dataset's name, and does not write it
    digests = [known.get(i.sha256) or (_nameless(i) if nameless else i.sha256) for i in inputs]
    return {
        "format": FORMAT,
        "stage": request.rule,
        "spec": spec,
        "code": request.code,
        "label": request.label,
        "inputs": list(zip(request.roles, digests, strict=True)),
        "outputs": request.parts,
    }


def lineage(request: Request, spec: str, inputs: Sequence[Input]) -> str:
    """What packed images are made from, but for the dataset's name, which they hold.

    All that reads them reads the same under another name, and packing is the same on every machine:
    so who trains on a dataset that was renamed finds by their lineage what was trained before.
    """
    digests = list(map(_nameless, inputs))
    return digest_of({**ingredients(request, spec, inputs), "inputs": digests})


def digest_of(made_from: Ingredients) -> str:
    """The key."""
    return hashlib.sha256(canonical(made_from).encode()).hexdigest()


def _nameless(read: Input) -> str:
    """The content of an input; of a dataset's description without the dataset's name."""
    if read.stage != "dataset":
        return read.sha256
    try:
        description = json.loads(read.file.read_text("utf-8"))
        return digest_of({key: value for key, value in description.items() if key != "dataset"})
    except (ValueError, AttributeError):  # whoever reads it says what is wrong with it
        return read.sha256
