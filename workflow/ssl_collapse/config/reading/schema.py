"""The config's JSON schema, for editors, and its reference, both written from the models.

`python -m ssl_collapse.config.reading.schema` writes `config.schema.json` and `docs/CONFIG.md`.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from ssl_collapse.config.checkpoints import CheckpointRun
from ssl_collapse.config.experiment import Experiment
from ssl_collapse.config.files import FileRun
from ssl_collapse.config.paper import PAPER
from ssl_collapse.config.types import TAGS, StrictModel

Node = dict[str, Any]
SCHEMA, REFERENCE = "config.schema.json", "docs/CONFIG.md"
FILLED = ("files", "checkpoints")  # sections that are filled in, not written
_INTRODUCTION = """\
# Every key of the config

Written from the models by `python -m ssl_collapse.config.reading.schema`. Editors that know YAML
schemas complete and check these keys with `config.schema.json`. `defaults` takes the keys of a run
and lies under every run; where a run has a single value, a list makes one run of each.
"""


def config_schema() -> Node:
    """JSON schema (2020-12) of a config file as people write it: with defaults and sweeps.

    No section is required, since a file may be laid over another one, and no key of a run, since
    `defaults` may hold it.
    """
    schema = deepcopy(_written())
    properties = schema["properties"]
    for section in ("datasets", "runs", "figures"):
        properties[section]["additionalProperties"] = False
    # its patternProperties are for objects alone, the pattern for texts
    properties["figures"] |= {"type": ["object", "string"], "pattern": f"^{PAPER}$"}
    ((pattern, run),) = properties["runs"]["patternProperties"].items()
    run = {**_swept(run), "type": ["object", "null"]}
    for brought in (CheckpointRun, FileRun):
        run["properties"] = {**_schema_of(brought)["properties"], **run["properties"]}
    properties["runs"]["patternProperties"] = {pattern: {"$ref": "#/$defs/run"}}
    about = "Keys of a run that lie under every run."
    properties["defaults"] = {"$ref": "#/$defs/run", "description": about}
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **schema, "$defs": {"run": run}}


@cache
def models() -> Node:
    """The schema of the models, with its definitions where they are used."""
    node = _schema_of(Experiment)
    del node["properties"]["sweeps"]  # filled in, not written
    return {**node, "description": "The sections of a config file."}


def _schema_of(model: type[StrictModel]) -> Node:
    schema = model.model_json_schema()
    node: Node = _inlined(schema, schema.pop("$defs"))
    return node


def _written() -> Node:
    """That of what people write."""
    properties = {k: node for k, node in models()["properties"].items() if k not in FILLED}
    return {**models(), "properties": properties}


def _inlined(node: Any, definitions: Node) -> Any:
    """Without references, and without pydantic's titles, which say no more than the keys."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        node = {**definitions[node["$ref"].rpartition("/")[2]], **node}
    return {
        key: _inlined(value, definitions)
        for key, value in node.items()
        if key not in ("$ref", "discriminator") and not (key == "title" and isinstance(value, str))
    }


def _swept(node: Node) -> Node:
    """A place in a run, without required keys and with sweeps in its mappings."""
    node = {key: value for key, value in node.items() if key != "required"}
    for word in ("anyOf", "oneOf"):
        if word in node:  # without required tags, a mapping may fit several: any of them
            node["anyOf"] = [_swept(member) for member in node.pop(word)]
    if "properties" in node:
        node["properties"] = {key: _with_sweep(value) for key, value in node["properties"].items()}
    return node


def _with_sweep(node: Node) -> Node:
    """One value, or a list of such values where the value itself is no list."""
    if any(member.get("type") == "array" for member in members(node)):
        return node
    about: Node = {key: node[key] for key in ("description", "default") if key in node}
    value = _swept({key: part for key, part in node.items() if key not in about})
    return {"anyOf": [value, {"type": "array", "items": value, "minItems": 1}], **about}


def members(node: Node) -> list[Node]:
    """What a union may be, or the node itself."""
    inner = node.get("anyOf") or node.get("oneOf") or []
    return [member for one in inner for member in members(one)] or [node]


def reference() -> str:
    """A table of the keys of every mapping of the config, as Markdown."""
    mappings = dict(_mappings("", _written()))
    for key, brought in (("checkpoint", CheckpointRun), ("representations", FileRun)):
        of_it = _mappings(f"runs.NAME with {key}", _schema_of(brought))
        mappings |= {name: node for name, node in of_it if ".backbone`" not in name}
    tables = [
        "\n".join([f"\n## {heading}\n", node["description"], "", *_table(node)])
        for heading, node in mappings.items()
    ]
    return "\n".join([_INTRODUCTION.rstrip("\n"), *tables]) + "\n"


def _mappings(place: str, node: Node) -> Iterator[tuple[str, Node]]:
    """Every mapping with keys of its own, with where it stands: `datasets.NAME.source`."""
    if "properties" in node:
        keys = [node["properties"].get(key, {}) for key in TAGS]
        tags = [tag for key in keys for tag in choices(key)]
        heading = f"`{place}`" if place else "Sections"
        yield f"{heading}: {', '.join(tags)}" if tags else heading, node
        for key, inner in node["properties"].items():
            yield from _mappings(f"{place}.{key}".lstrip("."), inner)
    elif len(members(node)) > 1:
        for member in members(node):
            yield from _mappings(place, member)
    else:
        for inner in node.get("patternProperties", {}).values():
            yield from _mappings(f"{place}.NAME", inner)
        if "items" in node:
            yield from _mappings(f"{place}[]", node["items"])


def _table(node: Node) -> Iterator[str]:
    yield "| key | value | default | meaning |\n|---|---|---|---|"
    for key, inner in node["properties"].items():
        values = dict.fromkeys(map(_value, members(inner)))
        default = "required" if key in node.get("required", ()) else _default(inner)
        cells = [f"`{key}`", " or ".join(values), default, inner["description"]]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(node: Node) -> str:
    # Of a mapping, the table of its own keys says more.
    known = "default" in node and not isinstance(node["default"], dict)
    return f"`{json.dumps(node['default'])}`" if known else ""


def choices(node: Node) -> list[str]:
    """The words that may stand there, or an example of them."""
    words = node.get("enum") or ([node["const"]] if "const" in node else node.get("examples", []))
    return [str(word) for word in words]


def _value(node: Node) -> str:
    """What may stand there, in a few words."""
    if words := choices(node):
        return ", ".join(f"`{word}`" for word in words)
    if node["type"] == "array":
        return f"list of {' or '.join(map(_value, members(node['items'])))}"
    kinds = {"integer": "whole number", "string": "text", "object": "mapping"}
    kinds |= {"boolean": "`true`, `false`", "null": "`null`"}
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f" {sign} {node[key]:.10g}" for key, sign in signs.items() if key in node]
    return kinds.get(node["type"], str(node["type"])) + ",".join(bounds)


def written() -> dict[str, str]:
    """The files that are written from the models, and their contents."""
    schema = json.dumps(config_schema(), indent=1, ensure_ascii=False) + "\n"
    return {SCHEMA: schema, REFERENCE: reference()}


if __name__ == "__main__":
    for name, content in written().items():
        Path(__file__).parents[4].joinpath(name).write_text(content, "utf-8")
