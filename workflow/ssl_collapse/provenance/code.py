"""A digest of the code that a stage uses: its script and every first-party module it imports.

Comments, docstrings, formatting and the order of imports do not count; a changed default value,
constant or called helper does, in whichever module it stands.
"""

import hashlib
import json
from functools import cache
from pathlib import Path

from ssl_collapse.provenance.source import Sources, with_parents


@cache
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
    sources = _sources()
    start = sources.look(script, "")
    digests = {f"{script.stem} (script)": start.digest}
    waiting = [*plugins, *start.imports]
    # Importing a module runs the packages that it lies in.
    waiting += [part for name in plugins if "/" not in name for part in with_parents(name)]
    while waiting:
        name = waiting.pop()
        path = None if name in digests else _module_file(root, name)
        if path is None:
            continue
        if path.suffix == ".py":
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            source = sources.look(path, package)
            digests[name] = source.digest
            waiting.extend(source.imports)
        else:
            digests[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    sources.save()
    return dict(sorted(digests.items()))


@cache
def _sources() -> Sources:
    return Sources()


@cache
def _module_file(root: Path, name: str) -> Path | None:
    """The file of a first-party module or package file; None for everything else."""
    base = root.joinpath(*name.split("."))
    for path in (base.with_name(f"{base.name}.py"), base / "__init__.py", root / name):
        if path.is_file():
            return path
    return None
