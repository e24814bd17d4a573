"""Which keys the config may have at a place, and the nearest to one that it may not."""

import re
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

from ssl_collapse.config.backbones.timm_model import PREFIX
from ssl_collapse.config.experiment import Experiment

MOST_LISTED = 50


def allowed_keys(path: Sequence[str], raw: Any) -> list[str]:
    """The keys of the mapping at `path`; none where anything may be a key, or nothing.

    raw: the config, which says by `kind`, `arch` or `name` which member of a union is meant.
    """
    found, raw = _at(path, raw)
    models = _meant([p for annotation in found for p in parts(annotation)], raw)
    keys = dict.fromkeys(key for model in models for key in model.model_fields)
    if not path:
        return [*(key for key in keys if key not in ("sweeps", "files", "checkpoints")), "defaults"]
    return list(keys)


def tags(path: Sequence[str], raw: Any) -> list[str]:
    """The values that the key at `path` may have, over all members of a union."""
    found, _ = _at(path, raw)
    values = [str(value) for annotation in found for value in typing.get_args(annotation)]
    return [*values, f"{PREFIX}NAME"] if path[-1] == "arch" else values


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


def parts(annotation: Any) -> Iterator[Any]:
    """The members of unions and optionals, without `Annotated`."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from parts(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from parts(part)
    else:
        yield annotation


def _at(path: Sequence[str], raw: Any) -> tuple[list[Any], Any]:
    """The annotations at `path`, and what the config has there."""
    found: list[Any] = [Experiment]
    for part in path:
        found = [a for annotation in found for a in _below(annotation, part, raw)]
        raw = _item(raw, part)
    return found, raw


def _below(annotation: Any, part: str, raw: Any) -> Iterator[Any]:
    members = list(parts(annotation))
    for model in _meant(members, raw):
        if part in model.model_fields:
            yield model.model_fields[part].annotation
    for member in members:
        origin, arguments = typing.get_origin(member), typing.get_args(member)
        if origin is dict:
            yield arguments[1]
        elif origin in (list, tuple):
            yield arguments[0]


def _meant(members: Iterable[Any], raw: Any) -> list[type[BaseModel]]:
    """The models among the members; where a tag tells which one is meant, only that."""
    models = [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
    tagged = [model for model in models if _has_tag(model, raw)]
    return tagged or models


def _has_tag(model: type[BaseModel], raw: Any) -> bool:
    for tag in ("kind", "arch", "name"):
        if tag in model.model_fields and isinstance(raw, dict):
            values = typing.get_args(model.model_fields[tag].annotation)
            named = raw[tag] if isinstance(raw.get(tag), str) else ""
            if named in values or (not values and named.startswith(PREFIX)):
                return True
    return False


def _item(raw: Any, part: str) -> Any:
    if isinstance(raw, dict):
        return raw.get(part)
    if isinstance(raw, list) and re.fullmatch(r"\d+", part) and int(part) < len(raw):
        return raw[int(part)]
    return None
