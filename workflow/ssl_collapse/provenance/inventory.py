"""Whether a user's images are those that a dataset was described from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Comparison:
    """What the images are, beside what they were."""

    state: Literal["same", "differs", "unknown"]
    reason: str = ""
    content: str | None = None
    fresh: dict[str, Any] | None = None


def compare(folders: Mapping[str, str], inventory: Path, everything: bool = False) -> Comparison:
    """Compare the folders with the inventory."""
    return Comparison("unknown", f"{inventory} is missing")


def save(inventory: Path, comparison: Comparison) -> None:
    """Keep what was read."""
