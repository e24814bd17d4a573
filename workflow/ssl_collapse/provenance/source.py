"""One source file as its syntax tree tells it: a digest of its code, and the names it imports.

Parsing a hundred files takes most of a second, for every plan and after every job. So what was
found is remembered in `.snakemake/`, by the content of each file: another content is parsed anew.
"""

import ast
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from ssl_collapse.runtime.files import write_text

MEMORY = Path(".snakemake/sources.json")
RULES = "3"  # of this file: others write the same tree in another way


@dataclass(frozen=True)
class Source:
    """`digest` of the code; `imports`: every dotted name that its import statements may load."""

    digest: str
    imports: tuple[str, ...]


class Sources:
    """Source files that were looked at, kept in the file `memory` where its folder exists.

    carries: whether a module decides no result. Where such a module lies does not count.
    """

    def __init__(
        self, memory: Path = MEMORY, carries: Callable[[str], bool] = lambda name: False
    ) -> None:
        self._memory, self._carries = memory, carries
        self._known = _read(memory)
        self._new = False

    def look(self, path: Path, package: str) -> Source:
        """What a file says; `package` is the one it lies in, for its relative imports."""
        content = path.read_bytes()
        key = f"{hashlib.sha256(content).hexdigest()} {package} {RULES}"
        if key not in self._known:
            tree = ast.parse(content, filename=str(path))
            imports = _imports(tree, package)  # before the tree is stripped
            digest = hashlib.sha256(_normalized(tree, self._carries).encode()).hexdigest()
            self._known[key] = Source(digest, imports)
            self._new = True
        return self._known[key]

    def save(self) -> None:
        """Remember what was found since the last time."""
        if self._new and self._memory.parent.is_dir():
            content = {key: [s.digest, *s.imports] for key, s in self._known.items()}
            write_text(self._memory, json.dumps(content))
        self._new = False


def _read(memory: Path) -> dict[str, Source]:
    try:
        content = json.loads(memory.read_text("utf-8"))
        return {key: Source(digest, tuple(names)) for key, (digest, *names) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):  # missing or damaged: parsed again
        return {}


def _imports(tree: ast.Module, package: str) -> tuple[str, ...]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            names.append(module)
            names.extend(f"{module}.{alias.name}" for alias in node.names)
    return tuple(dict.fromkeys(part for name in names for part in with_parents(name)))


def with_parents(name: str) -> Iterator[str]:
    """The packages that a module lies in, outermost first, and the module itself."""
    parts = name.split(".")
    for i in range(1, len(parts) + 1):
        yield ".".join(parts[:i])


def _normalized(tree: ast.Module, carries: Callable[[str], bool]) -> str:
    """The syntax tree as text, without docstrings, its top-level imports sorted."""
    stripped = _Deciding(carries).visit(tree)
    imports: list[str] = []
    rest: list[str] = []
    for statement in stripped.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            imports.extend(_single_imports(statement))
        else:
            rest.append(_text(statement))
    return "\n".join([*sorted(imports), *rest])


def _text(node: Any) -> str:
    """A syntax tree as text. What is absent is left out: every Python has its own fields for it."""
    if isinstance(node, ast.AST):
        present = [(n, v) for n, v in ast.iter_fields(node) if v is not None and v != []]
        return f"{type(node).__name__}({', '.join(f'{n}={_text(v)}' for n, v in present)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_text, node))}]"
    return repr(node)


def _single_imports(statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
    source = ""
    if isinstance(statement, ast.ImportFrom):
        source = f"from {'.' * statement.level}{statement.module or ''} "
    for alias in statement.names:
        yield f"{source}import {alias.name} as {alias.asname}"


class _Deciding(ast.NodeTransformer):
    """Drops what decides nothing: docstrings, every other string that stands alone as a statement,
    and from which carrying module a name is imported (so that such a module may be moved).
    """

    def __init__(self, carries: Callable[[str], bool]) -> None:
        self._carries = carries

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if node.module and not node.level and self._carries(node.module):
            node.module = node.module.partition(".")[0]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        alone = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if alone else node
