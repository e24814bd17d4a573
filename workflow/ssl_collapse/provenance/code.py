"""A digest of the code that a stage uses: its script and every first-party module it imports.

Comments, docstrings, formatting and the order of imports do not count; a changed default value,
constant or called helper does, in whichever module it stands.
"""

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def code_digest(script: Path, root: Path, plugins: tuple[str, ...] = ()) -> str:
    """sha256 over the script and its first-party modules, transitively.

    Args:
        script: the stage's script.
        root: the folder that holds first-party packages; what is not under it does not count.
        plugins: modules that the script imports by computed name, and package files that it
            reads (relative to `root`).
    """
    content = json.dumps(module_digests(script, root, plugins), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def module_digests(script: Path, root: Path, plugins: tuple[str, ...] = ()) -> dict[str, str]:
    """sha256 of the script's code, under its name, and of every module's, under theirs."""
    digests = {f"{script.stem} (script)": _file_digest(script)}
    for name in sorted(_closure(script, root, plugins)):
        path = _module_file(root, name)
        assert path is not None
        digests[name] = _file_digest(path)
    return digests


def _closure(script: Path, root: Path, plugins: tuple[str, ...]) -> set[str]:
    seen: set[str] = set()
    waiting = [*plugins, *_imports(script, "", root)]
    # Importing a module runs the packages that it lies in.
    waiting += [part for name in plugins if "/" not in name for part in _with_parents(name)]
    while waiting:
        name = waiting.pop()
        path = _module_file(root, name)
        if name in seen or path is None:
            continue
        seen.add(name)
        if path.suffix == ".py":
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            waiting.extend(_imports(path, package, root))
    return seen


@cache
def _module_file(root: Path, name: str) -> Path | None:
    """The file of a first-party module or package file; None for everything else."""
    base = root.joinpath(*name.split("."))
    for path in (base.with_name(f"{base.name}.py"), base / "__init__.py", root / name):
        if path.is_file():
            return path
    return None


@cache
def _file_digest(path: Path) -> str:
    code = _normalized(path).encode() if path.suffix == ".py" else path.read_bytes()
    return hashlib.sha256(code).hexdigest()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))


@cache
def _imports(path: Path, package: str, root: Path) -> tuple[str, ...]:
    """Every dotted name that the file's import statements may load, anywhere in it."""
    names: list[str] = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parents = package.split(".")
                parents = parents[: len(parents) - node.level + 1]
                module = ".".join([*parents, module]) if module else ".".join(parents)
            names.append(module)
            names.extend(f"{module}.{alias.name}" for alias in node.names)
    return tuple(dict.fromkeys(part for name in names for part in _with_parents(name)))


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    for i in range(1, len(parts) + 1):
        yield ".".join(parts[:i])


def _normalized(path: Path) -> str:
    """The file's syntax tree as text, without docstrings, its top-level imports sorted."""
    tree = _Undocumented().visit(ast.parse(path.read_bytes(), filename=str(path)))
    imports: list[str] = []
    rest: list[str] = []
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            imports.extend(_single_imports(statement))
        else:
            rest.append(ast.dump(statement))
    return "\n".join([*sorted(imports), *rest])


def _single_imports(statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
    source = ""
    if isinstance(statement, ast.ImportFrom):
        source = f"from {'.' * statement.level}{statement.module or ''} "
    for alias in statement.names:
        yield f"{source}import {alias.name} as {alias.asname}"


class _Undocumented(ast.NodeTransformer):
    """Drops docstrings, and every other string that stands alone as a statement."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        alone = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if alone else node
