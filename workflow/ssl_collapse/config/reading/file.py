"""What makes a config file unreadable, said before Snakemake reads it.

`python -m ssl_collapse.config.reading.file FILE...` ends with code 2 and one message on the first
file that Snakemake would answer with a traceback, without a line, or not at all.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ssl_collapse.config.reading.written import LOADER
from ssl_collapse.runtime.errors import WRONG_INPUT, UserError

MOST_BYTES = 1_000_000
MOST_LEVELS = 50
MOST_VALUES = 200_000  # with every anchor written out
_TAG = re.compile("tag:yaml.org,2002:(str|int|float|bool|null|seq|map)")


def check_file(path: Path) -> None:
    """Read a config file as Snakemake will, in bounded time; `UserError` names file and line."""
    text = _text(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = _yaml(path, text)
    if content is None:
        raise UserError(f"{path}: is empty; it must hold the keys of a config")
    if not isinstance(content, dict):
        raise UserError(f"{path}: must hold keys at its top, `key: value`")


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():  # of a pipe, reading might never end
            raise UserError(f"{path}: is not a regular file")
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path}: is larger than {MOST_BYTES} bytes; a config is a short text")
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read: {reason}") from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}: line {line} is not UTF-8; save the file as UTF-8") from None
    if found := re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text):
        line = text.count("\n", 0, found.start()) + 1
        raise UserError(f"{path}: line {line} holds the character {found[0]!r}; is it a text file?")
    return text


def _yaml(path: Path, text: str) -> Any:
    try:
        for line, excess in _excesses(text):
            raise UserError(f"{path}: line {line}: {excess}")
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or "not YAML"
        mark = getattr(error, "problem_mark", None)
        if mark is None:
            raise UserError(f"{path}: {problem}") from None
        lines = text.split("\n")
        number = min(mark.line, len(lines) - 1)  # the parser may only see it after the end
        if lines[number][mark.column : mark.column + 1] == "\t":
            problem = "a tab; YAML is indented with spaces"
        raise UserError(f"{path}: line {number + 1}: {problem}") from None


def _excesses(text: str) -> Iterator[tuple[int, str]]:
    """Line and fault of what a parser takes long for, or a config has no use for."""
    sizes: dict[str, int] = {}  # anchor -> values that it stands for
    open_nodes: list[tuple[str | None, int]] = []  # anchor, values before it
    values = documents = 0
    for event in yaml.parse(text, Loader=LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        anchor = getattr(event, "anchor", None)
        tag = getattr(event, "tag", None)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            yield line, "a second document starts here; keep one"
        if tag is not None and not _TAG.fullmatch(tag):
            yield line, f"the tag {tag!r} is not allowed; leave it out"
        if isinstance(event, yaml.AliasEvent):
            if anchor in (name for name, _ in open_nodes):
                yield line, f"the anchor {anchor!r} holds itself"
            values += sizes.get(anchor or "", 1)
        elif isinstance(event, yaml.NodeEvent):
            values += 1
            if isinstance(event, yaml.CollectionStartEvent):
                open_nodes.append((anchor, values))
        elif isinstance(event, yaml.CollectionEndEvent):
            name, before = open_nodes.pop()
            sizes[name or ""] = values - before + 1
        if len(open_nodes) > MOST_LEVELS:
            yield line, f"is nested more than {MOST_LEVELS} levels deep"
        if values > MOST_VALUES:
            yield line, f"holds more than {MOST_VALUES} values, with every anchor written out"


class _Loader(LOADER):  # type: ignore[misc, valid-type]
    """Says of every value that cannot be what it looks like (2020-13-45) in which line it is."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            what = node.value[:40] if node.id == "scalar" else "this"
            text = f"{what} is no value ({error})"
            raise yaml.constructor.ConstructorError(None, None, text, node.start_mark) from None


if __name__ == "__main__":
    try:
        for argument in sys.argv[1:]:
            check_file(Path(argument))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(WRONG_INPUT)
