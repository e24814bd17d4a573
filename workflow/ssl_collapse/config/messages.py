"""Validation errors in the words of the person who wrote the YAML."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from ssl_collapse.config.experiment import Experiment


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the config: the key's full path, and what to do."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


def describe(
    error: ValidationError,
    raw: dict[str, Any],
    config: dict[str, Any],
    sweeps: dict[str, list[str]],
) -> list[Problem]:
    """Every error of a failed validation.

    Args:
        raw: what was validated, with defaults merged and sweeps expanded.
        config: what was written.
        sweeps: written run -> the runs it was expanded to.
    """
    base = {name: written for written, names in sweeps.items() for name in names}
    problems = []
    for item in error.errors(include_url=False):
        path = list(_keys(item["loc"], raw))
        text = _text(item, raw)
        if path[:1] == ["runs"] and len(path) > 1:
            path = _as_written(path, config, base)
        problems.append(Problem(".".join(path) or "config", text))
    return problems


def _keys(location: tuple[int | str, ...], raw: Any) -> Iterator[str]:
    """Drop what pydantic adds to a location: the tags of unions and the names of validators."""
    *parents, last = location
    for part in parents:
        keys = range(len(raw)) if isinstance(raw, list) else raw
        if isinstance(raw, dict | list) and part in keys:
            raw = raw[part]  # type: ignore[index]
            yield str(part)
    if not isinstance(raw, dict | list) and raw is not None:
        return  # the last part names a member of a union, not a key
    yield str(last)


def _as_written(path: list[str], config: dict[str, Any], base: dict[str, str]) -> list[str]:
    name = base.get(path[1], path[1])
    if len(path) > 2:
        run = (config.get("runs") or {}).get(name) or {}
        if path[2] not in run and path[2] in (config.get("defaults") or {}):
            return ["defaults", *path[2:]]
    return ["runs", name, *path[2:]]


def _text(item: Any, raw: dict[str, Any]) -> str:
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{_suggestion(item)}"
    if kind == "missing":
        return "missing; this key is required"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("float_type", "int_type") and isinstance(value, str):
        return _number_as_text(value, kind)
    if kind == "int_type" and isinstance(value, float):
        return f"{value} must be a whole number"
    if kind == "string_pattern_mismatch":
        return f"{value!r} is not allowed; use letters, digits, `_`, `-` and `.`"
    if kind in ("literal_error", "union_tag_invalid"):
        allowed = str(context.get("expected") or context.get("expected_tags"))
        got = value if kind == "literal_error" else context.get("tag")
        near = get_close_matches(
            str(got), allowed.replace("'", "").replace(" or ", ", ").split(", ")
        )
        hint = f"; did you mean `{near[0]}`?" if near else ""
        return f"{got!r} is not allowed; it is one of {allowed}{hint}"
    message = item["msg"][:1].lower() + item["msg"][1:]
    return f"{message}, not {value!r}" if not isinstance(value, dict) else message


def _number_as_text(value: str, kind: str) -> str:
    try:
        number = float(value)
    except ValueError:
        return f"{value!r} is text; a number belongs here"
    if kind == "int_type" and number == int(number):
        return f"{value!r} is text to YAML; write {int(number)}"
    mantissa, _, exponent = value.lower().partition("e")
    fixed = f"{mantissa if '.' in mantissa else mantissa + '.0'}e{exponent}" if exponent else value
    if exponent and exponent[0] not in "+-":
        fixed = fixed.replace("e", "e+")
    return f"{value!r} is text to YAML; write {fixed} (a dot and a sign make it a number)"


def _suggestion(item: Any) -> str:
    near = get_close_matches(str(item["loc"][-1]), sorted(_known_keys() - {item["loc"][-1]}), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


def _known_keys() -> set[str]:
    schema = Experiment.model_json_schema()
    models = [schema, *schema.get("$defs", {}).values()]
    return {"defaults"} | {key for model in models for key in model.get("properties", {})}
