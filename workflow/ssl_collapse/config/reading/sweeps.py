"""Runs as written in YAML -> one run per value of each sweep.

A list where a single value belongs is a sweep: `share: [1, 5, 20, 100]` makes four runs, named
after key and value. Several lists make their product.
"""

import math
import re
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any

from ssl_collapse.config.reading.keys import below
from ssl_collapse.config.reading.schema import Node, models


def combinations(run: Any) -> int:
    """How many runs a written run stands for."""
    return math.prod(len(values) for _, values in _axes(run))


def expand(name: str, run: Any) -> Iterator[tuple[str, Any]]:
    """Yield the runs that one written run stands for, with their names.

    Without a sweep that is the run itself; where a value comes twice, two have one name.
    """
    axes = list(_axes(run))
    for values in product(*(values for _, values in axes)):
        expanded, expanded_name = run, name
        for (path, _), value in zip(axes, values, strict=True):
            expanded = _replace(expanded, path, value)
            # no name may be longer than 80 characters: what is cut here is refused
            expanded_name += f"-{path[-1]}" + re.sub(r"[^A-Za-z0-9_.]+", "_", str(value))[:100]
        yield expanded_name, expanded


def _axes(run: Any) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    return _lists(run, below([models()["properties"]["runs"]], ""))


def _lists(
    raw: Any, nodes: Iterable[Node], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """The lists that stand where no list belongs."""
    nodes = list(nodes)
    for key, value in raw.items() if isinstance(raw, dict) else ():
        inner = list(below(nodes, key))
        types = [node.get("type") for node in inner]
        if isinstance(value, dict):
            yield from _lists(value, inner, (*path, key))
        elif isinstance(value, list) and value and types and "array" not in types:
            yield (*path, key), value


def _replace(raw: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    key, *rest = path
    return {**raw, key: _replace(raw[key], tuple(rest), value) if rest else value}
