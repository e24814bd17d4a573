"""What the config may hold at a place, by its schema, and the nearest to what it may not."""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from ssl_collapse.config.reading.schema import FILLED, Node, choices, members, models
from ssl_collapse.config.types import TAGS

MOST_LISTED = 50


def allowed_keys(path: Sequence[str], raw: Any) -> list[str]:
    """The keys of the mapping at `path`; none where anything may be a key, or nothing.

    raw: the config, which says by `kind`, `arch` or `name` which member of a union is meant.
    """
    keys = dict.fromkeys(key for node in _at(path, raw) for key in node.get("properties", ()))
    return list(keys) if path else [*(key for key in keys if key not in FILLED), "defaults"]


def tags(path: Sequence[str], raw: Any) -> list[str]:
    """The values that the key at `path` may have, over all members of a union."""
    return [choice for node in _at(path, raw) for choice in choices(node)]


def below(nodes: Iterable[Node], key: str) -> Iterator[Node]:
    """The nodes below `key` in mappings and lists."""
    for node in nodes:
        inner = [*node.get("patternProperties", {}).values()]
        inner += [node["items"]] if "items" in node else []
        for part in [node["properties"][key]] if key in node.get("properties", ()) else inner:
            yield from members(part)


def _at(path: Sequence[str], raw: Any) -> list[Node]:
    """The nodes at `path`; where a tag tells which mapping is meant, only that."""
    nodes = [models()]
    for key in path:
        nodes = list(below(nodes, key))
        raw = raw.get(key) if isinstance(raw, dict) else None
        nodes = [node for node in nodes if _is_tagged(node, raw)] or nodes
    return nodes


def _is_tagged(node: Node, raw: Any) -> bool:
    inner = node.get("properties", {})
    return isinstance(raw, dict) and any(_fits(raw.get(t), inner.get(t, {})) for t in TAGS)


def _fits(word: Any, node: Node) -> bool:
    matching = "pattern" in node and isinstance(word, str) and re.match(node["pattern"], word)
    return word in choices(node) or bool(matching)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` is probably meant to be."""
    lower = {name.lower(): name for name in known}
    word = word.lower()
    if near := get_close_matches(word, lower, n=1, cutoff=0.7):
        return lower[near[0]]
    for name, written in lower.items():
        if len(word) > 1 and (name.startswith(word) or word in name.split("_")):
            return written
    return None


def suggestion(word: str, known: Sequence[str]) -> str:
    """The end of a message on an unknown word: the nearest known one, or all of them."""
    if near := nearest(word, known):
        return f"; did you mean `{near}`?"
    return f"; there are: {listed(known)}" if known else ""


def listed(names: Sequence[str]) -> str:
    """The names, or where they are too many for a message, the first of them."""
    return ", ".join([*names[:MOST_LISTED], *(["..."] if len(names) > MOST_LISTED else [])])
