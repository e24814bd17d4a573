"""Validation errors in the words of the person who wrote the YAML."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ssl_collapse.config.reading.keys import allowed_keys, nearest, suggestion, tags

_LONGEST = 80  # characters of a value
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
_MAPPING = ("dict_type", "model_type", "model_attributes_type", "union_tag_not_found")
_TYPES = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "string_unicode": "text of whole Unicode characters",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
    "too_short": ("a list of at least", "min_length"),
    "too_long": ("a list of at most", "max_length"),
    "string_too_long": ("at most", "max_length"),
}
_UNITS = {"too_short": " values", "too_long": " values", "string_too_long": " characters long"}


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
        path = tuple(_keys(item["loc"], item["type"], raw))
        items.setdefault(path, []).append(item)
    for path, found in items.items():
        if found[0]["type"] == "extra_forbidden":
            known = allowed_keys(path[:-1], raw)
            text = f"unknown key (its value is {shown(found[0]['input'])})"
            yield Problem(path, text + suggestion(path[-1], known))
        elif found[0]["type"].startswith("union_tag"):
            yield _wrong_tag(path, found[0], raw)
        elif not _only_too_short(path, found, items):
            yield Problem(path, _text(found, allowed_keys(path, raw)))


def _keys(location: tuple[int | str, ...], kind: str, raw: Any) -> Iterator[str]:
    """Drop what pydantic adds to a location: the tags of unions and the names of validators."""
    *parents, last = location
    for part in parents:
        if _has(raw, part):
            raw = raw[part]
            yield str(part)
    if _has(raw, last) or (kind == "missing" and isinstance(raw, dict)):
        yield str(last)


def _has(raw: Any, part: int | str) -> bool:
    if isinstance(raw, list):
        return isinstance(part, int) and part < len(raw)
    return isinstance(raw, dict) and part in raw


def _only_too_short(path: tuple[str, ...], found: list[Any], items: Any) -> bool:
    """A list that counts as too short because what stands in it is wrong."""
    below = (other for other in items if len(other) > len(path) and other[: len(path)] == path)
    return found[0]["type"] == "too_short" and any(below)


def _wrong_tag(path: tuple[str, ...], item: Any, raw: dict[str, Any]) -> Problem:
    context, value = item["ctx"], item["input"]
    tag = context["discriminator"].strip("'")
    if not isinstance(value, dict):
        return Problem(path, f"{shown(value)} is not allowed; it must be a mapping with `{tag}`")
    path = (*path, tag)
    if item["type"] == "union_tag_not_found":
        return Problem(path, f"missing; it must be one of {', '.join(tags(path, raw))}")
    allowed = dict.fromkeys([*_words(context["expected_tags"]), *tags(path, raw)])
    return Problem(path, _choice(value.get(tag), list(allowed)))


def _text(items: list[Any], keys: Sequence[str]) -> str:
    item = items[0]
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "missing":
        return "missing; this key is required"
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        if item["loc"][-1] != "[key]":
            return f"{shown(value)} is not allowed; it must be a column of summary.csv"
        letters = "letters, digits, `_`, `-` and `.`, a letter or digit first"
        return f"{shown(value)} is not allowed; use {letters}"
    number = _number_as_text(value, kind) if len(items) == 1 else None
    if number is not None:
        return number
    if kind == "literal_error" and len(items) == 1:
        return _choice(value, _words(context["expected"]))
    if kind in ("too_short", "string_too_short") and not value:
        return f"{shown(value)} is empty; give at least {context['min_length']} {_entry(value)}"
    expected = " or ".join(_expected(i, keys) for i in items)
    quoted = kind == "string_type" and isinstance(value, bool | int | float)
    hint = f" (in quotes: '{shown(value)}')" if quoted else ""
    return f"{shown(value)} is not allowed; it must be {expected}{hint}"


def _expected(item: Any, keys: Sequence[str]) -> str:
    """What is allowed, as the end of a sentence."""
    kind, context = item["type"], item.get("ctx", {})
    if kind in _BOUNDS:
        word, bound = _BOUNDS[kind]
        return f"{word} {context[bound]:.10g}{_UNITS.get(kind, '')}"
    if kind == "literal_error":
        return str(context["expected"])
    if kind in _MAPPING:
        return f"a mapping with keys out of {', '.join(keys)}" if keys else "a mapping of names"
    return _TYPES.get(kind) or f"otherwise ({item['msg']})"


def _entry(value: Any) -> str:
    return "character" if isinstance(value, str) else "entry"


def _choice(value: Any, allowed: list[str]) -> str:
    near = nearest(value, allowed) if isinstance(value, str) else None
    hint = f"; did you mean `{near}`?" if near else ""
    one_of = "one of " if len(allowed) > 1 else ""
    return f"{shown(value)} is not allowed; it must be {one_of}{', '.join(allowed)}{hint}"


def _words(expected: str) -> list[str]:
    return expected.replace("'", "").replace(" or ", ", ").split(", ")


def _number_as_text(value: Any, kind: str) -> str | None:
    """How to write what is a number or a truth value in quotes; None if it is something else."""
    if kind == "bool_type" and value in ("true", "false"):
        return f"{value!r} is text; write it without quotes"
    if kind not in ("float_type", "int_type") or not isinstance(value, str):
        return None
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,3})?", value, re.IGNORECASE | re.ASCII):
        return None
    number = float(value)
    if kind == "int_type":
        whole = number.is_integer()
        return f"{value!r} is text to YAML; write {int(number)}" if whole else None
    mantissa, _, exponent = value.lower().partition("e")
    if not exponent:
        return f"{value!r} is text; write it without quotes"
    fixed = f"{mantissa if '.' in mantissa else mantissa + '.0'}e{exponent}"
    if exponent[0] not in "+-":
        fixed = fixed.replace("e", "e+")
    return f"{value!r} is text to YAML; write {fixed} (a dot and a sign make it a number)"
