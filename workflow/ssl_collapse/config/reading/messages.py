"""Validation errors in the words of the person who wrote the YAML."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from ssl_collapse.config.reading.keys import allowed_keys, nearest, suggestion, tags

_LONGEST = 80  # characters of a value
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,3})?", re.IGNORECASE | re.ASCII)
_WORDS = {  # pydantic's, and plainer ones
    r"Input should be": "it must be",
    r"(List|Tuple|String|Dictionary) should have": "it must have",
    r" after validation.*": "",
    r"a valid integer": "a whole number",
    r"a valid boolean": "true or false",
    r"a valid string": "text",
    r"a valid (list|tuple)": "a list",
    r"a valid ": "a ",
    r"greater than or equal to": "at least",
    r"less than or equal to": "at most",
}


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the config: the key's full path, and what to do."""

    path: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        # A name with anything unusual in it is quoted, so that the message stays on one line.
        keys = (
            key if _PLAIN.fullmatch(key) and len(key) < 100 else shown(key) for key in self.path
        )
        return f"{'.'.join(keys) or 'config'}: {self.text}"


def shown(value: Any) -> str:
    """A value as YAML has it, on one line, cut where it is long."""
    if isinstance(value, str):
        text = repr(value)
    elif isinstance(value, dict | list | bool | None):
        text = json.dumps(value, default=str, ensure_ascii=False)
    else:
        text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def describe(error: ValidationError, raw: dict[str, Any]) -> Iterator[Problem]:
    """Every error of a failed validation of `raw`, one per key."""
    items: dict[tuple[str, ...], list[Any]] = {}
    for item in error.errors(include_url=False):
        # a list may count as too short because what stands in it is wrong
        if item["type"] != "too_short" or len(item["input"]) < item["ctx"]["min_length"]:
            path = tuple(_keys(item["loc"], item["type"], raw))
            items.setdefault(path, []).append(item)
    for path, found in items.items():
        if found[0]["type"].startswith("union_tag"):
            path = (*path, found[0]["ctx"]["discriminator"].strip("'"))
        yield Problem(path, _text(path, found, raw))


def _keys(location: tuple[int | str, ...], kind: str, raw: Any) -> Iterator[str]:
    """Drop what pydantic adds to a location: the tags of unions and the names of validators."""
    for part in location:
        inside = isinstance(raw, dict) and part in raw
        inside |= isinstance(raw, list) and isinstance(part, int) and part < len(raw)
        raw = raw[part] if inside else raw
        if inside or (kind == "missing" and part == location[-1]):
            yield str(part)


def _text(path: tuple[str, ...], found: list[Any], raw: dict[str, Any]) -> str:
    kind, value, context = found[0]["type"], found[0]["input"], found[0].get("ctx", {})
    wrong = f"{shown(value)} is not allowed"
    match kind:
        case "missing":
            return "missing; this key is required"
        case "value_error":
            return str(context["error"])
        case "extra_forbidden":
            known = suggestion(path[-1], allowed_keys(path[:-1], raw))
            return f"unknown key (its value is {shown(value)}){known}"
        case "union_tag_not_found":
            return f"missing; it must be one of {', '.join(tags(path, raw))}"
        case "union_tag_invalid":
            return _choice(value[path[-1]], tags(path, raw))
        case "literal_error" if len(found) == 1:
            return _choice(value, re.findall(r"'([^']*)'", context["expected"]))
        case "string_pattern_mismatch" if found[0]["loc"][-1] == "[key]":
            return f"{wrong}; use letters, digits, `_`, `-` and `.`, a letter or digit first"
        case "string_pattern_mismatch":
            return f"{wrong}; it must be a column of summary.csv"
    if len(found) == 1 and (unquoted := _unquoted(value, kind)):
        return f"{value!r} is text to YAML; write {unquoted} (nested in `--config`, all is text)"
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f"{wrong}; it must be text (in quotes: '{shown(value)}')"
    wishes = dict.fromkeys(_wish(item, allowed_keys(path, raw)) for item in found)
    return f"{wrong}; {' or '.join(wishes).replace(' or it must be ', ' or ')}"


def _wish(item: Any, keys: list[str]) -> str:
    if item["type"] in ("dict_type", "model_type", "model_attributes_type"):
        of = f"with keys out of {', '.join(keys)}" if keys else "of names"
        return f"it must be a mapping {of}"
    text = str(item["msg"])
    for pattern, words in _WORDS.items():
        text = re.sub(pattern, words, text)
    return text


def _choice(value: Any, allowed: list[str]) -> str:
    near = nearest(value, allowed) if isinstance(value, str) else None
    hint = f"; did you mean `{near}`?" if near else ""
    one_of = "one of " if len(allowed) > 1 else ""
    return f"{shown(value)} is not allowed; it must be {one_of}{', '.join(allowed)}{hint}"


def _unquoted(value: Any, kind: str) -> str | None:
    """How YAML writes the number or truth value that a text looks like; None if it is neither."""
    if kind == "bool_type" and value in ("true", "false"):
        return str(value)
    if not (kind in ("float_type", "int_type") and isinstance(value, str)):
        return None
    number = float(value) if _NUMBER.fullmatch(value) else math.nan
    if kind == "int_type":
        return str(int(number)) if number.is_integer() else None
    return yaml.safe_dump(number).split()[0] if math.isfinite(number) else None
