"""The canonical text of a stage's part of the config."""

import json
from typing import Any


def canonical(spec: Any) -> str:
    """Compact JSON with sorted keys: equal specs are equal strings, whatever their key order."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False)
