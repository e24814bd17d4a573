"""Captions for `snakemake --report`: what figures say of themselves, as reStructuredText."""

import re
from pathlib import Path
from typing import Any

from engine.stage import Lazy, Param, answered


def caption() -> Param:
    """A param with the caption that a job has written; empty before it has. Read when shown."""
    return answered(lambda wildcards, output: Lazy(lambda: _restructured(output)))


def _restructured(output: Any) -> str:
    path = Path(output.caption)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return re.sub(r"([\\*`|_])", r"\\\1", text)
