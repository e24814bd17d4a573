"""The version of what collapse.json, knn.json and probe.json hold."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssl_collapse.runtime.errors import UserError

# Raised when a reader of the present version would misread the file. Files without are version 1.
FORMAT_VERSION = 1


def check_format(path: Path, content: Mapping[str, Any]) -> None:
    """Raise UserError where a result was written by a newer version than can be read here."""
    version = content.get("format_version", 1)
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise UserError(
            f"{path}: format_version is {version}, this program reads 1 to {FORMAT_VERSION}; "
            "use the version of the program that wrote the file"
        )
