"""What YAML makes of a text that its writer did not mean: names, numbers and keys given twice."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ssl_collapse.config.reading.messages import Problem, shown

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the faster one, where there is one
Place = tuple[str, ...]  # of keys


def with_text_keys(raw: Any, problems: list[Problem], path: Place = ()) -> Any:
    """The same config with text for every key; what was no text is added to `problems`."""
    if isinstance(raw, list):
        return [with_text_keys(v, problems, (*path, str(i))) for i, v in enumerate(raw)]
    if not isinstance(raw, dict):
        return raw
    result = {}
    for key, value in raw.items():
        name = key if isinstance(key, str) else shown(key)
        name = name.encode("utf-8", "backslashreplace").decode()
        if name != key:
            text = "holds half a character; write it whole"
            if not isinstance(key, str):
                words = {"true": " (as yes, on, true)", "false": " (as no, off, false)"}.get(
                    name, ""
                )
                text = f"YAML reads this name as {shown(key)}{words}, not as text; put it in quotes"
            problems.append(Problem((*path, name), text))
        result[name] = with_text_keys(value, problems, (*path, name))
    return result


def traps(file: Path) -> Iterator[Problem]:
    """Keys that stand twice in a config file, and numbers that are not what they look like."""
    try:
        root = yaml.compose(file.read_text("utf-8"), Loader=LOADER)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return  # `check_file` says what is wrong with it, or Snakemake, which reads the file first
    yield from _traps(root, (), ())


def _traps(node: Any, path: Place, above: tuple[int, ...]) -> Iterator[Problem]:
    if id(node) in above:  # an anchor that holds itself
        return
    above = (*above, id(node))
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines:
                text = f"stands twice (lines {lines[name]} and {line}), and YAML takes the last"
                yield Problem((*path, name), f"{text}; keep one")
            lines[name] = line
            yield from _traps(value, (*path, name), above)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            yield from _traps(value, (*path, str(i)), above)
    elif isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:int":
        if re.fullmatch(r"[-+]?0[0-9_]+", node.value):
            text = "starts with 0, so YAML takes it for octal; write it without"
            yield Problem(path, f"{node.value} {text}")
        elif ":" in node.value:
            yield Problem(path, f"{node.value} is a number in base 60 to YAML; put it in quotes")
