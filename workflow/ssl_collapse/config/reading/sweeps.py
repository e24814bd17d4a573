"""Runs as written in YAML -> one run per value of each sweep.

A list where a single value belongs is a sweep: `share: [1, 5, 20, 100]` makes four runs, named
after key and value. Several lists make their product.
"""

import math
import re
import typing
from collections.abc import Iterator
from itertools import product
from typing import Any

from pydantic import BaseModel

from ssl_collapse.config.experiment import RunConfig
from ssl_collapse.config.reading.keys import parts


def combinations(run: Any) -> int:
    """How many runs a written run stands for."""
    return math.prod(len(values) for _, values in _axes(run, RunConfig, ()))


def expand(name: str, run: Any) -> Iterator[tuple[str, Any]]:
    """Yield the runs that one written run stands for, with their names.

    Without a sweep that is the run itself; where a value comes twice, two have one name.
    """
    axes = list(_axes(run, RunConfig, ()))
    if not axes:
        yield name, run
        return
    for values in product(*(values for _, values in axes)):
        expanded, suffix = run, ""
        for (path, _), value in zip(axes, values, strict=True):
            expanded = _replace(expanded, path, value)
            suffix += f"-{path[-1]}{_as_name(value)}"
        yield name + suffix, expanded


def _axes(raw: Any, *models_and_path: Any) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    if not isinstance(raw, dict):
        return
    *models, path = models_and_path
    for key, value in raw.items():
        annotations = [m.model_fields[key].annotation for m in models if key in m.model_fields]
        members = [part for annotation in annotations for part in parts(annotation)]
        if isinstance(value, list) and value and members and list not in map(_origin, members):
            yield (*path, key), value
        elif isinstance(value, dict):
            nested = [p for p in members if isinstance(p, type) and issubclass(p, BaseModel)]
            yield from _axes(value, *nested, (*path, key))


def _origin(annotation: Any) -> Any:
    return typing.get_origin(annotation) or annotation


def _replace(raw: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    key, *rest = path
    return {**raw, key: _replace(raw[key], tuple(rest), value) if rest else value}


def _as_name(value: Any) -> str:
    # No name may be longer than 80 characters: what is cut here is refused.
    return re.sub(r"[^A-Za-z0-9_.]+", "_", str(value))[:100]
