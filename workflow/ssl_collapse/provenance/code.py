"""A digest of the code that decides a stage's result: its script, and the modules it imports.

Comments, docstrings, formatting and the order of imports do not count; a changed default value,
constant or called helper does, in whichever deciding module it stands. Rooms that only carry (find,
check, start, save, lock, log, name) are neither hashed nor followed: a release, a better message or
a new lock makes no result again, nor does a module of theirs that is moved.

Two codes that were proven equal by the bytes of their results (`make equal`) count as one: see
`equal_code`.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path

from ssl_collapse.provenance.source import Sources, with_parents

# The rooms on the other side of the wall. The package itself names the version and nothing else.
CARRIES = ("config", "plan", "provenance", "runtime")
EQUAL = Path(__file__).with_name("equal_code.json")


@cache
def code_digest(script: Path, root: Path, plugins: tuple[str, ...] = ()) -> str:
    """sha256 over the script and the deciding modules that it reaches.

    Args:
        root: the folder that holds first-party packages; what is not under it does not count.
        plugins: modules that the script imports by computed name, and package files that it
            reads (relative to `root`).
    """
    content = json.dumps(module_digests(script, root, plugins), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def module_digests(script: Path, root: Path, plugins: Sequence[str] = ()) -> dict[str, str]:
    """sha256 of the script's code, under its name, and of every module's, under theirs."""
    sources = _sources()
    start = sources.look(script, "")
    digests = {f"{script.stem} (script)": start.digest}
    waiting = [*plugins, *start.imports]
    # Importing a module runs the packages that it lies in.
    waiting += [part for name in plugins if "/" not in name for part in with_parents(name)]
    while waiting:
        name = waiting.pop()
        path = None if name in digests or carries(name) else _module_file(root, name)
        if path is None:
            continue
        if path.suffix == ".py":
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            source = sources.look(path, package)
            digests[name] = source.digest
            waiting.extend(source.imports)
        else:
            digests[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return dict(sorted(digests.items()))


def drop_old_bytecode(modules: Iterable[str], root: Path) -> None:
    """Let the sources of modules run, which are what is digested.

    Python believes bytecode whose source has the size and the date, in whole seconds, that it had:
    as after two edits in one second, or where other code is unpacked with one date for all files.
    """
    for path in filter(None, (_module_file(root, name) for name in modules)):
        compiled = Path(cache_from_source(str(path)))
        with suppress(OSError):  # none, or not ours to remove
            if compiled.stat().st_ctime_ns <= path.stat().st_ctime_ns:
                compiled.unlink()


def remember_sources() -> None:
    """Keep what was parsed for the next process."""
    _sources().save()


def carries(module: str) -> bool:
    """Whether a module stands on the side of the wall that changes no byte of any result."""
    package, _, inside = module.partition(".")
    return package == "ssl_collapse" and (not inside or inside.split(".")[0] in CARRIES)


def equal_code(stage: str, digest: str) -> str:
    """The name of all codes of a stage that were proven to give the same bytes as this one.

    The project's file lists such digests per stage, in classes; the first of a class names it.
    """
    for members in _equal_classes().get(stage, ()):
        if digest in members:
            return members[0]
    return digest


@cache
def _equal_classes() -> dict[str, list[list[str]]]:
    content: dict[str, list[list[str]]] = json.loads(EQUAL.read_text("utf-8"))
    return content


def forget() -> None:
    """Look at the files again from now on: what was seen of them is remembered until then."""
    for remembered in (code_digest, _module_file, _equal_classes, _sources):
        remembered.cache_clear()


@cache
def _sources() -> Sources:
    return Sources(carries=carries)


@cache
def _module_file(root: Path, name: str) -> Path | None:
    """The file of a first-party module or package file; None for everything else."""
    base = root.joinpath(*name.split("."))
    for path in (base.with_name(f"{base.name}.py"), base / "__init__.py", root / name):
        if path.is_file():
            return path
    return None
